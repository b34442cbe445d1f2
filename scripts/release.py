"""Make a release: write the version, date the changelog, commit, tag. Nothing is pushed.

python scripts/release.py 0.2.0 [--dry-run]

Where anything is not as it must be, this says what, and changes nothing.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

CHANGELOG, VERSION = Path("CHANGELOG.md"), Path("nexusai/__version__.py")
PAGES = (Path("README.md"), Path("README.zh-CN.md"))
UNRELEASED = "## Unreleased"
BRANCH = "main"

Version = tuple[int, int, int]


def main() -> None:
    os.chdir(Path(__file__).resolve().parents[1])
    arguments = read_arguments()
    wanted = arguments.version
    try:
        parsed = parse(wanted)
        check_git()
        check_version(parsed)
        news = notes()
        files = changed_files(wanted)
    except ValueError as error:
        sys.exit(f"{error} Nothing was changed.")
    if arguments.dry_run:
        print(f"Would write {', '.join(map(str, files))}, commit, and tag v{wanted}:\n\n{news}")
        return
    release(wanted, files, news)
    print(f"Tagged v{wanted}. Publish it: git push --atomic origin {BRANCH} v{wanted}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a release: version, changelog, commit, tag.")
    parser.add_argument("version", help="the new version, such as 0.2.0")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    return parser.parse_args()


def parse(text: str) -> Version:
    found = re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", text)
    if found is None:
        raise ValueError(f"{text!r} is no version: expected three numbers, such as 0.2.0.")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def check_git() -> None:
    branch = git("branch", "--show-current")
    if branch != BRANCH:
        raise ValueError(f"This is branch {branch!r}: releases are made on {BRANCH}.")
    dirty = git("status", "--porcelain")
    if dirty:
        raise ValueError(f"Commit or remove first:\n{dirty}\n")


def check_version(wanted: Version) -> None:
    """It must be greater than the last one; the first release may have the version that stands there."""
    tags = [tag[1:] for tag in git("tag", "--list", "v*").split()]
    released = [parse(tag) for tag in tags if re.fullmatch(r"\d+\.\d+\.\d+", tag)]
    current = parse(current_version())
    if released and wanted <= max(released):
        raise ValueError(f"{dotted(wanted)} is not greater than {dotted(max(released))}, the last release.")
    if wanted < current:
        raise ValueError(f"{dotted(wanted)} is less than {dotted(current)}, which stands in {VERSION}.")


def notes() -> str:
    """What the changelog says is new."""
    text = CHANGELOG.read_text(encoding="utf-8")
    if text.count(f"\n{UNRELEASED}\n") != 1:
        raise ValueError(f"{CHANGELOG} has no section {UNRELEASED!r}, or several.")
    after = text.partition(f"\n{UNRELEASED}\n")[2]
    section = re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not re.search(r"^- ", section, re.MULTILINE):
        raise ValueError(f"{CHANGELOG} has nothing under {UNRELEASED!r}: write down what is new.")
    return section


def changed_files(version: str) -> dict[Path, str]:
    """What each file will hold."""
    old = current_version()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    heading = f"{UNRELEASED}\n\n## {version} ({today})"
    files = {CHANGELOG: CHANGELOG.read_text(encoding="utf-8").replace(UNRELEASED, heading, 1)}
    for path in (VERSION, *PAGES):
        text = path.read_text(encoding="utf-8")
        files[path] = re.sub(rf"((?:version|版本)[ =_：\"]*){re.escape(old)}\b", rf"\g<1>{version}", text)
    if f'"{version}"' not in files[VERSION]:
        raise ValueError(f"{VERSION} does not hold the version {old} as a string.")
    return {path: text for path, text in files.items() if text != path.read_text(encoding="utf-8")}


def current_version() -> str:
    found = re.search(r'^__version__ = "(.+)"$', VERSION.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{VERSION} holds no version.")
    return found[1]


def release(version: str, files: dict[Path, str], news: str) -> None:
    before = {path: path.read_text(encoding="utf-8") for path in files}
    head = git("rev-parse", "HEAD")
    try:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        git("commit", "--quiet", "--message", f"Version {version}", "--", *map(str, files))
        git("tag", "--annotate", f"v{version}", "--cleanup=verbatim", "--message", f"{version}\n\n{news}")
    except ValueError as error:
        git("reset", "--quiet", "--soft", head)
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
        git("reset", "--quiet")
        sys.exit(f"{error} Everything is as it was.")


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ValueError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}.")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
