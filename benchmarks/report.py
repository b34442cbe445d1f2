"""Figures → tables, for the terminal and for `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

from benchmarks.cases import Case, Costs, Goal, Ratio
from benchmarks.embedded import Figure
from benchmarks.rounds import Results

OURS = ("nexusai", "nexusai[fast]")
_FLOORS = """\
## Where a goal is not met, and why

- Small calls with `[fast]`: pyreqwest by itself costs two to four times what `raw` does, as each call
  wakes a thread of its own, which takes Python's lock twice; and what stands above any transport (arguments,
  JSON, headers, a slot, a typed answer) costs 35 to 45 µs. Together that is above 2.5 times `raw` and above
  0.08 times `openai` before our own code for it begins. At 64 at a time, where wake-ups are shared, it comes
  close. Streams with `[fast]` stand at about the goal, above it or below it from run to run.
"""

_METHOD = """\
## Method

Every round runs every case in random order, and in each case every contender in random order, each
in a fresh process of its own environment with nothing but the package and its default dependencies.
The client is pinned to one core, the server to another. CPU is user and system time of the whole
client process with all its threads. Every answer is checked.

Figures are medians of the rounds. `nexusai / it` is the median of the ratios of the rounds: both
sides of each ratio were measured close together, so it moves less than the figures themselves, which
also depend on what else the machine does. Files are moved in at most three rounds, 10,000 streams in one.

`nexusai[fast]` is the same SDK over pyreqwest (`transport="fast"`). `keystone-ai` has no async client.

The server is a process of its own. It answers prebuilt bytes over loopback in each API's own shape, so
that a client waits for it in wall time only; nothing of it is in a client's CPU. Each contender reads its own
API's event shape, which is larger for `openai` and `anthropic` than for the others. Streams are sent as fast
as the socket takes them, each event (or 64) in an HTTP chunk and a write of its own, as when the goals were
set; how many of them the system hands over in one read depends on who is faster. Where it says that they
come at a pace, each is a read.

The platform's figures come from a server on a fresh data directory (SQLite) and the SDK's `tasks.wait`,
while its upstream works {work} ms on each of {tasks} tasks, or 1 s on each of 20; their goals are held
against the 95th percentile. The server without long-poll is scripted, and ignores `Prefer`.
"""


def case_section(case: Case, results: Results) -> str:
    """A case as a titled table."""
    costs, failures = results.costs[case.name], results.failures[case.name]
    header = ["", *(column.title for column in case.columns)]
    compared = [name for name in OURS if name in case.contenders] if case.ratios else []
    header += [f"{ours} / it" for ours in compared]
    rows = [_row(case, name, costs, compared) for name in case.contenders if costs[name]]
    parts = [f"### {case.title}", table(header, rows)]
    parts += [f"`{name}` could not be measured: {reason}." for name, reason in failures.items()]
    return "\n\n".join([*parts, *([case.note] if case.note else [])])


def _row(case: Case, name: str, costs: Costs, compared: Sequence[str]) -> list[str]:
    cells = [name]
    for column in case.columns:
        values = [cost[column.key] * column.scale for cost in costs[name] if column.key in cost]
        cells.append(_number(median(values)) if values else "–")
    for ours in compared:
        ratio = Ratio(0, name, ours=ours, key=case.ratios)
        value = ratio.measured(costs) if name not in OURS else None
        cells.append("" if value is None else ratio.shown(value))
    return cells


def goals_section(cases: Sequence[Case], results: Results, figures: Sequence[Figure]) -> str:
    """Every goal, and what was measured."""
    rows = [
        [case.title, *_judged(goal, results.costs[case.name], results.failures[case.name])]
        for case in cases
        for goal in case.goals
    ]
    rows += [
        [figure.title, figure.what, figure.shown_goal, figure.value, _MET[figure.met]] for figure in figures
    ]
    return table(["", "of what", "at most", "measured", "met"], rows, left=2)


_MET = {True: "yes", False: "no", None: "–"}


def _judged(goal: Goal, costs: Costs, failures: Mapping[str, str]) -> list[str]:
    value = goal.measured(costs)
    if value is None:
        return [goal.what, f"≤ {goal.shown(goal.most)}", "not measured", "–"]
    return [goal.what, f"≤ {goal.shown(goal.most)}", goal.shown(value), _MET[value <= goal.most]]


def figure_section(figures: Sequence[Figure]) -> str:
    """The platform's figures as titled tables."""
    sections = []
    for title in dict.fromkeys(figure.title for figure in figures):
        rows = [[figure.what, figure.value, figure.shown_goal] for figure in figures if figure.title == title]
        sections.append(f"### {title}\n\n{table(['', 'measured', 'goal'], rows)}")
    return "\n\n".join(sections)


def sections(cases: Sequence[Case], results: Results, figures: Sequence[Figure]) -> str:
    """All tables."""
    parts = [case_section(case, results) for case in cases]
    return "\n\n".join([*parts, *([figure_section(figures)] if figures else [])])


def facts_section(
    machine: Mapping[str, str], versions: Mapping[str, Mapping[str, str]], notes: Mapping[str, str]
) -> str:
    """What the figures were measured with."""
    lines = [f"- {name}: {value}" for name, value in {**machine, **notes}.items()]
    for name, found in versions.items():
        own, *base = [f"{package} {version}" for package, version in found.items()]
        lines.append(f"- `{name}`: {own}{', on ' if base else ''}{', '.join(base)}")
    return "\n".join(["## Measured with", "", *lines])


def page(facts: str, goals: str, tables: str, *, work: int, tasks: int) -> str:
    """The whole of `docs/performance.md`."""
    intro = (
        "# Performance\n\n"
        f"Written by `make bench` on {date.today().isoformat()}; do not edit.\n\n"
        f"## Goals\n\nEvery goal, and what this run has measured.\n\n{goals}\n\n"
    )
    method = _METHOD.format(work=work, tasks=tasks)
    lower = "Lower is better everywhere but in a column of events per CPU second."
    return f"{intro}{_FLOORS}\n## Figures\n\n{lower}\n\n{tables}\n\n{facts}\n\n{method}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A Markdown table whose columns are aligned in the source too; the first ones to the left."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    marks = [
        ":" + "-" * (width - 1) if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)
    ]
    return "\n".join(_line(cells, widths, left) for cells in [header, marks, *rows])


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    padded = [
        cell.ljust(width) if at < left else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
