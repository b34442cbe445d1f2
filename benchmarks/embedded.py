"""The platform on this machine: how soon it acts, what it uses while idle, how one waits for it."""

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
from datetime import timedelta
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


_PLATFORM = "The platform on this machine"
_WAITING = "Waiting for a task of 1 s"
LONG_TASKS = 20
LONG_MS = 1000


@dataclass(frozen=True)
class Figure:
    """A measured value, and the most that it may be, if anything; `met` by what the goal is held against."""

    title: str
    what: str
    value: str
    goal: str = ""
    met: bool | None = None

    @property
    def shown_goal(self) -> str:
        return f"≤ {self.goal}" if self.goal else ""


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
    starts, ends = [start for start, _ in times], [heard for _, heard in times]
    return [
        Figure(_PLATFORM, "a task starts after it was accepted", *_judged(starts, 0.05, "50 ms")),
        Figure(_PLATFORM, "its waiter hears of the end", *_judged(ends, 0.05, "50 ms")),
    ]


def task_waiting() -> list[Figure]:
    """A task of a second: how late its end is seen, by how many requests, on a server that helps and not."""
    from nexusai import NexusAIClient

    with serving() as upstream, tempfile.TemporaryDirectory() as empty:
        provider = {"name": "bench", "base_url": f"{upstream}/{LONG_MS}ms/v1", "models": {"tiny": "tiny"}}
        with _platform(empty, local=False, upstreams=[provider]) as platform:
            late, requests = _waits(platform.client)
    figures = [
        Figure(_WAITING, "on our platform, the end is seen", *_judged(late, 0.03, "30 ms")),
        Figure(_WAITING, "by so many requests in all", f"{requests:g}", "3", met=requests <= 3),
    ]
    with serving() as url, NexusAIClient("nxs_bench", f"{url}/task{LONG_MS}ms/api/v1") as client:
        late, requests = _waits(client)
    most = 0.15 * LONG_MS / 1000
    return [
        *figures,
        Figure(_WAITING, "on a server without long-poll, the end is seen", *_judged(late, most, "150 ms")),
        Figure(_WAITING, "by so many requests in all", f"{requests:g}"),
    ]


def _waits(client: NexusAIClient) -> tuple[list[float], float]:
    """How late each end was seen, and how many requests a task took at most."""
    asked: list[object] = []
    watched = client.with_options(on_request=asked.append)
    _one_task(watched)
    late, most = [], 0
    for _ in range(LONG_TASKS):
        asked.clear()
        late.append(_one_task(watched)[1])
        most = max(most, len(asked))
    return late, most


def idle_share() -> list[Figure]:
    """CPU of the platform's processes while nobody asks for anything, in percent of a core."""
    with tempfile.TemporaryDirectory() as empty, _platform(empty) as platform:
        figures = [_idle("idle, no model loaded", platform.pid)]
    with _platform(None, default_model=SMALL_MODEL) as platform:
        if _load_model(platform.client):
            figures.append(_idle(f"idle, {SMALL_MODEL} loaded", platform.pid))
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
    assert task.finished_at is not None
    began = (task.started_at - task.created_at) / _SECOND if task.started_at and task.created_at else 0.0
    return began, now - task.finished_at.timestamp()


def _judged(seconds: list[float], most: float, goal: str) -> tuple[str, str, bool]:
    """What was measured, the goal, and whether the 95th percentile is within it."""
    steps = quantiles(seconds, n=20, method="inclusive")
    return f"{steps[9] * 1e3:.1f} ms (p50), {steps[18] * 1e3:.1f} ms (p95)", goal, steps[18] <= most


def _load_model(client: NexusAIClient) -> bool:
    """Have the small model answer once, so that it is in memory; False where it is not installed."""
    from nexusai.error import APIError

    try:
        client.with_options(timeout=120).text.generate("Hello", model=SMALL_MODEL, max_tokens=8)
    except APIError:
        return False
    return True


def _idle(what: str, pid: int) -> Figure:
    time.sleep(SETTLE_SECONDS)
    before, began = _cpu_of_tree(pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    share = (_cpu_of_tree(pid) - before) / (time.monotonic() - began)
    return Figure(_PLATFORM, what, f"{share:.2%}", "5 % of a core", share <= 0.05)


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


PLATFORM_CASES = {"task": task_latency, "waiting": task_waiting, "idle": idle_share}
