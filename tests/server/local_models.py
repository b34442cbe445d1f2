"""The real model that tests run, and a look at the processes that run it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from nexus_server.models.catalogue import SMALLEST, find
from nexus_server.models.fetch import fetch
from nexus_server.settings import ServerSettings

SMOLLM = find(SMALLEST)
_CACHE = ServerSettings().models_dir  # this machine's, before a test sets another


@cache
def smollm() -> Path:
    """SmolLM2-135M in this machine's cache; fetched when it is not there."""
    return fetch(SMOLLM, _CACHE)


@cache
def cached(model_id: str) -> Path:
    """Any model of the catalogue in this machine's cache; fetched when it is not there."""
    return fetch(find(model_id), _CACHE)


def link_speech(models_dir: Path) -> None:
    """Put the models of speech into a directory of the test's own."""
    models_dir.mkdir(parents=True, exist_ok=True)
    for model_id in ("whisper-base", "kokoro-82m"):
        (models_dir / find(model_id).file).symlink_to(cached(model_id))


def link_model(models_dir: Path, name: str = SMOLLM.file) -> Path:
    """Put it into a directory of the test's own, under any name."""
    models_dir.mkdir(parents=True, exist_ok=True)
    path = models_dir / name
    path.symlink_to(smollm())
    return path


def children() -> set[int]:
    """The process ids of our children that run `child.py` and have not ended."""
    return {pid for pid in _processes() if _is_our_child(pid)}


def is_alive(pid: int) -> bool:
    state = _status(pid).get("State", "Z")
    return not state.startswith("Z")


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _is_our_child(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    parent = _status(pid).get("PPid")
    return b"local/child.py" in command and parent == str(os.getpid()) and is_alive(pid)


def _status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
