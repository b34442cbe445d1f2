"""The commands that the local platform lends to `nexusai`: `serve` and `models`.

They live in `nexus_server`, which may not be installed; then they say how to get it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Optional, Tuple

import typer

from nexusai.cli.words import say

_NEEDED = ("nexus_server", "uvicorn", "fastapi", "dbos")
_SERVE = "启动本地平台。省略的设置取自 NEXUS_SERVER_… 环境变量，其次取自 config.toml。"
_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}


def mount(app: typer.Typer) -> None:
    """Add the platform's commands."""
    problem = missing()
    if problem is None:
        from nexus_server import cli

        app.command("serve", help=say(cli.serve.__doc__ or "", _SERVE))(cli.serve)
        app.add_typer(cli.models_app)
        return
    purposes = {
        "serve": say("Start the local platform.", "启动本地平台。"),
        "models": say("Models on this machine.", "在本机运行的模型。"),
    }
    for name, purpose in purposes.items():
        app.command(name, help=purpose, context_settings=_ANY_ARGUMENTS)(_absent(problem))


def missing() -> Optional[str]:
    """Why the platform cannot run here; None if it can."""
    if sys.version_info < (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        return say(
            f"The local platform needs Python 3.11 or newer, and this is {version}.",
            f"本地平台需要 Python 3.11 或更新版本，当前为 {version}。",
        )
    if any(find_spec(name) is None for name in _NEEDED):
        return say(
            "The local platform is not installed here: pip install 'nexus-ai-sdk[local]'",
            "此环境未安装本地平台：pip install 'nexus-ai-sdk[local]'",
        )
    return None


def directories() -> Tuple[Path, Path]:
    """Where the platform that is installed here keeps its data, and where its models.

    Raises:
        ValueError: its settings cannot be used.
    """
    from nexus_server import cli

    settings = cli.read_settings()
    return settings.data_dir, settings.models_dir


def pull_recommended() -> None:
    """Fetch the model that the platform recommends, with a progress bar, unless it is there."""
    from nexus_server import cli

    cli.pull()


def _absent(problem: str) -> Callable[[], None]:
    def command() -> None:
        typer.echo(problem, err=True)
        raise typer.Exit(2)

    return command
