"""What `nexusai` can do."""

from __future__ import annotations

from typing import Optional

import typer

from nexusai.__version__ import __version__
from nexusai.cli import doctor, files, kb, media, platform, sessions, tasks, texts
from nexusai.cli.demo import demo
from nexusai.cli.words import say
from nexusai.config import config

_NEXT = say(
    "Begin: nexusai demo (a tour), nexusai serve (the local platform), nexusai chat, nexusai doctor (what is "
    "wrong). In Python: import nexusai",
    "开始：nexusai demo（演示）、nexusai serve（本地平台）、nexusai chat（对话）、nexusai doctor（诊断）。"
    "Python：import nexusai",
)

app: typer.Typer = typer.Typer(
    name="nexusai",
    help=say("Nexus AI on the command line.", "Nexus AI 命令行工具。"),
    epilog=_NEXT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nexusai {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    base_url: Optional[str] = typer.Option(
        None,
        help=say(
            "The platform's address; NEXUS_BASE_URL if left out.", "平台地址；省略时取 NEXUS_BASE_URL。"
        ),
    ),
    timeout: Optional[float] = typer.Option(
        None, help=say("Seconds that one answer may take.", "单次响应的最长秒数。")
    ),
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help=say("Show the version.", "显示版本。")
    ),
) -> None:
    """Nexus AI on the command line."""
    try:
        if base_url is not None:
            config.base_url = base_url
        if timeout is not None:
            config.timeout = timeout
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


texts.mount(app)
media.mount(app)
app.add_typer(files.app)
app.add_typer(kb.app)
app.add_typer(sessions.app)
app.add_typer(tasks.app)
platform.mount(app)
doctor.mount(app)
app.command(
    "demo",
    help=say(demo.__doc__ or "", "快速演示：以各种方式生成文本、向文档提问、作画、朗读，中英文皆有。"),
)(demo)
