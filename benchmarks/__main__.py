"""`python -m benchmarks`: prepare the contenders, measure, print, and write `docs/performance.md`."""

from __future__ import annotations

import argparse
import random
import sys
import time

from benchmarks import machine, report
from benchmarks.cases import CASES
from benchmarks.contenders import CONTENDERS, ROOT, Contender, NotInstalledError
from benchmarks.embedded import PLATFORM_CASES, TASKS, WORK_MS
from benchmarks.rounds import Results, measure

PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    arguments = _parser().parse_args()
    wanted = arguments.only or [*(case.name for case in CASES), *PLATFORM_CASES]
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    cases = [case for case in CASES if case.name in wanted]
    contenders = _prepared({name for case in cases for name in case.contenders})
    began, load = time.monotonic(), machine.load()
    results = measure(cases, contenders, arguments.rounds, random.Random(seed)) if cases else Results()
    figures = [figure for name, run in PLATFORM_CASES.items() if name in wanted for figure in run()]
    tables = report.sections(cases, results, figures)
    notes = {
        "Run": f"{arguments.rounds} round(s), seed {seed}, {(time.monotonic() - began) / 60:.0f} minutes",
        "Load of the machine": f"{load:.1f} before, {machine.load():.1f} after",
    }
    versions = {name: contender.versions() for name, contender in contenders.items()}
    facts = report.facts_section(machine.facts(), versions, notes)
    goals = report.goals_section(cases, results, figures)
    print(f"{tables}\n\n{facts}\n\n{goals}")
    if arguments.write and not arguments.only:
        PAGE.write_text(report.page(facts, goals, tables, work=WORK_MS, tasks=TASKS), encoding="utf-8")
        print(f"Written: {PAGE.relative_to(ROOT)}", file=sys.stderr)


def _prepared(wanted: set[str]) -> dict[str, Contender]:
    """Those of them that can be installed here."""
    ready = {}
    for name, contender in CONTENDERS.items():
        if name not in wanted:
            continue
        try:
            contender.prepare()
        except NotInstalledError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
        else:
            ready[name] = contender
    return ready


def _parser() -> argparse.ArgumentParser:
    names = [*(case.name for case in CASES), *PLATFORM_CASES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each case is run (5)")
    parser.add_argument("--seed", type=int, help="of the order in a round, to have the same again")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="CASE", help=f"only this: {', '.join(names)}"
    )
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave the page as it is")
    return parser


if __name__ == "__main__":
    main()
