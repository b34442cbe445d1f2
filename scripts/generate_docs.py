"""Write the parts of the docs that are facts of the code.

python scripts/generate_docs.py          the tables of settings and of bad input, the public names
python scripts/generate_docs.py --check  write nothing; fail if it is not current
python scripts/generate_docs.py --demo   also run the demo, and put what it prints into the READMEs
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from nexus_server.settings import ServerSettings

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "settings": ["docs/local_platform.md", "docs/local_platform.zh-CN.md"],
    "names": ["docs/api_reference.md"],
    "bad_input": ["docs/bad_input.md"],
    "demo": ["README.md", "README.zh-CN.md"],
}

INNER = {"model_post_init", "of"}  # of a session: pydantic's, and ours


def main() -> None:
    parts = {"settings": settings_table(), "names": public_names(), "bad_input": bad_input()}
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


def bad_input() -> str:
    """What is refused: the rows that the tests ask for."""
    sys.path.insert(0, str(ROOT / "tests"))
    from server.bad_input import ROWS

    rows = [f"| `{row.call}` | {row.what} | {row.status} {row.code} |" for row in ROWS]
    return "\n".join(["", "| call | what is wrong | answer |", "| --- | --- | --- |", *rows, "", ""])


def public_names() -> str:
    """Every public name of the SDK, with the first line of what it says of itself."""
    from nexusai import cache, error, models, testing, types, webhooks
    from nexusai.client import NexusAIClient
    from nexusai.resources import knowledge_bases, sessions

    lines = ["", "### The client", "", *of_class("client", NexusAIClient)]
    with NexusAIClient("nxs_none") as client:
        for name in sorted(vars(NexusAIClient)):
            if isinstance(vars(NexusAIClient)[name], cached_property):
                lines += [
                    "",
                    f"### client.{name}",
                    "",
                    *of_class(f"client.{name}", type(getattr(client, name))),
                ]
    lines += ["", "### A session", "", *of_class("session", sessions.Session)]
    lines += [
        "",
        "### A streamed answer of `ask_stream`",
        "",
        *of_class("stream", knowledge_bases.AnswerStream),
    ]
    lines += ["", "### A cache", "", *of_class("cache", cache.Cache)]
    for name, stage in (("platform", testing.Platform), ("recording", testing.Recording)):
        lines += ["", f"### A {name} of nexusai.testing", "", *of_class(name, stage)]
    for module in (models, types, error, webhooks):
        lines += ["", f"### {module.__name__}", "", *of_module(module)]
    return "\n".join(lines) + "\n\n"


def of_class(prefix: str, owner: type) -> list[str]:
    """Its public methods."""
    names = [
        name
        for base in reversed(owner.__mro__)
        if base.__module__.startswith("nexusai")
        for name in vars(base)
    ]
    lines = []
    for name in dict.fromkeys(names):
        method = inspect.getattr_static(owner, name)
        method = method.__func__ if isinstance(method, classmethod) else method
        if not name.startswith("_") and name not in INNER and inspect.isfunction(method):
            parameters = [
                each for each in inspect.signature(method).parameters if each not in ("self", "cls")
            ]
            lines.append(f"- `{prefix}.{name}({', '.join(parameters)})`: {first_line(method)}")
    return lines


def of_module(module: Any) -> list[str]:
    """Its public classes and functions, and their fields where they are models."""
    lines = []
    for name in sorted(vars(module)):
        thing = getattr(module, name)
        if name.startswith("_") or getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            fields = ", ".join(f"`{field}`" for field in getattr(thing, "model_fields", {}))
            lines.append(f"- `{name}`: {first_line(thing)}" + (f" {fields}" if fields else ""))
    return lines


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


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
