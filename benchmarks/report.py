"""Figures → tables, for the terminal and for `docs/performance.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

from benchmarks.cases import Case
from benchmarks.embedded import Figure
from benchmarks.rounds import Cost, Results

_OURS = "nexusai"
_METHOD = """\
## Method

Every round runs every case in random order, and in each case every contender in random order, each
in a fresh process of its own environment with nothing but the package and its default dependencies.
The client is pinned to one core, the server to another. CPU is user and system time of the whole
client process with all its threads. The server answers prebuilt bytes over loopback in each API's
own shape, and every answer is checked.

`median` and `min` are of the rounds. `nexusai / it` is the median of the ratios of the rounds: both
sides of each ratio were measured close together, so it moves less than the figures themselves, which
also depend on what else the machine does. `goal` is the highest ratio that we accept.

Streams are sent as fast as the socket takes them, each event (or 64) in an HTTP chunk and a write of
its own; each contender reads its own API's event shape, which is larger for `openai` and `anthropic`
than for the others. `keystone-ai` has no async client. The platform's figures come from a server on
a fresh data directory (SQLite) and the SDK's `tasks.wait`, while its upstream works {work} ms on each of
{tasks} tasks.
"""


def case_section(case: Case, costs: Mapping[str, Sequence[Cost]]) -> str:
    """A case as a titled table."""
    header = ["", f"CPU, {case.unit}: median", "min", f"wall, {case.unit}: median"]
    header += [case.rate] if case.rate else []
    header += [f"{_OURS} / it", "goal"]
    rows = [_row(case, name, costs) for name in case.contenders]
    return f"### {case.title}\n\n{table(header, rows)}"


def _row(case: Case, name: str, costs: Mapping[str, Sequence[Cost]]) -> list[str]:
    cpu = [cost.cpu for cost in costs[name]]
    wall = [cost.wall for cost in costs[name]]
    cells = [name, *(_number(value * case.scale) for value in (median(cpu), min(cpu), median(wall)))]
    cells += [f"{1 / median(cpu):,.0f}"] if case.rate else []
    ratios = [ours.cpu / theirs.cpu for ours, theirs in zip(costs[_OURS], costs[name], strict=True)]
    goal = case.goals.get(name)
    cells += ["" if name == _OURS else f"{median(ratios):.3f}", f"≤ {goal:g}" if goal else ""]
    return cells


def figure_section(figures: Sequence[Figure]) -> str:
    """The platform's figures as a titled table."""
    rows = [[figure.what, figure.value, f"≤ {figure.goal}"] for figure in figures]
    return f"### The platform on this machine\n\n{table(['', 'measured', 'goal'], rows)}"


def sections(cases: Sequence[Case], results: Results, figures: Sequence[Figure]) -> str:
    """All tables."""
    parts = [case_section(case, results[case.name]) for case in cases]
    return "\n\n".join([*parts, *([figure_section(figures)] if figures else [])])


def facts_section(
    machine: Mapping[str, str], versions: Mapping[str, Mapping[str, str]], notes: Mapping[str, str]
) -> str:
    """What the figures were measured with."""
    lines = [f"- {name}: {value}" for name, value in {**machine, **notes}.items()]
    for name, found in versions.items():
        own, *base = [f"{package} {version}" for package, version in found.items()]
        lines.append(f"- `{name}`: {own}, on {', '.join(base)}")
    return "\n".join(["## Measured with", "", *lines])


def page(facts: str, tables: str, *, work: int, tasks: int) -> str:
    """The whole of `docs/performance.md`."""
    intro = (
        "# Performance\n\n"
        f"Written by `make bench` on {date.today().isoformat()}; do not edit.\n\n"
        "Lower is better everywhere but in a column of events per CPU second.\n\n"
    )
    method = _METHOD.format(work=work, tasks=tasks)
    return f"{intro}## Figures\n\n{tables}\n\n{facts}\n\n{method}"


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
