"""The commands that the local platform lends to `nexusai`: `serve` and `models`.

They live in `nexus_server`, which may not be installed; then they say how to get it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Callable, Optional

import typer

_NEEDED = ("nexus_server", "uvicorn", "fastapi", "dbos")
_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}


def mount(app: typer.Typer) -> None:
    """Add the platform's commands."""
    problem = missing()
    if problem is None:
        from nexus_server import cli

        app.command("serve")(cli.serve)
        app.add_typer(cli.models_app)
        return
    for name, purpose in (("serve", "Start the local platform."), ("models", "Models on this machine.")):
        app.command(name, help=purpose, context_settings=_ANY_ARGUMENTS)(_absent(problem))


def missing() -> Optional[str]:
    """Why the platform cannot run here; None if it can."""
    if sys.version_info < (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        return f"The local platform needs Python 3.11 or newer, and this is {version}."
    if any(find_spec(name) is None for name in _NEEDED):
        return "The local platform is not installed here: pip install 'nexus-ai-sdk[local]'"
    return None


def pull_recommended() -> None:
    """Fetch the model that the platform recommends, with a progress bar, unless it is there."""
    from nexus_server import cli

    cli.pull()


def _absent(problem: str) -> Callable[[], None]:
    def command() -> None:
        typer.echo(problem, err=True)
        raise typer.Exit(2)

    return command
