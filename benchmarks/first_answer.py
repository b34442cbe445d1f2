"""How long the first answer takes somebody who follows the README; writes docs/first_answer.md.

    python -m benchmarks.first_answer

Twice, as on a machine that has nothing of it yet: from a fresh clone (`make demo`), and from the wheel in a
fresh environment (the README's first program, then that of the Chinese README). No cache is shared: packages
and models are fetched anew. It takes minutes, and gigabytes.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import machine

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "first_answer.md"
MODEL = "qwen2.5-coder-1.5b"
LIMIT = 300.0  # seconds

Step = tuple[str, float]
"""What was done, and the seconds since the step before."""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        print("From a fresh clone …", flush=True)
        clone = from_a_clone(Path(place) / "clone")
        print("From the wheel …", flush=True)
        wheel = from_the_wheel(Path(place) / "wheel")
    PAGE.write_text(page(clone, wheel), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


def from_a_clone(place: Path) -> list[Step]:
    """`git clone`, `make demo`, and what it prints, with the time of each line that matters."""
    clock = Clock()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place / "repository")], check=True)
    clock.step("`git clone`")
    marks = {
        "Nexus AI on this machine": "`make demo` has installed everything",
        f"{MODEL} is installed": "the model that speaks Chinese is fetched (1.1 GB)",
        "Ready after": "the platform is started",
        "tokens by": "**the first answer, in English**",
        "finished because": "**the first answer in Chinese**",
        "How to go on": "the rest of the tour",
    }
    for line in lines(["make", "demo", f"PYTHON={sys.executable}"], place / "repository", alone(place)):
        for mark in [mark for mark in marks if mark in line]:
            clock.step(marks.pop(mark))
    if marks:
        sys.exit(f"make demo did not come to: {', '.join(marks.values())}")
    return clock.steps


def from_the_wheel(place: Path) -> list[Step]:
    """`pip install`, and the first program of each README."""
    build = [sys.executable, str(ROOT / "scripts" / "build.py"), "--no-sbom", "--out", str(place)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = place.glob("*.whl")
    environment = alone(place)
    programs = place / "fresh" / "bin"

    clock = Clock()
    subprocess.run([sys.executable, "-m", "venv", str(place / "fresh")], check=True)
    install = [str(programs / "pip"), "install", "--quiet", f"{wheel}[cli,local]"]
    subprocess.run(install, check=True, env=environment)
    clock.step("`pip install 'nexus-ai-sdk[cli,local]'`")
    for page_name, step in (
        ("README.md", "**the first program's answer, in English**, with the smallest model fetched (98 MB)"),
        ("README.zh-CN.md", "**the Chinese README's first program's answer**"),
    ):
        if page_name != "README.md":
            pull = [str(programs / "nexusai"), "models", "pull", MODEL]
            subprocess.run(pull, check=True, env=environment, stderr=subprocess.DEVNULL)
            clock.step(f"`nexusai models pull {MODEL}` (1.1 GB)")
        answer = "".join(
            lines([str(programs / "python"), "-c", first_program(page_name)], place, environment)
        )
        if not answer.strip():
            sys.exit(f"The first program of {page_name} printed nothing.")
        print(f"  {answer.strip()}", flush=True)
        clock.step(step)
    return clock.steps


class Clock:
    """Seconds between steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._last = time.monotonic()

    def step(self, what: str) -> None:
        now = time.monotonic()
        self.steps.append((what, now - self._last))
        print(f"  {now - self._last:6.1f} s  {what}", flush=True)
        self._last = now


def alone(place: Path) -> dict[str, str]:
    """An environment in which nothing was ever cached or set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "XDG_"))}
    homes = {f"XDG_{kind}_HOME": str(place / kind.lower()) for kind in ("CACHE", "DATA", "STATE")}
    return {**kept, **homes, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def lines(command: list[str], cwd: Path, environment: dict[str, str]) -> Iterator[str]:
    """What a program prints, as it prints it."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        yield from process.stdout
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}.")


def first_program(name: str) -> str:
    """The first program on a page."""
    found = re.search(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        sys.exit(f"{name} has no program.")
    return found[1]


def page(clone: list[Step], wheel: list[Step]) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    facts = "; ".join(f"{name} {fact}" for name, fact in machine.facts().items())
    return "\n".join(
        [
            "# The first answer",
            "",
            f"Written by `python -m benchmarks.first_answer` on {today}; do not edit.",
            "",
            "How long it takes somebody who follows the README to the letter, on a machine that has nothing",
            "of it yet: no environment, no package, no model. The goal: an answer within five minutes, most",
            "of them download.",
            "",
            "What is downloaded depends on the line: at 100 Mbit/s the larger model alone takes 90 s.",
            "",
            f"Measured on: {facts}; {machine.load():.1f} processes wanted to run on average.",
            "",
            *table("From a fresh clone", clone),
            *table("From the wheel, in a fresh environment", wheel),
        ]
    )


def table(title: str, steps: list[Step]) -> list[str]:
    rows, total = [], 0.0
    for what, seconds in steps:
        total += seconds
        rows.append(f"| {what} | {seconds:.1f} s | {total:.1f} s |")
    first = sum(seconds for _, seconds in until(steps, lambda what: what.startswith("**")))
    kept = "within" if first <= LIMIT else "NOT within"
    verdict = f"The first answer came after {first:.0f} s: {kept} five minutes."
    return [
        f"## {title}",
        "",
        "| | took | since the beginning |",
        "| :-- | --: | --: |",
        *rows,
        "",
        verdict,
        "",
    ]


def until(steps: list[Step], is_last: Callable[[str], bool]) -> list[Step]:
    """The steps up to and with the first of this kind."""
    last = next(number for number, (what, _) in enumerate(steps) if is_last(what))
    return steps[: last + 1]


if __name__ == "__main__":
    if shutil.which("make") is None:
        sys.exit("This needs make.")
    main()
