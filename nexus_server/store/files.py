"""Queries on files, and where their bytes are."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.tables import files


@dataclass(frozen=True)
class FileRecord:
    """A row of `files`. `task_id` is the task that made the file; None for an upload."""

    id: str
    api_key_id: str
    filename: str
    content_type: str
    size: int
    sha256: str
    created_at: int
    task_id: str | None = None


def new_file_id() -> str:
    """`file_` and 32 hex digits; later ids sort after earlier ones."""
    return f"file_{time.time_ns():016x}{secrets.token_hex(8)}"


async def insert(connection: AsyncConnection, record: FileRecord) -> None:
    """Write a new file's row."""
    await connection.execute(files.insert().values(**asdict(record)))


async def get(connection: AsyncConnection, file_id: str) -> FileRecord | None:
    """One file, whoever owns it."""
    result = await connection.execute(sa.select(files).where(files.c.id == file_id))
    row = result.mappings().one_or_none()
    return FileRecord(**row) if row else None


async def uploads(
    connection: AsyncConnection, api_key_id: str, *, limit: int, skip: int
) -> tuple[list[FileRecord], int]:
    """A page of a caller's uploads, newest first, and how many there are in all."""
    mine = (files.c.api_key_id == api_key_id, files.c.task_id.is_(None))
    count = sa.select(sa.func.count()).select_from(files).where(*mine)
    total = (await connection.execute(count)).scalar_one()
    newest = (files.c.created_at.desc(), files.c.id.desc())
    query = sa.select(files).where(*mine).order_by(*newest).limit(limit).offset(skip)
    rows = (await connection.execute(query)).mappings()
    return [FileRecord(**row) for row in rows], total


async def delete(connection: AsyncConnection, file_id: str) -> bool:
    """Forget a file; False when it is not there."""
    return (await connection.execute(files.delete().where(files.c.id == file_id))).rowcount == 1


async def known_ids(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Those of the ids that are there."""
    query = sa.select(files.c.id).where(files.c.id.in_(ids))
    return set((await connection.execute(query)).scalars())
