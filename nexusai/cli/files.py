"""`nexusai files`."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say

app: typer.Typer = running.group("files", "Files on the platform.", "平台上的文件。")
_ID = typer.Argument(..., metavar="FILE_ID")
_COLUMNS: showing.Columns = {
    "file_id": lambda file: file.file_id,
    say("name", "名称"): lambda file: file.filename,
    say("size", "大小"): lambda file: showing.size(file.size),
    say("type", "类型"): lambda file: file.content_type,
    say("created", "创建时间"): lambda file: file.created_at,
}


@running.command(app, "upload", "上传文件。")
def upload(
    paths: List[Path] = typer.Argument(..., exists=True, dir_okay=False), as_json: bool = showing.AS_JSON
) -> None:
    """Upload files."""
    uploaded = []
    with running.connect() as client:
        for path in paths:
            with showing.bytes_bar(path.name) as show:
                uploaded.append(client.files.upload(path, on_progress=show))
            if not as_json:
                showing.line(uploaded[-1].file_id)
    if as_json:
        showing.as_json(uploaded)


@running.command(app, "list", "列出文件，最新的在前。")
def list_files(
    page: int = typer.Option(1, min=1),
    per_page: int = typer.Option(20, min=1, max=100),
    as_json: bool = showing.AS_JSON,
) -> None:
    """List files, the newest first."""
    with running.connect() as client:
        found = client.files.list(page, per_page)
    if as_json:
        showing.as_json(list(found))
    else:
        showing.table(found, _COLUMNS, say("There are no files.", "没有文件。"))


@running.command(app, "show", "显示文件信息。")
def show(file_id: str = _ID, as_json: bool = showing.AS_JSON) -> None:
    """Tell what is known of a file."""
    with running.connect() as client:
        file = client.files.get(file_id)
    if as_json:
        showing.as_json(file)
    else:
        showing.facts({title: column(file) for title, column in _COLUMNS.items()})


@running.command(app, "download", "下载文件。")
def download(file_id: str = _ID, output: Optional[Path] = showing.OUTPUT_OR_FOLDER) -> None:
    """Download a file, into this directory if no other place is given."""
    with running.connect() as client, showing.bytes_bar(file_id) as moved:
        path = client.files.download(file_id, output or Path(), on_progress=moved)
    showing.line(str(path))


@running.command(app, "delete", "删除文件。")
def delete(file_ids: List[str] = typer.Argument(..., metavar="FILE_ID...")) -> None:
    """Delete files."""
    with running.connect() as client:
        for file_id in file_ids:
            client.files.delete(file_id)
            showing.err.print(say(f"Deleted: {file_id}", f"已删除：{file_id}"))
