"""`nexusai tasks`: work that the platform has accepted."""

from __future__ import annotations

from typing import Any, Optional

import typer

from nexusai.cli import running, showing
from nexusai.cli.words import say
from nexusai.error import TaskFailedError

app: typer.Typer = running.group("tasks", "Work that the platform has accepted.", "平台已接受的任务。")
_ID = typer.Argument(..., metavar="TASK_ID")
_COLUMNS: showing.Columns = {
    "task_id": lambda task: task.task_id,
    say("type", "类型"): lambda task: task.task_type,
    say("status", "状态"): lambda task: task.status,
    say("progress", "进度"): lambda task: "" if task.progress is None else f"{task.progress:.0f} %",
    say("created", "创建时间"): lambda task: task.created_at,
}


@running.command(app, "list", "列出任务，最新的在前。")
def list_tasks(
    status: Optional[str] = typer.Option(None, help="queued, running, completed, failed, cancelled"),
    task_type: Optional[str] = typer.Option(None, "--type", help="text_generation, image_generation …"),
    page: int = typer.Option(1, min=1),
    per_page: int = typer.Option(20, min=1, max=100),
    as_json: bool = showing.AS_JSON,
) -> None:
    """List tasks, the newest first."""
    with running.connect() as client:
        found = client.tasks.list(status=status, task_type=task_type, page=page, per_page=per_page)
    if as_json:
        showing.as_json(list(found))
    else:
        showing.table(found, _COLUMNS, say("There are no tasks.", "没有任务。"))


@running.command(app, "show", "显示任务。")
def show(task_id: str = _ID, as_json: bool = showing.AS_JSON) -> None:
    """Show a task as it stands, with its output."""
    with running.connect() as client:
        _print_task(client.tasks.get(task_id), as_json=as_json)


@running.command(app, "watch", "等待任务结束，并显示进度。")
def watch(
    task_id: str = _ID,
    timeout: Optional[float] = typer.Option(None, help=say("Seconds to wait.", "最长等待秒数。")),
    as_json: bool = showing.AS_JSON,
) -> None:
    """Wait until a task has ended, and show its progress."""
    with running.connect() as client:
        try:
            with showing.task_bar(task_id) as progress:
                task: Any = client.tasks.wait(task_id, timeout, on_progress=progress)
        except TaskFailedError as error:
            _print_task(error.task, as_json=as_json)
            raise typer.Exit(running.FAILURE) from None
    _print_task(task, as_json=as_json)


@running.command(app, "cancel", "取消任务。")
def cancel(task_id: str = _ID, as_json: bool = showing.AS_JSON) -> None:
    """Stop a task's work."""
    with running.connect() as client:
        _print_task(client.tasks.cancel(task_id), as_json=as_json)


def _print_task(task: Any, *, as_json: bool) -> None:
    if as_json:
        showing.as_json(task)
        return
    facts = {title: column(task) for title, column in _COLUMNS.items()}
    if task.error is not None:
        facts[say("error", "错误")] = f"{task.error.code}: {task.error.message}"
    showing.facts(facts)
    if task.output is not None:
        showing.as_json(task.output)
