"""The `nexusai` command (extra `[cli]`)."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.exit("The `nexusai` command is not installed here: pip install 'nexus-ai-sdk[cli]'")
    from nexusai.cli.app import app

    app()
