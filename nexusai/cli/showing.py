"""What is printed: answers on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Sequence

import typer
from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table

from nexusai.cli.words import say

AS_JSON = typer.Option(False, "--json", help=say("Print JSON, for programs.", "输出 JSON，供程序使用。"))


def _in_a_folder(path: Optional[Path]) -> Optional[Path]:
    """Refuse at once what could not be written later, when the answer is there."""
    if path is None or path.exists():
        return path
    if not path.parent.is_dir():
        raise typer.BadParameter(say(f"There is no folder {path.parent}.", f"没有目录 {path.parent}。"))
    if not os.access(path.parent, os.W_OK):
        raise typer.BadParameter(say(f"{path.parent} cannot be written to.", f"无法写入 {path.parent}。"))
    return path


def _output(*, folder: bool) -> Any:
    return typer.Option(
        None,
        "--output",
        "-o",
        help=say("Write to this file.", "写入此文件。"),
        show_default=False,
        dir_okay=folder,
        writable=True,
        callback=_in_a_folder,
    )


OUTPUT = _output(folder=False)
OUTPUT_OR_FOLDER = _output(folder=True)
"""In a folder, what is written gets its own name."""

Columns = Dict[str, Callable[[Any], Any]]
"""Titles, and what stands below each for a row."""

_STEERING: Dict[int, None] = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


class _Screen(Console):
    """Shows texts as they are, but for what would steer a terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def render(
        self, renderable: RenderableType, options: Optional[ConsoleOptions] = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            is_ours = segment.control is not None
            yield segment if is_ours else segment._replace(text=_harmless(segment.text, self.file))


out: Console = _Screen()
err: Console = _Screen(stderr=True)


def line(text: str, *, to_err: bool = False) -> None:
    """Print a text and a line break, and nothing else."""
    typer.echo(_harmless(text, sys.stderr if to_err else sys.stdout), err=to_err)


def as_json(value: Any) -> None:
    """Print a result, or several, as JSON."""
    line(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def table(rows: Sequence[Any], columns: Columns, nothing: str) -> None:
    """Print rows under these titles, or that there is nothing."""
    if not rows:
        err.print(nothing)
        return
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(columns):
        drawn.add_column(title, no_wrap=number == 0)
    for row in rows:
        drawn.add_row(*(_cell(column(row)) for column in columns.values()))
    out.print(drawn, soft_wrap=False)


def facts(value: Dict[str, Any]) -> None:
    """Print names and values, one pair to a line."""
    width = max(map(len, value), default=0)
    for name, fact in value.items():
        out.print(f"{name:{width}}  ", end="", style="dim")
        out.print(_cell(fact))


def stream(pieces: Iterator[str]) -> str:
    """Print text as it comes, and return it."""
    whole: List[str] = []
    for piece in pieces:
        whole.append(piece)
        sys.stdout.write(_harmless(piece, sys.stdout))
        sys.stdout.flush()
    line("")
    return "".join(whole)


@contextmanager
def bytes_bar(title: str) -> Iterator[Callable[[int, Optional[int]], None]]:
    """A bar for bytes that are moved."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        bar = bars.add_task(title, total=None)
        yield lambda moved, total: bars.update(bar, completed=moved, total=total)


@contextmanager
def task_bar(title: str) -> Iterator[Callable[[Any], None]]:
    """A bar for a task's progress."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bars:
        bar = bars.add_task(title, total=None)

        def show(task: Any) -> None:
            total = None if task.progress is None else 100
            bars.update(bar, completed=task.progress or 0, total=total, description=f"{title}: {task.status}")

        yield show


def read_input(words: Optional[List[str]], what: str) -> str:
    """What stands on the command line, what is piped in, or both, the piped first.

    Raises:
        ValueError: there is neither.
    """
    typed = " ".join(words or [])
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    both = [part for part in (piped, typed if typed != "-" else "") if part]
    if not both:
        raise ValueError(
            say(f"Give {what}, on the command line or by a pipe.", f"请在命令行或通过管道提供{what}。")
        )
    return "\n\n".join(both)


def write(path: Path, text: str) -> None:
    """Write a text, and say where."""
    path.write_text(text, encoding="utf-8")
    saved(path)


def saved(path: Path) -> None:
    """Say where something was written."""
    err.print(str(path))


def size(count: Optional[int]) -> str:
    """A number of bytes, for people."""
    if count is None:
        return ""
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _harmless(text: str, place: IO[str]) -> str:
    """A text for a terminal: what comes from models and documents must not set titles or hide lines there."""
    return text.translate(_STEERING) if place.isatty() else text


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
