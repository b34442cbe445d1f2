"""Write the sync twins: `nexusai/aio/X.py` becomes `nexusai/X.py`, `tests/aio/X.py` `tests/X.py`,
and `examples/X_async.py` `examples/X_sync.py`.

    python scripts/unasync.py          write them
    python scripts/unasync.py --check  write nothing; fail if one is not current, if a generated
                                       file has lost its source, or if a rule matches nothing

Async is the source because erasing is simple: every rule below removes words, none adds any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from ruff.__main__ import find_ruff_bin

ROOT = Path(__file__).resolve().parents[1]
TREES = {ROOT / "nexusai" / "aio": ROOT / "nexusai", ROOT / "tests" / "aio": ROOT / "tests"}
EXAMPLES = ROOT / "examples"
BY_HAND = {ROOT / "nexusai" / "aio" / "__init__.py"}
MARK = "# Generated from {source} by scripts/unasync.py: edit that file."
RULES = {
    r"\nimport asyncio\n(?=[\s\S]*\basyncio\.run\(main)": "",
    r"\basyncio\.run\((main\(\))\)": r"\1",
    r"_async(?=\.py`)": "_sync",
    r"\bnexusai\.aio\b": "nexusai",
    r"\bAsync(?=[A-Z])": "",
    r"\basync_(?=[a-z])": "",
    r"\basync (?=def |with |for )": "",
    r"\bawait ": "",
    r"\b__a(?=enter__|exit__|iter__|next__)": "__",
    r"\baclose\b": "close",
    r"\bhandle_async_request\b": "handle_request",
    r"\baiter_bytes\b": "iter_bytes",
    r"\n+pytestmark = pytest\.mark\.anyio": "",
}


def main() -> None:
    check = "--check" in sys.argv[1:]
    used: set[str] = set()
    wanted = {target: generate(source, used) for source, target in pairs()}
    problems = [f"this rule matches nothing: {rule}" for rule in RULES if rule not in used]
    problems += [f"no source for {shown(path)}" for path in generated() if path not in wanted]
    for target, code in wanted.items():
        current = target.exists() and target.read_text(encoding="utf-8") == code
        if current:
            continue
        if check:
            problems.append(f"not current: {shown(target)}")
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(code, encoding="utf-8")
    if problems:
        sys.exit("\n".join([*problems, "Run: python scripts/unasync.py"]))


def pairs() -> Iterator[tuple[Path, Path]]:
    for tree, out in TREES.items():
        for source in sorted(tree.rglob("*.py")):
            if source not in BY_HAND and source.read_text(encoding="utf-8").strip():
                yield source, out / source.relative_to(tree)
    for source in sorted(EXAMPLES.glob("*_async.py")):
        yield source, source.with_name(source.name.replace("_async", "_sync"))


def generated() -> list[Path]:
    """Files that say that they are generated."""
    mark = MARK.split("{", 1)[0]
    files = [path for out in (*TREES.values(), EXAMPLES) for path in sorted(out.rglob("*.py"))]
    return [path for path in files if path.read_text(encoding="utf-8").startswith(mark)]


def generate(source: Path, used: set[str]) -> str:
    code = source.read_text(encoding="utf-8")
    for pattern, replacement in RULES.items():
        code, count = re.subn(pattern, replacement, code)
        if count:
            used.add(pattern)
    code = f"{MARK.format(source=shown(source))}\n\n{code}"
    for arguments in (["check", "--select=I", "--fix"], ["format"]):
        code = ruff(arguments, code, source)
    return code


def ruff(arguments: list[str], code: str, source: Path) -> str:
    command = [find_ruff_bin(), *arguments, "--quiet", "--stdin-filename", str(source), "-"]
    done = subprocess.run(command, input=code, capture_output=True, check=False, encoding="utf-8", cwd=ROOT)
    if done.returncode:
        sys.exit(f"ruff cannot format what {shown(source)} becomes:\n{done.stderr}")
    return done.stdout


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    main()
