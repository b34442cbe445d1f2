"""The platform on this machine: how soon it acts, and what it uses while it does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from benchmarks.rounds import serving

if TYPE_CHECKING:
    from nexusai import NexusAIClient

TASKS = 100
WORK_MS = 100
"""How long the upstream works on a task: so long that its waiter is waiting when it ends."""

IDLE_SECONDS = 20.0
SETTLE_SECONDS = 3.0
SMALL_MODEL = "smollm2-135m"
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Figure:
    """A measured value, and the most that it may be."""

    what: str
    value: str
    goal: str


@dataclass(frozen=True)
class Platform:
    """A running one."""

    client: NexusAIClient
    pid: int


def task_latency() -> list[Figure]:
    """From accepted to started, and from the end to the return of `tasks.wait`."""
    with serving() as upstream, tempfile.TemporaryDirectory() as empty:
        models = {"tiny": "tiny"}
        provider = {"name": "bench", "base_url": f"{upstream}/{WORK_MS}ms/v1", "models": models}
        with _platform(empty, local=False, upstreams=[provider]) as platform:
            _one_task(platform.client)
            times = [_one_task(platform.client) for _ in range(TASKS)]
    return [
        Figure("a task starts after it was accepted", _spread([start for start, _ in times]), "50 ms"),
        Figure("its waiter hears of the end", _spread([heard for _, heard in times]), "50 ms"),
    ]


def idle_share() -> list[Figure]:
    """CPU of the platform's processes while nobody asks for anything, in percent of a core."""
    with tempfile.TemporaryDirectory() as empty, _platform(empty) as platform:
        figures = [Figure("idle, no model loaded", _idle(platform.pid), "5 % of a core")]
    with _platform(None, default_model=SMALL_MODEL) as platform:
        if _load_model(platform.client):
            figures.append(Figure(f"idle, {SMALL_MODEL} loaded", _idle(platform.pid), "5 % of a core"))
        else:
            print(f"{SMALL_MODEL} is not installed: idle is not measured with it", file=sys.stderr)
    return figures


@contextmanager
def _platform(models_dir: str | None, **settings: object) -> Iterator[Platform]:
    """A server on a fresh data directory; its models are those of this user where no directory is given."""
    from nexusai import NexusAIClient

    given = {"auto_pull": False, **settings, **({"models_dir": models_dir} if models_dir else {})}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
    environment = {
        f"NEXUS_SERVER_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
    }
    with tempfile.TemporaryDirectory() as data_dir:
        command = [sys.executable, "-m", "nexus_server", "--port", "0", "--announce"]
        process = subprocess.Popen(
            [*command, "--exit-with-parent", "--data-dir", data_dir],
            env={**clean, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                sys.exit("The platform did not start; `python -m nexus_server` says why.")
            announced = json.loads(line)
            key = Path(announced["api_key_file"]).read_text().strip()
            try:
                with NexusAIClient(key, announced["url"]) as client:
                    yield Platform(client, process.pid)
            finally:
                process.terminate()


def _one_task(client: NexusAIClient) -> tuple[float, float]:
    """Seconds until a task started, and seconds from its end until we know."""
    handle = client.text.generate_async("Hello")
    task = client.tasks.wait(handle.task_id)
    now = time.time()
    created, started, finished = (
        _known(moment) for moment in (task.created_at, task.started_at, task.finished_at)
    )
    return (started - created) / _SECOND, now - finished.timestamp()


def _known(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


def _spread(seconds: list[float]) -> str:
    steps = quantiles(seconds, n=20)
    return f"{steps[9] * 1e3:.1f} ms (p50), {steps[18] * 1e3:.1f} ms (p95)"


def _load_model(client: NexusAIClient) -> bool:
    """Have the small model answer once, so that it is in memory; False where it is not installed."""
    from nexusai.error import APIError

    try:
        client.with_options(timeout=120).text.generate("Hello", model=SMALL_MODEL, max_tokens=8)
    except APIError:
        return False
    return True


def _idle(pid: int) -> str:
    time.sleep(SETTLE_SECONDS)
    before, began = _cpu_of_tree(pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return f"{(_cpu_of_tree(pid) - before) / (time.monotonic() - began):.2%}"


def _cpu_of_tree(root: int) -> float:
    """CPU seconds of a process and all its descendants, as far as they live."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended just now
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        ticks[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    tree = {root}
    while grown := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    return sum(ticks.get(pid, 0) for pid in tree) / os.sysconf("SC_CLK_TCK")


PLATFORM_CASES = {"task": task_latency, "idle": idle_share}
