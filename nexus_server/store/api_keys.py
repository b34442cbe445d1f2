"""Queries on API keys. Only hashes are stored."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.clock import now_ms
from nexus_server.store.tables import api_keys


@dataclass(frozen=True)
class StoredKey:
    """A row of `api_keys`, as far as checking a caller needs it."""

    id: str
    hash: str
    disabled: bool


async def get(connection: AsyncConnection, key_id: str) -> StoredKey | None:
    """The key of that id."""
    query = sa.select(api_keys).where(api_keys.c.id == key_id)
    row = (await connection.execute(query)).one_or_none()
    return StoredKey(row.id, row.hash, row.disabled_at is not None) if row else None


async def insert(connection: AsyncConnection, key_id: str, name: str, key_hash: str) -> None:
    """Store a key's hash."""
    await connection.execute(
        api_keys.insert().values(id=key_id, name=name, hash=key_hash, created_at=now_ms())
    )


async def disable(connection: AsyncConnection, key_id: str) -> None:
    """Refuse the key from now on; what it made stays."""
    await connection.execute(api_keys.update().where(api_keys.c.id == key_id).values(disabled_at=now_ms()))
