"""The `nexusai` command (extra `[cli]`)."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any


def main() -> None:
    """Run the command line."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.exit("The `nexusai` command is not installed here: pip install 'nexus-ai-sdk[cli]'")
    from nexusai.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        _make_writable(stream)
    app()


def _make_writable(stream: Any) -> None:
    """Where a stream's encoding has no Chinese, it gets UTF-8; nothing that is printed makes an error."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is None:
        return
    try:
        "中文".encode(stream.encoding)
    except UnicodeError:
        reconfigure(encoding="utf-8")
    reconfigure(errors="replace")
