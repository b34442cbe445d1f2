"""Write the parts of the docs that are facts of the code.

python scripts/generate_docs.py          the table of the platform's settings
python scripts/generate_docs.py --check  write nothing; fail if it is not current
python scripts/generate_docs.py --demo   also run the demo, and put what it prints into the READMEs
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from nexus_server.settings import ServerSettings

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"settings": ["docs/local_platform.md"], "demo": ["README.md", "README.zh-CN.md"]}


def main() -> None:
    parts = {"settings": settings_table()}
    if "--demo" in sys.argv[1:]:
        parts["demo"] = demo_output()
    stale = [place for name, text in parts.items() for place in PLACES[name] if put(place, name, text)]
    if stale:
        sys.exit(f"Not current: {', '.join(stale)}. Run: python scripts/generate_docs.py")


def put(place: str, name: str, text: str) -> bool:
    """Put `text` between the marks of that name; with --check, say whether it would change anything."""
    path = ROOT / place
    page = path.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    new = marked.sub(lambda marks: f"{marks[1]}{text}{marks[2]}", page)
    if "--check" in sys.argv[1:]:
        return new != page
    path.write_text(new, encoding="utf-8")
    return False


def settings_table() -> str:
    rows = ["| setting | default | |", "| --- | --- | --- |"]
    for name, field in ServerSettings.model_fields.items():
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{name}` | {default(name, field)} | {meaning} |")
    return "\n" + "\n".join(rows) + "\n\n"


def default(name: str, field: Any) -> str:
    """As a reader on any machine would have it."""
    if name in ("data_dir", "models_dir"):
        return "the user's data directory" if name == "data_dir" else "the user's cache"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value == [] else f"`{str(value).lower()}`"


def demo_output() -> str:
    command = [sys.executable, "-m", "nexusai", "demo"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "100"},
        cwd=ROOT,
    )
    shown = done.stdout.replace(str(Path.home()), "~").strip()
    return f"\n```text\n{shown}\n```\n\n"


if __name__ == "__main__":
    main()
