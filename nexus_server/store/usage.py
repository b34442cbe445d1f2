"""Queries on what was done for a key."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.tables import OPEN_STATUSES, api_keys, files, tasks

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


@dataclass(frozen=True)
class KeyRecord:
    """An API key, as it may be told."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True)
class Work:
    """The tasks of one kind that one model did, and the tokens that it told."""

    task_type: str
    provider: str
    model: str
    completed: int
    failed: int
    cancelled: int
    open: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


async def key(connection: AsyncConnection, key_id: str) -> KeyRecord:
    """The key of that id, which must exist."""
    query = sa.select(api_keys.c.id, api_keys.c.name, api_keys.c.created_at).where(api_keys.c.id == key_id)
    return KeyRecord(*(await connection.execute(query)).one())


async def work(connection: AsyncConnection, key_id: str, since: int) -> list[Work]:
    """What was accepted for a key at this moment or later, the most frequent first."""
    kind = (tasks.c.task_type, tasks.c.provider, tasks.c.model)
    query = (
        sa.select(
            *kind,
            *(_counted([status]).label(status) for status in ("completed", "failed", "cancelled")),
            _counted(OPEN_STATUSES).label("open"),
            *(_tokens(name).label(name) for name in TOKENS),
        )
        .where(tasks.c.api_key_id == key_id, tasks.c.created_at >= since)
        .group_by(*kind)
        .order_by(sa.func.count().desc(), *kind)
    )
    return [Work(*row) for row in await connection.execute(query)]


async def kept(connection: AsyncConnection, key_id: str) -> tuple[int, int]:
    """How many files a key has, and their bytes."""
    size = sa.func.coalesce(sa.func.sum(files.c.size), 0)
    query = sa.select(sa.func.count(), size).where(files.c.api_key_id == key_id)
    count, total = (await connection.execute(query)).one()
    return count, total


def _counted(statuses: tuple[str, ...] | list[str]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((tasks.c.status.in_(statuses), 1), else_=0)), 0)


def _tokens(name: str) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(tasks.c.output[("usage", name)].as_integer()), 0)
