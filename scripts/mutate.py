"""Change the code in small ways, one at a time, and see whether a test fails: the mutation score.

    python scripts/mutate.py                 every module, and write docs/mutation.md
    python scripts/mutate.py _retry config   these only, and show each change that no test noticed

What is changed, and by which tests it must be noticed, stands in pyproject.toml under `tool.mutmut`. A
module's score is the part of its changes that a test noticed, by failing or by not coming to its end. None is
left out as making no difference, though a few do not (`"utf-8"` in capitals): they count as not noticed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "mutation.md"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
MODULES = [path.removesuffix(".py").replace("/", ".") for path in SETTINGS["only_mutate"]]
LEAST = 0.85
NOTICED = {"killed", "timeout", "suspicious", "segfault"}


def main() -> None:
    wanted = [module for module in MODULES if not sys.argv[1:] or module.split(".")[-1] in sys.argv[1:]]
    subprocess.run([*MUTMUT, "run", *[f"{module}.x*" for module in wanted]], cwd=ROOT, check=True)
    outcomes = {name: outcome for name, outcome in results() if name.split(".x")[0] in wanted}
    table = "\n".join(row(module, outcomes) for module in wanted)
    if sys.argv[1:]:
        for name, outcome in outcomes.items():
            if outcome not in NOTICED:
                print(name, outcome, mutmut("show", name), sep="\n")
    else:
        REPORT.write_text(PAGE.format(table=table), encoding="utf-8")
    print(table)
    if poor := [module for module in wanted if score(module, outcomes) < LEAST]:
        sys.exit(f"Below {LEAST:.0%}: {', '.join(poor)}")


MUTMUT = [sys.executable, "-m", "mutmut"]


def mutmut(*arguments: str) -> str:
    return subprocess.run([*MUTMUT, *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def results() -> list[tuple[str, str]]:
    """What became of each change, by its name."""
    return re.findall(r"^\s*(\S+): (.+?)\s*$", mutmut("results", "--all", "true"), re.MULTILINE)


def of(module: str, outcomes: dict[str, str]) -> Counter[bool]:
    return Counter(outcome in NOTICED for name, outcome in outcomes.items() if name.startswith(f"{module}.x"))


def score(module: str, outcomes: dict[str, str]) -> float:
    counts = of(module, outcomes)
    return counts[True] / max(1, counts.total())


def row(module: str, outcomes: dict[str, str]) -> str:
    counts = of(module, outcomes)
    return f"| `{module}` | {counts.total()} | {counts[True]} | {score(module, outcomes):.1%} |"


PAGE = """# Mutation score

Written by `make mutate`: the code is changed in small ways, one at a time (a comparison, a number, a text, an
argument, a branch), and the unit and fault tests that reach the change must fail. Changes that make no
difference are not left out.

| module | changes | noticed | score |
|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    main()
