"""What the docs say is what happens: every snippet and every example runs, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from server.process import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*.py")) if path.stem != "opening"]


def snippets(language: str) -> list[object]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for number, code in enumerate(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL), 1):
            found.append(pytest.param(code, id=f"{page.relative_to(ROOT)}-{number}"))
    return found


def run(command: list[str], platform: ServerProcess, cwd: Path) -> str:
    environment = {
        **os.environ,
        "NEXUS_OTEL": "",  # as for a program that was told nothing
        "NEXUS_API_KEY": platform.key,
        "NEXUS_BASE_URL": platform.url,
        "NEXUS_SERVER_DATA_DIR": str(platform.data_dir),
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, timeout=300, env=environment, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", snippets("python"))
def test_snippets_run(code: str, platform: ServerProcess, tmp_path: Path) -> None:
    """As they stand; `nxs_…` and addresses in them become those of the platform under test.

    What holds tests is given to pytest.
    """
    code = code.replace("nxs_…", platform.key).replace("http://localhost:8000/api/v1", platform.url)
    command = [sys.executable, "-W", "error", "-c", code]
    if "def test_" in code:
        (tmp_path / "test_snippet.py").write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-W", "error"]
    assert platform.key not in run(command, platform, tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_run(example: Path, platform: ServerProcess, tmp_path: Path) -> None:
    """And print something."""
    assert run([sys.executable, "-W", "error", str(example)], platform, tmp_path).strip()


@pytest.mark.parametrize("code", snippets("(?:bash|shell|sh)"))
def test_commands_exist(code: str) -> None:
    """Every `make` target and every `nexusai` command that is shown."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE):
        assert name in targets
    for words in re.findall(r"^nexusai ((?:[a-z]+ ?)+)", code, re.MULTILINE):
        command = [sys.executable, "-m", "nexusai", *words.split()[:2], "--help"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0, words


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Files that are linked to are there."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
