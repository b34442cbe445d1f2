"""What the docs say is what happens: every snippet and every example runs, and every link leads somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

if TYPE_CHECKING:
    from server.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*.py")) if path.stem != "opening"]
PYTHON = r"python(?: title=\"(?:nexusai|openai)\")?"  # keystone-ai's run in test_keystone.py
RUNNER = Path(__file__).with_name("run_snippets.py")


def snippets(page: Path, language: str) -> list[tuple[str, str]]:
    """A page's snippets, each with its name: the line where it begins."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(rf"^```(?:{language})\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [(text.count("\n", 0, each.start()) + 2, each[1]) for each in found]
    return [(f"{page.relative_to(ROOT)}:{line}", code) for line, code in lines]


def by_page() -> list[object]:
    """The Python of each page, in both its languages."""
    pages = groupby(PAGES, key=lambda page: str(page.relative_to(ROOT)).partition(".")[0])
    grouped = {name: [each for page in same for each in snippets(page, PYTHON)] for name, same in pages}
    return [pytest.param(found, id=name) for name, found in grouped.items() if found]


def run(command: list[str], platform: ServerProcess, cwd: Path, given: str = "") -> str:
    environment = {
        **os.environ,
        "NEXUS_OTEL": "",  # as for a program that was told nothing
        "NEXUS_API_KEY": platform.key,
        "NEXUS_BASE_URL": platform.url,
        "OPENAI_API_KEY": platform.key,
        "OPENAI_BASE_URL": platform.url.replace("/api/v1", "/v1"),
        "NEXUS_SERVER_DATA_DIR": str(platform.data_dir),
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
        env=environment,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("found", by_page())
def test_snippets_run(found: list[tuple[str, str]], platform: ServerProcess, tmp_path: Path) -> None:
    """As they stand; `nxs_…` and addresses in them become those of the platform under test.

    What holds tests is given to pytest.
    """
    places = {"nxs_…": platform.key, "http://localhost:8000": platform.url.removesuffix("/api/v1")}
    ready = [(name, with_places(code, places)) for name, code in found]
    programs = [(name, code) for name, code in ready if "def test_" not in code]
    shown = run([sys.executable, "-W", "error", str(RUNNER)], platform, tmp_path, json.dumps(programs))
    tests = [code for _, code in ready if "def test_" in code]
    for number, code in enumerate(tests):
        (tmp_path / f"test_snippet{number}.py").write_text(code, encoding="utf-8")
    if tests:
        shown += run([sys.executable, "-m", "pytest", "-W", "error"], platform, tmp_path)
    assert platform.key not in shown


def with_places(code: str, places: dict[str, str]) -> str:
    for shown, real in places.items():
        code = code.replace(shown, real)
    return code


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_run(example: Path, platform: ServerProcess, tmp_path: Path) -> None:
    """And print something."""
    assert run([sys.executable, "-W", "error", str(example)], platform, tmp_path).strip()


def test_commands_exist() -> None:
    """Every `nexusai` command that is shown anywhere, and its subcommand."""
    from nexusai.cli.app import app

    shown = "\n".join(code for page in PAGES for _, code in snippets(page, "(?:bash|shell|sh)"))
    lines = set(re.findall(r"^nexusai ((?:[a-z]+ ?)+)", shown, re.MULTILINE))
    assert lines
    for words in [line.split() for line in lines]:
        command = typer.main.get_command(app)
        while words and hasattr(command, "commands"):
            command = command.commands.get(words.pop(0))
        assert command is not None, words


def test_targets_exist() -> None:
    """Every `make` target that is shown."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = "\n".join(code for page in PAGES for _, code in snippets(page, "(?:bash|shell|sh)"))
    assert set(re.findall(r"^make ([a-z-]+)", shown, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Files that are linked to are there, and so are their headings."""
    for target, heading in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", without_code(page)):
        if target.startswith(("http:", "https:")):
            continue
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not heading or heading in headings(path), f"{target}#{heading}"


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def headings(page: Path) -> set[str]:
    """As links name them."""
    titles = re.findall(r"^#+ (.*)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
