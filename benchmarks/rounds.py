"""Run the cases: in rounds, in random order, one fresh process per contender."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.cases import Case
from benchmarks.contenders import PEERS, Contender

_HERE = Path(__file__).resolve().parent
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of the environment: settings of the contenders, or a proxy, would change what is measured."""


@dataclass(frozen=True)
class Cost:
    """Seconds."""

    cpu: float
    wall: float


Results = dict[str, dict[str, list[Cost]]]
"""Case → contender → its cost in each round."""


def measure(cases: Sequence[Case], rounds: int, dice: random.Random) -> Results:
    """Every case, `rounds` times. What is compared runs close together, so it shares its weather."""
    results: Results = {case.name: {name: [] for name in case.contenders} for case in cases}
    with _server() as url, tempfile.TemporaryDirectory() as elsewhere:
        runner = _Runner(url, elsewhere)
        for name in PEERS:  # files into the page cache; and whoever cannot work says so now
            runner.process(PEERS[name], "cold")
        for number in range(1, rounds + 1):
            print(f"Round {number} of {rounds} …", file=sys.stderr)
            for case in dice.sample(cases, len(cases)):
                for name in dice.sample(case.contenders, len(case.contenders)):
                    results[case.name][name].append(runner.cost(case, PEERS[name]))
    return results


class _Runner:
    """Starts client processes, away from the repository, so that only what is installed is imported."""

    def __init__(self, url: str, elsewhere: str) -> None:
        self._url = url
        self._elsewhere = elsewhere
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ}

    def cost(self, case: Case, contender: Contender) -> Cost:
        """The middle one of the case's processes."""
        costs = [self._once(case, contender) for _ in range(case.processes)]
        return Cost(median(cost.cpu for cost in costs), median(cost.wall for cost in costs))

    def _once(self, case: Case, contender: Contender) -> Cost:
        if not case.from_outside:
            _, printed = self.process(contender, case.action, case.path, case.count)
            return Cost(**json.loads(printed))
        bare, _ = self.process(contender, "bare")
        whole, _ = self.process(contender, case.action)
        return Cost(whole.cpu - bare.cpu, whole.wall - bare.wall)

    def process(self, contender: Contender, action: str, path: str = "", count: int = 0) -> tuple[Cost, str]:
        """What one process cost from start to end, and what it printed."""
        script = [str(contender.python), "-E", "-s", str(_HERE / "clients" / "measure.py")]
        command = [*script, contender.name, action, self._url + path, str(count)]
        used, began = _children_cpu(), time.perf_counter()
        with machine.on(machine.client_cores()):
            done = subprocess.run(
                command,
                check=False,
                cwd=self._elsewhere,
                env=self._environment,
                capture_output=True,
                text=True,
            )
        cost = Cost(_children_cpu() - used, time.perf_counter() - began)
        if done.returncode:
            sys.exit(f"{contender.name} failed at `{action}`:\n{done.stdout}{done.stderr}")
        return cost, done.stdout


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _server() -> Iterator[str]:
    with machine.on(machine.server_cores()), serving() as url:
        yield url


@contextmanager
def serving() -> Iterator[str]:
    """The scripted server's address, while it runs."""
    command = [sys.executable, str(_HERE / "server.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
