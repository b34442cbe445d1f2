"""Queries on tasks. A status changes only here, and every change leaves its line of history."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.clock import now_ms
from nexus_server.store.tables import OPEN_STATUSES, task_history, tasks


@dataclass(frozen=True)
class TaskRecord:
    """A row of `tasks`."""

    id: str
    api_key_id: str
    task_type: str
    status: str
    streamed: bool
    provider: str
    model: str
    input: dict[str, Any]
    config: dict[str, Any]
    created_at: int
    webhook_url: str | None = None
    progress: int | None = None
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    started_at: int | None = None
    finished_at: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status not in OPEN_STATUSES


def new_task_id() -> str:
    """`task_` and 32 hex digits; later ids sort after earlier ones."""
    return f"task_{time.time_ns():016x}{secrets.token_hex(8)}"


async def insert(connection: AsyncConnection, record: TaskRecord) -> None:
    """Write a new task and the first line of its history."""
    await connection.execute(tasks.insert().values(**asdict(record)))
    await _remember(connection, record.id, record.status, record.created_at, None)


async def change_status(
    connection: AsyncConnection,
    task_id: str,
    *,
    source: Collection[str],
    target: str,
    detail: str | None = None,
    **values: Any,
) -> bool:
    """Compare and set: False when the task is in none of the `source` statuses any more."""
    moment = now_ms()
    if target == "running":
        values["started_at"] = sa.func.coalesce(tasks.c.started_at, moment)
    if target not in OPEN_STATUSES:
        values["finished_at"] = moment
    changed = await connection.execute(
        tasks.update()
        .where(tasks.c.id == task_id, tasks.c.status.in_(source))
        .values(status=target, **values)
    )
    if changed.rowcount != 1:
        return False
    await _remember(connection, task_id, target, moment, detail)
    return True


async def set_progress(connection: AsyncConnection, task_id: str, percent: int) -> None:
    """Note how far a running task is; it never goes back."""
    await connection.execute(
        tasks.update()
        .where(
            tasks.c.id == task_id,
            tasks.c.status == "running",
            sa.func.coalesce(tasks.c.progress, -1) < percent,
        )
        .values(progress=percent)
    )


async def get(connection: AsyncConnection, task_id: str) -> TaskRecord | None:
    """One task, whoever owns it."""
    result = await connection.execute(sa.select(tasks).where(tasks.c.id == task_id))
    row = result.mappings().one_or_none()
    return TaskRecord(**row) if row else None


async def wants_webhook(connection: AsyncConnection, task_id: str) -> bool:
    """Whether somebody is to be told of the task's end."""
    query = sa.select(tasks.c.webhook_url).where(tasks.c.id == task_id)
    return (await connection.execute(query)).scalar_one_or_none() is not None


async def page(
    connection: AsyncConnection, conditions: list[sa.ColumnElement[bool]], *, limit: int, skip: int
) -> tuple[list[TaskRecord], int]:
    """A page of tasks, newest first, and how many there are in all."""
    count = sa.select(sa.func.count()).select_from(tasks).where(*conditions)
    total = (await connection.execute(count)).scalar_one()
    query = (
        sa.select(tasks)
        .where(*conditions)
        .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
        .limit(limit)
        .offset(skip)
    )
    rows = (await connection.execute(query)).mappings()
    return [TaskRecord(**row) for row in rows], total


async def open_ids(
    connection: AsyncConnection, *, streamed: bool, statuses: Collection[str] = OPEN_STATUSES
) -> list[str]:
    """The tasks that have not ended."""
    query = sa.select(tasks.c.id).where(
        tasks.c.status.in_(statuses), tasks.c.streamed == sa.literal(streamed)
    )
    return list((await connection.execute(query)).scalars())


async def _remember(
    connection: AsyncConnection, task_id: str, status: str, moment: int, detail: str | None
) -> None:
    line = {"task_id": task_id, "status": status, "at": moment, "detail": detail}
    await connection.execute(task_history.insert().values(**line))
