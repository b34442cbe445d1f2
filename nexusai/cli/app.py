"""What `nexusai` can do."""

from __future__ import annotations

import typer

from nexusai.__version__ import __version__
from nexusai.cli import platform
from nexusai.cli.demo import demo

app: typer.Typer = typer.Typer(
    name="nexusai",
    help="Nexus AI on the command line.",
    epilog="Begin with `nexusai demo`, or `nexusai serve` and the Python SDK: import nexusai",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nexusai {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show it."),
) -> None:
    """Nexus AI on the command line."""


app.command("demo")(demo)
platform.mount(app)
