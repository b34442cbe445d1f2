"""The database file: how it is opened, migrated and closed."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).with_name("migrations")

_PRAGMAS = (
    "busy_timeout=15000",  # first, so that the next one waits for its lock
    "journal_mode=WAL",
    "synchronous=FULL",  # an accepted task is a promise, across a power cut too
    "foreign_keys=ON",
)


class Database:
    """Two engines on one SQLite file: one writes, one reads.

    Readers never wait for the writer (WAL). Our writers wait for each other in the pool of one
    connection, in order, instead of polling SQLite's lock; only the task engine's own
    connections compete with them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        url = sa.URL.create("sqlite+aiosqlite", database=str(path))
        serializer = partial(json.dumps, ensure_ascii=False)
        create = partial(create_async_engine, url, json_serializer=serializer)
        self._writer = create(pool_size=1, max_overflow=0, pool_timeout=60)
        self._reader = create(pool_size=4, max_overflow=4)
        _configure(self._writer.sync_engine, begin="BEGIN IMMEDIATE")
        _configure(self._reader.sync_engine, begin="BEGIN DEFERRED")

    async def open(self) -> None:
        """Make the file, readable by its owner only, and bring its tables up to date."""
        await asyncio.to_thread(prepare, self.path)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that holds the write lock from its beginning; commits when it ends."""
        return self._writer.begin()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A consistent view."""
        return self._reader.connect()


def prepare(path: Path) -> None:
    """Create the database file where there is none, and migrate it."""
    # SQLite gives its -wal and -shm files the mode of the database itself.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    _configure(engine, begin="BEGIN IMMEDIATE")
    try:
        with engine.begin() as connection:
            migrate(connection)
    finally:
        engine.dispose()


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Run the migrations, all or none, within the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _configure(engine: sa.Engine, *, begin: str) -> None:
    """Set the pragmas, and take transactions out of the driver's hands."""

    def on_connect(connection: Any, _: ConnectionPoolEntry) -> None:
        # The driver would begin late, and never before DDL; with None it leaves that to us.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)
