"""The database: its schema, its settings, its queries; and the directory it lies in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from nexus_server.errors import StartupError
from nexus_server.store import api_keys, idempotency, tasks
from nexus_server.store.clock import iso
from nexus_server.store.data_dir import DirectoryLock, write_private
from nexus_server.store.database import MIGRATIONS, Database, prepare
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.tables import metadata
from nexus_server.store.tasks import TaskRecord

RECORD = TaskRecord(
    id="task_1",
    api_key_id="k",
    task_type="text_generation",
    status="queued",
    streamed=False,
    provider="p",
    model="m",
    input={"prompt": "你好"},
    config={},
    created_at=1,
)


def with_database(path: Path, use: Callable[[Database], Awaitable[Any]]) -> Any:
    """What `use` makes of an open database with one API key."""

    async def run() -> Any:
        database = Database(path / "nexus.db")
        await database.open()
        try:
            async with database.write() as connection:
                await api_keys.insert(connection, "k", "test", "hash")
            return await use(database)
        finally:
            await database.close()

    return asyncio.run(run())


def test_migrations_make_the_tables(tmp_path: Path) -> None:
    """What the migrations build is what the code believes to be there."""
    path = tmp_path / "nexus.db"
    prepare(path)
    prepare(path)  # a second start changes nothing
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key
            ]
            checks = {check["name"] for check in found.get_check_constraints(table.name)}
            expected = {
                constraint.name
                for constraint in table.constraints
                if isinstance(constraint, sa.CheckConstraint)
            }
            assert checks == expected
    engine.dispose()


def test_migrations_are_one_line() -> None:
    """Revisions follow each other, from 0001 on."""
    script = ScriptDirectory(str(MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert script.get_base() == "0001"


def test_pragmas(tmp_path: Path) -> None:
    """A committed write is on the disk, and references hold."""

    async def read(database: Database) -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        async with database.read() as connection:
            return {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names}

    assert with_database(tmp_path, read) == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 15000,
    }


def test_compare_and_set(tmp_path: Path) -> None:
    """Of many who end a task one does, and its history tells no other."""

    async def race(database: Database) -> tuple[list[bool], list[str]]:
        async with database.write() as connection:
            await tasks.insert(connection, RECORD)

        async def end(status: str) -> bool:
            async with database.write() as connection:
                return await tasks.change_status(
                    connection, "task_1", source=("queued", "running"), target=status
                )

        ends = ["completed", "failed", "cancelled"] * 10
        won = await asyncio.gather(*(end(status) for status in ends))
        async with database.read() as connection:
            query = "SELECT status FROM task_history ORDER BY id"
            history = list((await connection.exec_driver_sql(query)).scalars())
        return won, history

    won, history = with_database(tmp_path, race)
    assert won.count(True) == 1
    assert history == ["queued", ["completed", "failed", "cancelled"][won.index(True) % 3]]


def test_a_task_comes_back_as_it_was(tmp_path: Path) -> None:
    """Also what is not ASCII, and what is not there."""

    async def there_and_back(database: Database) -> TaskRecord | None:
        async with database.write() as connection:
            await tasks.insert(connection, RECORD)
        async with database.read() as connection:
            assert await tasks.get(connection, "task_2") is None
            return await tasks.get(connection, "task_1")

    assert with_database(tmp_path, there_and_back) == RECORD
    assert "你好".encode() in b"".join(file.read_bytes() for file in tmp_path.glob("nexus.db*"))


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A transaction is whole or absent."""

    async def fail(database: Database) -> list[str]:
        async def write() -> None:
            async with database.write() as connection:
                await tasks.insert(connection, RECORD)
                await tasks.insert(connection, replace(RECORD, id="x", api_key_id="nobody"))

        with pytest.raises(sa.exc.IntegrityError):
            await write()
        async with database.read() as connection:
            return await tasks.open_ids(connection, streamed=False)

    assert with_database(tmp_path, fail) == []


def test_purging_keys(tmp_path: Path) -> None:
    """Only what is older than a day is forgotten."""

    async def purge(database: Database) -> tuple[int, bool]:
        new = IdempotencyKey("k", "POST /invoke", "new", "f")
        old = replace(new, key="old")
        async with database.write() as connection:
            await tasks.insert(connection, RECORD)
            await idempotency.remember(connection, new, task_id="task_1")
            await idempotency.remember(connection, old, task_id="task_1")
            await connection.exec_driver_sql("UPDATE idempotency_keys SET created_at = 0 WHERE key = 'old'")
            assert await idempotency.recall(connection, old) is None
            purged = await idempotency.purge(connection)
            return purged, await idempotency.recall(connection, new) is not None

    assert with_database(tmp_path, purge) == (1, True)


def test_disabling_a_key(tmp_path: Path) -> None:
    """It is still known, as disabled."""

    async def disable(database: Database) -> bool:
        async with database.write() as connection:
            await api_keys.disable(connection, "k")
            key = await api_keys.get(connection, "k")
        return key is not None and key.disabled

    assert with_database(tmp_path, disable)


def test_ids_are_in_order() -> None:
    """Later ids sort after earlier ones."""
    ids = [tasks.new_task_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 100


def test_moments() -> None:
    """UTC, with milliseconds."""
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"


def test_the_lock(tmp_path: Path) -> None:
    """One holder at a time; given back, it can be taken again."""
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()
    with pytest.raises(StartupError, match=str(tmp_path)):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()
    with pytest.raises(StartupError, match="cannot be used"):
        DirectoryLock(tmp_path / "nowhere").acquire()


def test_private_files(tmp_path: Path) -> None:
    """They replace what is there, and leave nothing beside them."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
