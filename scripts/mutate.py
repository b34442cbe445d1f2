"""Change the code in small ways, one at a time, and see whether a test fails: the mutation score.

    python scripts/mutate.py                 every module, and write docs/mutation.md
    python scripts/mutate.py _retry config   these only, and show each change that no test noticed

What is changed, and by which tests it must be noticed, stands in pyproject.toml under `tool.mutmut`. A
module's score is the part of its changes that a test noticed, by failing or by not coming to its end. None is
left out as making no difference, though a few do not (`"utf-8"` in capitals): they count as not noticed.

A run over every module takes about an hour. The next one is shorter: it tries again what differs since, and
with other tests what was not noticed. `rm -r mutants` makes it forget all.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "mutation.md"
REACHED = ROOT / "mutants" / "mutmut-stats.json"
TESTS = ROOT / "mutants" / "tests.sha256"
"""By which tests all was tried."""
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
MODULES = [path.removesuffix(".py").replace("/", ".") for path in SETTINGS["only_mutate"]]
LEAST = 0.85
NOTICED = {"killed", "timeout", "suspicious", "segfault"}
MUTMUT = [sys.executable, "-m", "mutmut"]
Outcomes = dict[str, str]


def main() -> None:
    names = sys.argv[1:]
    wanted = [module for module in MODULES if not names or module.split(".")[-1] in names]
    if names:
        mutate(*[f"{module}.x*" for module in wanted])
    else:
        mutate_all()
    outcomes = {name: outcome for name, outcome in results() if name.split(".x")[0] in wanted}
    if "not checked" in outcomes.values():
        sys.exit("It was stopped before its end: the next run goes on from there.")
    if names:
        show_unnoticed(outcomes)
    else:
        REPORT.write_text(page(outcomes), encoding="utf-8")
    print("\n".join(row(module, outcomes) for module in wanted))
    if poor := [module for module in wanted if score(of(module, outcomes)) < LEAST]:
        sys.exit(f"Below {LEAST:.0%}: {', '.join(poor)}")


def mutate(*names: str) -> None:
    """Try these changes; without names, those that have not been tried yet."""
    subprocess.run([*MUTMUT, "run", *names], cwd=ROOT, check=True)


def mutate_all() -> None:
    REACHED.unlink(missing_ok=True)  # else mutmut takes new functions for ones that no test reaches
    tests = [path for part in ("", "unit", "faults") for path in sorted((ROOT / "tests" / part).glob("*.py"))]
    now = hashlib.sha256(b"".join(path.read_bytes() for path in tests)).hexdigest()
    unnoticed = [name for name, outcome in results() if outcome not in NOTICED]
    if unnoticed and (not TESTS.exists() or TESTS.read_text() != now):
        mutate(*unnoticed)
    mutate()
    TESTS.write_text(now)


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def results() -> list[tuple[str, str]]:
    """What became of each change, by its name."""
    return re.findall(r"^\s*(\S+): (.+?)\s*$", run(*MUTMUT, "results", "--all", "true"), re.MULTILINE)


def show_unnoticed(outcomes: Outcomes) -> None:
    for name, outcome in outcomes.items():
        if outcome not in NOTICED:
            print(name, outcome, run(*MUTMUT, "show", name), sep="\n")


def of(module: str, outcomes: Outcomes) -> Counter[bool]:
    return Counter(outcome in NOTICED for name, outcome in outcomes.items() if name.startswith(f"{module}.x"))


def score(counts: Counter[bool]) -> float:
    return counts[True] / max(1, counts.total())


def row(module: str, outcomes: Outcomes) -> str:
    return line(f"`{module}`", of(module, outcomes))


def line(what: str, counts: Counter[bool]) -> str:
    return f"| {what} | {counts.total()} | {counts[True]} | {score(counts):.1%} |"


def page(outcomes: Outcomes) -> str:
    changed = run("git", "status", "--porcelain", "nexusai", "tests", "pyproject.toml")
    return PAGE.format(
        table="\n".join(row(module, outcomes) for module in MODULES),
        total=line("all", Counter(outcome in NOTICED for outcome in outcomes.values())),
        commit=run("git", "rev-parse", "--short", "HEAD").strip() + (", with changes" if changed else ""),
        python=platform.python_version(),
        mutmut=version("mutmut"),
        least=f"{LEAST:.0%}",
    )


PAGE = """# Mutation score

Written by `make mutate` at commit {commit}, with mutmut {mutmut} on Python {python}. The code is
changed in small ways, one at a time (a comparison, a number, a text, an argument, a branch), and the unit and
fault tests that reach the change must fail. Each module is to have {least}.

| module | changes | noticed | score |
|---|---|---|---|
{table}
{total}

To see the changes of a module that no test noticed: `python scripts/mutate.py _retry`. Most of them make no
difference that anybody could see:

- another spelling of the same: `"UTF-8"` for `"utf-8"`, a header's name in capitals, `None` for `False`;
- a text in place of none that is no date or name either: `value or "XXXX"`;
- a longer way to the same: lines that are split by a regular expression though all end in `\\n`;
- a bound moved by one that only a stopped clock could tell: a pause that ends exactly at its deadline.

The others are mostly in what these tests leave out: `_fast_engine` and the half of `transport_to` that only
`transport="fast"` comes to. It has the same fault tests, which would make this run twice as long.
"""


if __name__ == "__main__":
    main()
