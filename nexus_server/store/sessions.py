"""Queries on sessions and what was said in them."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.tables import session_messages, sessions


@dataclass(frozen=True)
class SessionRecord:
    """A row of `sessions`."""

    id: str
    api_key_id: str
    agent_type: str
    agent_config: dict[str, Any]
    name: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class MessageRecord:
    """What was said once."""

    role: str
    content: str
    created_at: int


def new_session_id() -> str:
    """`sess_` and 32 hex digits; later ids sort after earlier ones."""
    return f"sess_{time.time_ns():016x}{secrets.token_hex(8)}"


async def insert(connection: AsyncConnection, record: SessionRecord) -> None:
    """Write a new session's row."""
    await connection.execute(sessions.insert().values(**asdict(record)))


async def get(connection: AsyncConnection, session_id: str) -> SessionRecord | None:
    """One session, whoever owns it."""
    result = await connection.execute(sa.select(sessions).where(sessions.c.id == session_id))
    row = result.mappings().one_or_none()
    return SessionRecord(**row) if row else None


async def page(
    connection: AsyncConnection, api_key_id: str, *, limit: int, skip: int
) -> tuple[list[SessionRecord], int]:
    """A page of a caller's sessions, newest first, and how many there are in all."""
    mine = sessions.c.api_key_id == api_key_id
    total = (
        await connection.execute(sa.select(sa.func.count()).select_from(sessions).where(mine))
    ).scalar_one()
    newest = (sessions.c.created_at.desc(), sessions.c.id.desc())
    query = sa.select(sessions).where(mine).order_by(*newest).limit(limit).offset(skip)
    rows = (await connection.execute(query)).mappings()
    return [SessionRecord(**row) for row in rows], total


async def delete(connection: AsyncConnection, session_id: str) -> bool:
    """Forget a session and what was said in it; False when it is not there."""
    return (await connection.execute(sessions.delete().where(sessions.c.id == session_id))).rowcount == 1


async def say(connection: AsyncConnection, session_id: str, messages: list[MessageRecord]) -> bool:
    """Append what was said; False when the session is not there any more."""
    moment = messages[-1].created_at
    changed = await connection.execute(
        sessions.update().where(sessions.c.id == session_id).values(updated_at=moment)
    )
    if changed.rowcount != 1:
        return False
    rows = [{"session_id": session_id, **asdict(message)} for message in messages]
    await connection.execute(session_messages.insert(), rows)
    return True


async def count(connection: AsyncConnection, session_id: str) -> int:
    """How much was said."""
    query = sa.select(sa.func.count()).where(session_messages.c.session_id == session_id)
    return (await connection.execute(query)).scalar_one()


async def history(
    connection: AsyncConnection, session_id: str, *, limit: int | None = None, skip: int = 0
) -> list[MessageRecord]:
    """What was said, the oldest first."""
    columns = (session_messages.c.role, session_messages.c.content, session_messages.c.created_at)
    query = (
        sa.select(*columns)
        .where(session_messages.c.session_id == session_id)
        .order_by(session_messages.c.id)
        .offset(skip)
    )
    rows = await connection.execute(query if limit is None else query.limit(limit))
    return [MessageRecord(*row) for row in rows]
