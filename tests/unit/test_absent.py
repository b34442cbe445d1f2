"""What is not installed says how to get it. Runs where the extras are absent: under `make matrix`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

import nexusai

ROOT = Path(nexusai.__file__).parents[1]
NEEDED = "Python 3.11 or newer" if sys.version_info < (3, 11) else r"pip install 'nexus-ai-sdk\[local\]'"


@pytest.mark.skipif(find_spec("dbos") is not None, reason="the platform is installed here")
def test_the_platform(tmp_path: Path) -> None:
    """Before anything is started or written."""
    with pytest.raises(nexusai.NetworkError, match=NEEDED):
        nexusai.NexusAIClient.local(tmp_path / "data")
    with pytest.raises(nexusai.NetworkError, match=NEEDED):
        asyncio.run(nexusai.AsyncNexusAIClient.local(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_the_fast_transport() -> None:
    """At construction, not at the first call."""
    old = sys.version_info < (3, 11)
    code = """
        import sys
        sys.modules["pyreqwest"] = None
        import nexusai
        nexusai.NexusAIClient("k", transport="fast")
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )
    wanted = "needs Python 3.11 or later" if old else "pip install 'nexus-ai-sdk[fast]'"
    assert done.stderr.splitlines()[-1].startswith("ImportError: transport='fast' ")
    assert wanted in done.stderr.splitlines()[-1]


@pytest.mark.skipif(find_spec("typer") is not None, reason="the command is installed here")
def test_the_command() -> None:
    """One sentence, no traceback."""
    done = subprocess.run([sys.executable, "-m", "nexusai"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'nexus-ai-sdk[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
