"""Run the cases: in rounds, in random order, one fresh process per contender."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.cases import Case, Cost
from benchmarks.contenders import Contender

_HERE = Path(__file__).resolve().parent
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of the environment: settings of the contenders, or a proxy, would change what is measured."""

_PATIENCE = 600
"""Seconds, after which a contender counts as stuck."""


@dataclass
class Results:
    """What came of it.

    Attributes:
        costs: case → contender → its cost in each round.
        failures: case → contender → why there is none.
    """

    costs: dict[str, dict[str, list[Cost]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)


class FailedError(Exception):
    """A contender could not do it; its last words."""


def measure(
    cases: Sequence[Case], contenders: dict[str, Contender], rounds: int, dice: random.Random
) -> Results:
    """Every case, `rounds` times. What is compared runs close together, so it shares its weather.

    A contender that fails at a case is not asked again, and is told with its reason.
    """
    results = Results(
        {case.name: {name: [] for name in case.contenders} for case in cases},
        {
            case.name: {
                name: "it cannot be installed here" for name in case.contenders if name not in contenders
            }
            for case in cases
        },
    )
    with _server() as url, tempfile.TemporaryDirectory() as elsewhere:
        runner = _Runner(url, elsewhere)
        for number in range(1, rounds + 1):
            for case in dice.sample(cases, len(cases)):
                if number > case.rounds:
                    continue
                for name in dice.sample(case.contenders, len(case.contenders)):
                    if name in results.failures[case.name]:
                        continue
                    print(f"Round {number} of {rounds}: {case.name}, {name}", file=sys.stderr)
                    try:
                        cost = runner.cost(case, contenders[name])
                    except FailedError as error:
                        print(f"  failed: {error}", file=sys.stderr)
                        results.failures[case.name][name] = str(error)
                        results.costs[case.name][name].clear()
                    else:
                        results.costs[case.name][name].append(cost)
    return results


class _Runner:
    """Starts client processes, away from the repository, so that only what is installed is imported."""

    def __init__(self, url: str, elsewhere: str) -> None:
        self._url = url
        self._elsewhere = Path(elsewhere)
        self._environment = {name: os.environ[name] for name in _KEPT if name in os.environ}

    def cost(self, case: Case, contender: Contender) -> Cost:
        """The middle one of the case's processes."""
        costs = [self._once(case, contender) for _ in range(case.processes)]
        return {key: median(cost[key] for cost in costs) for key in costs[0]}

    def _once(self, case: Case, contender: Contender) -> Cost:
        if not case.from_outside:
            _, printed = self.process(contender, case.action, case.path, case.count)
            cost: dict[str, float] = json.loads(printed)
            if "cpu" in cost:
                cost.update(per_second=1 / cost["cpu"], total=cost.get("wall", 0) * case.count)
            return cost
        bare, _ = self.process(contender, "bare")
        whole, _ = self.process(contender, case.action)
        return {key: whole[key] - bare[key] for key in whole}

    def process(self, contender: Contender, action: str, path: str = "", count: int = 0) -> tuple[Cost, str]:
        """What one process cost from start to end, and what it printed."""
        script = [str(contender.python), "-E", "-s", str(_HERE / "clients" / "measure.py")]
        command = [*script, contender.name, action, self._url + path, str(count)]
        directory = self._elsewhere / "here"
        directory.mkdir()
        used, began = _children_cpu(), time.perf_counter()
        try:
            with machine.on(machine.client_cores()):
                done = subprocess.run(
                    command,
                    check=False,
                    cwd=directory,
                    env=self._environment,
                    capture_output=True,
                    text=True,
                    timeout=_PATIENCE,
                )
        except subprocess.TimeoutExpired as error:
            raise FailedError(f"it did not end within {_PATIENCE} s") from error
        finally:
            shutil.rmtree(directory)
        cost = {"cpu": _children_cpu() - used, "wall": time.perf_counter() - began}
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            raise FailedError(
                (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1][:300]
            )
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
