"""The commands that the local platform lends to `nexusai`: `serve` and `models`.

They live in `nexus_server`, which may not be installed; then they say how to get it. What a platform
elsewhere offers can be listed without it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Optional, Tuple

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say

_NEEDED = ("nexus_server", "uvicorn", "fastapi", "dbos")
_SERVE = "启动本地平台。省略的设置取自 NEXUS_SERVER_… 环境变量，其次取自 config.toml。"
_LIST = "列出可用模型：平台在别处时，列出它所提供的；否则列出本机的，并标明哪些已安装。"
_COLUMNS: showing.Columns = {
    say("model", "模型"): lambda model: model.id,
    say("provider", "提供商"): lambda model: model.owned_by,
    say("what for", "用途"): lambda model: ", ".join(model.task_types),
    say("default for", "默认用于"): lambda model: ", ".join(model.default_for),
}
_ANY_ARGUMENTS = {"ignore_unknown_options": True, "allow_extra_args": True}


def mount(app: typer.Typer) -> None:
    """Add the platform's commands."""
    problem = missing()
    models = running.group(
        "models",
        "Models: what the platform offers; fetch and delete those that run on this machine.",
        "模型：列出平台提供的模型；下载、删除在本机运行的模型。",
    )
    if problem is None:
        from nexus_server import cli

        app.command("serve", help=say(cli.serve.__doc__ or "", _SERVE))(cli.serve)
        models.registered_commands.extend(cli.models_app.registered_commands)
    else:
        _add_absent(app, "serve", say("Start the local platform.", "启动本地平台。"), problem)
        _add_absent(models, "pull", say("Fetch models.", "下载模型。"), problem)
        _add_absent(models, "rm", say("Delete a model from this machine.", "从本机删除模型。"), problem)
    running.command(models, "list", _LIST)(list_models)  # in place of the platform's own
    app.add_typer(models)


def list_models(
    models_dir: Optional[Path] = typer.Option(
        None, help=say("Those kept there, on this machine.", "本机此目录中的模型。"), show_default=False
    ),
    as_json: bool = showing.AS_JSON,
) -> None:
    """List the models of this machine; where the platform is elsewhere, those that it offers."""
    problem = missing()
    if models_dir is None and (problem is not None or running.is_elsewhere()):
        _list_offered(as_json=as_json)
    elif problem is not None:
        running.fail(problem)
    else:
        from nexus_server import cli

        cli.list_models(models_dir=models_dir, as_json=as_json)


def _list_offered(*, as_json: bool) -> None:
    with running.connect() as client:
        found = client.models.list()
    if as_json:
        showing.as_json(list(found))
    else:
        showing.table(found, _COLUMNS, say("There are no models.", "没有模型。"))


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


def _add_absent(app: typer.Typer, name: str, purpose: str, problem: str) -> None:
    def command() -> None:
        running.fail(problem)

    app.command(name, help=purpose, context_settings=_ANY_ARGUMENTS)(command)
