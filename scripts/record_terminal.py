"""Record the `nexusai` command in a terminal, as an animated picture: docs/images/terminal.svg.

python scripts/record_terminal.py [--models-dir DIRECTORY]

Each command is really run, in a terminal of its own, on a platform with a real model; only the typing is
drawn, and long waits are cut short. The model must speak Chinese: the recommended one is fetched if it is not
there.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

import nexusai

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
COLUMNS, ROWS = 78, 15
CELL, LINE, MARGIN, BAR = 8.4, 21, 18, 34  # pixels
LONGEST_WAIT, KEYSTROKE, BETWEEN, END = 0.2, 0.03, 0.7, 6.0  # seconds
COLOURS = {
    "31": "#ff7b72",
    "32": "#7ee787",
    "33": "#e3b341",
    "34": "#79c0ff",
    "35": "#d2a8ff",
    "36": "#76e3ea",
}
PROMPT = "\x1b[32m$\x1b[0m "

DOCUMENT = "# 退款说明\n\n收到退货后，我们会在七个工作日内把款项退回原支付账户。\n"
COMMANDS = [
    'nexusai text "Name the four seasons."',
    'nexusai text "用一句话解释什么是数据库。"',
    'nexusai image "两只猫在海边，日落，有棕榈树" -o cats.png',
    "nexusai kb create 手册",
    "nexusai kb add {made} 退款.md",
    'nexusai kb ask {made} "退款多久到账？"',
]

Cell = tuple[str, str]
"""A character, and its style: SGR numbers, joined by semicolons."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Record the `nexusai` command, as an animated picture.")
    parser.add_argument("--models-dir", type=Path, help="where the models are (the user's cache)")
    models_dir = parser.parse_args().models_dir
    if models_dir is not None:
        os.environ["NEXUS_SERVER_MODELS_DIR"] = str(models_dir.resolve())
    subprocess.run([sys.executable, "-m", "nexusai", "models", "pull"], check=True)
    with tempfile.TemporaryDirectory() as place:
        recording = record(Path(place))
    PICTURE.write_text(recording.picture(), encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")


def record(place: Path) -> Recording:
    (place / "退款.md").write_text(DOCUMENT, encoding="utf-8")
    os.environ |= {"NEXUS_SERVER_DATA_DIR": str(place / "data"), "NEXUS_LANG": "en"}
    recording = Recording()
    with nexusai.NexusAIClient.local(place / "data") as client:
        client.text.generate("Hello", max_tokens=1)  # the model is loaded
        client.embeddings.create("Hello")
        made = ""
        for command in COMMANDS:
            shown = command.format(made=made)
            recording.type(shown)
            printed = recording.run(shown, place)
            made = next(iter(re.findall(r"kb_\w+", printed)), made)
    return recording


class Screen:
    """As much of a terminal as the command needs: lines that wrap, colours, and bars that are drawn again."""

    CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b[()][A-Z0-9]|[\r\n\x08]")

    def __init__(self) -> None:
        self.rows: dict[int, list[Cell]] = {0: []}
        self._row = self._at = 0
        self._style = ""

    def feed(self, text: str) -> list[int]:
        """Show text; which rows it has changed."""
        changed: set[int] = set()
        position = 0
        while position < len(text):
            control = self.CONTROL.match(text, position)
            if control is None:
                self._put(text[position])
                position += 1
            else:
                self._obey(control)
                position = control.end()
            changed.add(self._row)
        return sorted(changed)

    def _put(self, character: str) -> None:
        cells = self.rows.setdefault(self._row, [])
        if width([each for each, _ in cells[: self._at]]) + width(character) > COLUMNS:
            self._row, self._at = self._row + 1, 0
            cells = self.rows.setdefault(self._row, [])
        cells[self._at : self._at + 1] = [(character, self._style)]
        self._at += 1

    def _obey(self, control: re.Match[str]) -> None:
        numbers, letter = control[1], control[2]
        if control[0] == "\r":
            self._at = 0
        elif control[0] == "\n":
            self._row += 1
            self._at = 0
            self.rows.setdefault(self._row, [])
        elif letter == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif letter == "K":
            self.rows[self._row] = [] if numbers == "2" else self.rows[self._row][: self._at]
        elif letter == "m":
            self._style = "" if numbers in ("", "0") else numbers


@dataclass
class Piece:
    """Cells that stand in a row from one moment to another."""

    row: int
    column: int
    cells: list[Cell]
    begin: float
    end: float | None = None


@dataclass
class Recording:
    """What a terminal has shown, and when."""

    screen: Screen = field(default_factory=Screen)
    pieces: list[Piece] = field(default_factory=list)
    now: float = 0.5
    _standing: dict[int, list[Piece]] = field(default_factory=dict)

    def type(self, command: str) -> None:
        """Draw the prompt, and a command as it is typed."""
        self._feed(PROMPT)
        self.now += BETWEEN
        for character in command:
            self.now += KEYSTROKE
            self._feed(character)
        self.now += BETWEEN / 2
        self._feed("\r\n")

    def run(self, command: str, place: Path) -> str:
        """Run it in a terminal, and keep what that shows."""
        printed = ""
        before = time.monotonic()
        for text in output(command, place):
            moment = time.monotonic()
            self.now += min(moment - before, LONGEST_WAIT)
            before = moment
            self._feed(text)
            printed += text
        return printed

    def _feed(self, text: str) -> None:
        for row in self.screen.feed(text):
            self._changed(row, self.screen.rows[row])

    def _changed(self, row: int, cells: list[Cell]) -> None:
        """Add what is new in a row; where something else stood there, that ends."""
        standing = self._standing.setdefault(row, [])
        shown = [cell for piece in standing for cell in piece.cells]
        if cells[: len(shown)] != shown:
            for piece in standing:
                piece.end = self.now
            standing.clear()
            shown = []
        new = cells[len(shown) :]
        if new:
            piece = Piece(row, width([character for character, _ in shown]), new, self.now)
            standing.append(piece)
            self.pieces.append(piece)

    def picture(self) -> str:
        """The animated picture: every piece is there all along, and visible in its time."""
        length = self.now + END
        high = BAR + (max(piece.row for piece in self.pieces) + 1) * LINE + MARGIN
        wide = COLUMNS * CELL + 2 * MARGIN
        moments = sorted({(piece.begin, piece.end) for piece in self.pieces}, key=str)
        names = {moment: f"a{number}" for number, moment in enumerate(moments)}
        rules = "".join(keyframes(name, *moment, length) for moment, name in names.items())
        texts = "".join(drawn(piece, names[piece.begin, piece.end]) for piece in self.pieces)
        dots = "".join(
            f'<circle cx="{22 + 18 * number}" cy="18" r="5.5" fill="{colour}"/>'
            for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" width="{wide:.0f}" '
            f'height="{high}" role="img" aria-label="The nexusai command in a terminal">\n<style>\n'
            "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','PingFang SC',"
            "'Microsoft YaHei','Noto Sans CJK SC',monospace;white-space:pre}\nsvg{fill:#e6edf3}\n"
            f"g{{animation:{length:.1f}s step-end infinite}}\n{rules}"
            "@media (prefers-reduced-motion){g{animation:none!important}.gone{visibility:hidden}}\n</style>\n"
            f'<rect x=".5" y=".5" width="{wide - 1:.0f}" height="{high - 1}" rx="10" fill="#0d1117" '
            f'stroke="#6e7681"/>{dots}\n{texts}</svg>\n'
        )


def keyframes(name: str, begin: float, end: float | None, length: float) -> str:
    stops = f"0%{{visibility:hidden}}{100 * begin / length:.2f}%{{visibility:visible}}"
    if end is not None:
        stops += f"{100 * end / length:.2f}%{{visibility:hidden}}"
    return f".{name}{{animation-name:{name}}}@keyframes {name}{{{stops}}}\n"


def drawn(piece: Piece, name: str) -> str:
    """A piece as text; each run has the width that it has in a terminal, whatever the font."""
    column, runs = piece.column, ""
    for (style, _), group in groupby(piece.cells, key=lambda cell: (cell[1], width(cell[0]))):
        text = "".join(character for character, _ in group)
        cells = width(text)
        if text.strip():
            place = f'x="{MARGIN + column * CELL:.1f}" y="{BAR + (piece.row + 1) * LINE - 4}"'
            fit = f'textLength="{cells * CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
            runs += f"<text {place} {fit}{look(style)}>{escape(text)}</text>"
        column += cells
    gone = "" if piece.end is None else " gone"
    return f'<g class="{name}{gone}">{runs}</g>\n' if runs else ""


def look(style: str) -> str:
    numbers = style.split(";")
    colour = next((f' fill="{COLOURS[number]}"' for number in numbers if number in COLOURS), "")
    return (
        colour
        + (' opacity=".65"' if "2" in numbers else "")
        + (' font-weight="bold"' if "1" in numbers else "")
    )


def width(text: str | list[str]) -> int:
    """Cells that a text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def output(command: str, place: Path) -> Iterator[str]:
    """What a command prints to a terminal, as it comes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    words = [sys.executable, "-m", *(word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command))]
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "PYTHONIOENCODING": "utf-8",
    }
    process = subprocess.Popen(words, stdout=slave, stderr=slave, stdin=slave, env=environment, cwd=place)
    os.close(slave)
    rest = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # the command has ended
            break
        text, rest = whole_characters(rest + data)
        yield text
    os.close(master)
    if process.wait():
        sys.exit(f"{command} ended with {process.returncode}.")


def whole_characters(data: bytes) -> tuple[str, bytes]:
    """Text, and the bytes of a character that has not come wholly."""
    for cut in range(4):
        try:
            return data[: len(data) - cut].decode("utf-8"), data[len(data) - cut :]
        except UnicodeDecodeError:
            continue
    raise ValueError("The command does not print UTF-8.")


if __name__ == "__main__":
    main()
