"""Queries on idempotency keys: which task a key stands for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.clock import DAY_MS, now_ms
from nexus_server.store.tables import idempotency_keys as table


@dataclass(frozen=True)
class IdempotencyKey:
    """What the caller sent: the key, where, and a fingerprint of the body."""

    api_key_id: str
    route: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Remembered:
    """What the key was first used for."""

    fingerprint: str
    task_id: str | None
    answer: dict[str, Any] | None


async def recall(connection: AsyncConnection, key: IdempotencyKey) -> Remembered | None:
    """The first use of the key within the last 24 hours."""
    query = sa.select(table.c.fingerprint, table.c.task_id, table.c.answer).where(
        *_same(key), table.c.created_at > now_ms() - DAY_MS
    )
    row = (await connection.execute(query)).one_or_none()
    return Remembered(row.fingerprint, row.task_id, row.answer) if row else None


async def remember(
    connection: AsyncConnection,
    key: IdempotencyKey,
    *,
    task_id: str | None = None,
    answer: dict[str, Any] | None = None,
) -> None:
    """From now on the key stands for this task, or for this answer."""
    await connection.execute(table.delete().where(*_same(key)))
    row = {**asdict(key), "task_id": task_id, "answer": answer, "created_at": now_ms()}
    await connection.execute(table.insert().values(**row))


async def purge(connection: AsyncConnection) -> int:
    """Forget keys older than 24 hours."""
    expired = table.c.created_at <= now_ms() - DAY_MS
    return (await connection.execute(table.delete().where(expired))).rowcount


def _same(key: IdempotencyKey) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.api_key_id == key.api_key_id,
        table.c.route == key.route,
        table.c.key == key.key,
    )
