"""The machine that measures: what it is, and which of its cores runs what."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path


def facts() -> dict[str, str]:
    """What a reader needs to judge figures by; nothing that names this very machine."""
    return {
        "CPU": _cpu(),
        "Cores": str(os.cpu_count()),
        "Kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return named[1] if named else platform.processor() or platform.machine()


def load() -> float:
    """How many processes wanted to run lately, on average."""
    return os.getloadavg()[0]


def client_cores() -> set[int]:
    """The core for what is measured; empty where a process cannot be told its cores."""
    return set(_cores()[:1])


def server_cores() -> set[int]:
    """The core for what the measured process talks to."""
    return set(_cores()[-1:])


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def on(cores: Set[int]) -> Iterator[None]:
    """Processes started inside run on these cores, and stay there."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
