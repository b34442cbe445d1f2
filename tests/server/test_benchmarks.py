"""The benchmarks: that they measure and judge at all. How fast anything is, is no matter of tests."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.cases import CASES, Bound, Case, Ratio
from benchmarks.contenders import CONTENDERS, PEERS, Contender
from benchmarks.embedded import Figure
from benchmarks.fault_rows import ROWS, Row
from benchmarks.reliability import COLOURS, verdict
from benchmarks.rounds import Results, measure


class Here(Contender):
    """A contender that is installed where the tests run."""

    @property
    def python(self) -> Path:
        return Path(sys.executable)


OURS = Here("nexusai", "nexus-ai-sdk", "")
RAW = Here("raw", "httptools", "")

SMALL = {
    "import": 0,
    "cold": 0,
    "second": 2,
    "call": 2,
    "concurrent": 64,
    "stream1": 5,
    "stream64": 5,
    "paced": 5,
}
SMALL |= {"decode": 1, "embed": 1, "upload": 2, "download": 2, "verified": 2, "held": 50}


def small(case: Case) -> Case:
    """The same case, with so little to do that it takes no time."""
    paths = {"stream1": "/5x1", "stream64": "/5x64", "paced": "/5x1/every300us"}
    path = paths.get(case.name, case.path)
    mine = tuple(name for name in case.contenders if name in ("nexusai", "raw"))
    return replace(case, count=SMALL[case.name], path=path, contenders=mine, processes=1)


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_every_case_can_be_measured(name: str) -> None:
    """A fresh process of each contender does it once, gets the right answers, and tells what it cost."""
    (case,) = [small(case) for case in CASES if case.name == name]
    results = measure([case], {"nexusai": OURS, "raw": RAW}, 1, random.Random(1))
    assert results.failures[name] == {}
    assert all(len(costs) == 1 for costs in results.costs[name].values())
    section = report.case_section(case, results)
    assert case.title in section
    assert "| nexusai " in section


def test_a_contender_that_is_missing_is_told_with_its_reason() -> None:
    """A hole in a table has a sentence under it, and its goals are not called met."""
    (case,) = [
        replace(small(case), contenders=("nexusai", "openai")) for case in CASES if case.name == "call"
    ]
    results = measure([case], {"nexusai": OURS}, 1, random.Random(1))
    assert "`openai` could not be measured: it cannot be installed here." in report.case_section(
        case, results
    )
    goals = report.goals_section([replace(case, goals=(Ratio(0.3, "openai"),))], results, [])
    assert goals.splitlines()[-1].endswith("| not measured |   – |")


def test_a_goal_is_judged_by_the_median_of_the_rounds() -> None:
    """The paired ratios are what counts, not the ratio of two medians."""
    costs = {
        "nexusai": [{"cpu": 1.0}, {"cpu": 2.0}, {"cpu": 30.0}],
        "openai": [{"cpu": 4.0}, {"cpu": 4.0}, {"cpu": 40.0}],
    }
    assert Ratio(0.3, "openai").measured(costs) == 0.5
    assert Bound(2, "cpu", 1e3, "ms").measured(costs) == 2000.0
    assert Ratio(0.3, "anthropic").measured(costs) is None


def test_the_page_tells_every_goal_with_its_result() -> None:
    """Figures of the platform stand among them."""
    (case,) = [case for case in CASES if case.name == "second"]
    results = Results({"second": {"nexusai": [{"cpu": 0.001, "made": 0.0005}]}}, {"second": {}})
    met = Figure("Waiting", "the end is seen", "9 ms", "30 ms", True)
    missed = Figure("Waiting", "an end that came late", "31 ms", "30 ms", False)
    goals = report.goals_section([replace(case, contenders=("nexusai",))], results, [met, missed])
    page = report.page("facts", goals, "tables", work=1, tasks=1)
    assert [line.split("|")[-2].strip() for line in goals.splitlines()[2:]] == ["yes", "yes", "no"]
    assert goals in page


def row(title: str) -> Row:
    (found,) = [row for row in ROWS if row.title.startswith(title)]
    return found


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    "title",
    [
        "The connection is reset before the answer",
        "Closing a stream in its midst",
        "A download that breaks off",
        "One client before and after a fork",
    ],
)
def test_a_fault_can_be_met_in_both_colours(title: str, colour: str) -> None:
    """The server plays it, the contender's process meets it, and the row judges what came of it."""
    assert verdict(row(title), OURS, colour) == "yes"


def test_what_a_contender_cannot_be_asked_for_is_a_dash() -> None:
    """It has no such colour, or no such thing."""
    assert verdict(row("Nobody listens"), PEERS["keystone-ai"], "async") == "–"
    assert verdict(row("A download that breaks off"), PEERS["keystone-ai"], "sync") == "–"
    assert verdict(row("500 calls cancelled"), PEERS["nexusai"], "sync") == "–"


def test_every_contender_has_a_client() -> None:
    """What is named in a case can be run."""
    clients = Path(report.__file__).parent / "clients"
    for name in CONTENDERS:
        stem = name.replace("-", "_").replace("[", "_").replace("]", "")
        assert (clients / f"use_{stem}.py").is_file()
    assert {name for case in CASES for name in case.contenders} <= set(CONTENDERS)
