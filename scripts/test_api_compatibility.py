"""Compare the public names with those of the last release: who used them must still be able to.

python scripts/test_api_compatibility.py [--version 0.2.0]

Fails where a name is gone or a signature no longer takes what it took, unless the version says so: a new
major version may, and while the first number is 0, a new minor one. Without a release there is nothing to
compare.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import griffe
from build_site import API

PACKAGE = "nexusai"
# The command is used as a command; private names are told by their underscore.
NOT_PUBLIC = re.compile(r"^nexusai\.cli\b|\._")
HARMLESS = {griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE}  # numbers may be tuned


def main() -> None:
    os.chdir(Path(__file__).resolve().parents[1])
    parser = argparse.ArgumentParser(description="Compare the public names with those of the last release.")
    parser.add_argument("--version", help="the version to be released (what nexusai/__version__.py says)")
    version = parser.parse_args().version or current_version()
    tag = last_release()
    if tag is None:
        print("There is no release yet: nothing to compare with.")
        return
    problems = list(differences(tag))
    for problem in problems:
        print(problem)
    if not problems:
        print(f"What {tag} had is still there.")
    elif may_break(tag[1:], version):
        print(f"{len(problems)} change(s) since {tag} break what was there; {version} may.")
    else:
        sys.exit(f"{len(problems)} change(s) since {tag} that {version} may not make: docs/versioning.md.")


def last_release() -> str | None:
    """The greatest version that is tagged; not this commit's own, when it has just been tagged."""
    tags = set(git("tag", "--list", "v*").split()) - set(git("tag", "--points-at", "HEAD").split())
    tags = {tag for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)}
    return max(tags, key=lambda tag: numbers(tag[1:]), default=None)


def differences(tag: str) -> list[str]:
    old = griffe.load_git(PACKAGE, ref=tag, repo=".", resolve_aliases=True)
    new = griffe.load(PACKAGE, search_paths=["."], resolve_aliases=True)
    found = [each for each in griffe.find_breaking_changes(old, new) if not NOT_PUBLIC.search(each.obj.path)]
    for place in public_in_private_places():
        found += griffe.find_breaking_changes(old[place], new[place])
    return sorted({f"{each.obj.path}: {explain(each)}" for each in found if each.kind not in HARMLESS})


def public_in_private_places() -> list[str]:
    """What the API reference shows of private modules, where griffe by itself looks at nothing."""
    return [name for _, names in API.values() for name in names if NOT_PUBLIC.search(f"{PACKAGE}.{name}")]


def explain(breakage: griffe.Breakage) -> str:
    told = f"{breakage.kind.value}"
    if breakage.old_value is not None and breakage.kind is not griffe.BreakageKind.OBJECT_REMOVED:
        told += f": {shown(breakage.old_value)} → {shown(breakage.new_value)}"
    return told


def shown(value: object) -> str:
    return "nothing" if value is None else str(getattr(value, "name", value))


def may_break(old: str, new: str) -> bool:
    """Whether the step between these versions announces that something breaks."""
    significant = 1 if numbers(old)[0] else 2
    return numbers(new)[:significant] > numbers(old)[:significant]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def current_version() -> str:
    return str(
        re.findall(r'^__version__ = "(.+)"$', Path(PACKAGE, "__version__.py").read_text(), re.MULTILINE)[0]
    )


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
