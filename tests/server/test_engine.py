"""The task engine, without a platform around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from nexus_server.engine import TaskEngine
from nexus_server.engine.dbos import DBOSEngine, _Claimer
from nexus_server.store.database import Database


def with_engine(
    path: Path,
    use: Callable[[TaskEngine, Database, asyncio.Queue[str]], Awaitable[Any]],
    *,
    concurrency: int = 4,
) -> Any:
    """What `use` makes of a running engine, whose tasks report that they began and then wait."""

    async def run() -> Any:
        database = Database(path / "nexus.db")
        await database.open()
        engine: TaskEngine = DBOSEngine(database.path, concurrency=concurrency)
        begun: asyncio.Queue[str] = asyncio.Queue()

        async def work(task_id: str) -> None:
            begun.put_nowait(task_id)
            if task_id.startswith("long"):
                await asyncio.sleep(60)
            if task_id.startswith("bad"):
                raise ValueError(task_id)

        await engine.start(work)
        try:
            return await asyncio.wait_for(use(engine, database, begun), 30)
        finally:
            await engine.shutdown()
            await database.close()

    return asyncio.run(run())


async def enqueue(engine: TaskEngine, database: Database, *task_ids: str) -> None:
    """Queue tasks in one transaction."""
    async with database.write() as connection:
        for task_id in task_ids:
            await connection.run_sync(engine.enqueue, task_id)


async def ended(engine: TaskEngine, task_id: str) -> None:
    """Until the engine is done with a task."""
    while (await engine.states([task_id])).get(task_id) != "ended":
        await asyncio.sleep(0.02)


def test_a_nudge_starts_work_at_once(tmp_path: Path) -> None:
    """Much sooner than a poll would."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> float:
        waits = []
        for number in range(6):
            await enqueue(engine, database, f"task_{number}")
            began = time.monotonic()
            engine.nudge()
            await begun.get()
            waits.append(time.monotonic() - began)
        return sorted(waits)[2]

    assert with_engine(tmp_path, use) < 0.3


def test_polling_is_the_safety_net(tmp_path: Path) -> None:
    """Work that nobody told of is found all the same."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> str:
        await enqueue(engine, database, "task_1")
        return await begun.get()

    assert with_engine(tmp_path, use) == "task_1"


def test_a_transaction_that_fails(tmp_path: Path) -> None:
    """Work is queued with the caller's transaction, or not at all; and twice is once."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> list[str]:
        async def fail() -> None:
            async with database.write() as connection:
                await connection.run_sync(engine.enqueue, "task_lost")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        await enqueue(engine, database, "task_1")
        await enqueue(engine, database, "task_1")
        engine.nudge()
        found = [await begun.get()]
        await ended(engine, "task_1")
        await enqueue(engine, database, "task_2")
        engine.nudge()
        found.append(await begun.get())
        assert await engine.states(["task_lost"]) == {}
        return found

    assert with_engine(tmp_path, use) == ["task_1", "task_2"]


def test_cancelling_what_is_queued(tmp_path: Path) -> None:
    """It never begins."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> None:
        await enqueue(engine, database, "long_1", "task_1")
        engine.nudge()
        assert await begun.get() == "long_1"
        assert await engine.states(["long_1", "task_1"]) == {"long_1": "open", "task_1": "open"}
        await engine.cancel("task_1")
        assert await engine.states(["task_1"]) == {"task_1": "ended"}

    with_engine(tmp_path, use, concurrency=1)


def test_interrupted_work_runs_again(tmp_path: Path) -> None:
    """A shutdown ends nothing: the next start begins it anew."""

    async def interrupted(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> None:
        await enqueue(engine, database, "long_1")
        engine.nudge()
        await begun.get()

    async def again(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> str:
        return await begun.get()

    with_engine(tmp_path, interrupted)
    assert with_engine(tmp_path, again) == "long_1"


def test_draining(tmp_path: Path) -> None:
    """Nothing more is started."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> None:
        engine.drain()
        await enqueue(engine, database, "task_1")
        engine.nudge()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun.get(), 2.5)

    with_engine(tmp_path, use)


def test_work_that_raises(tmp_path: Path) -> None:
    """It has ended, and gives its place to the next."""

    async def use(engine: TaskEngine, database: Database, begun: asyncio.Queue[str]) -> None:
        await enqueue(engine, database, "bad_1", "task_1")
        engine.nudge()
        assert [await begun.get(), await begun.get()] == ["bad_1", "task_1"]
        await ended(engine, "bad_1")

    with_engine(tmp_path, use, concurrency=1)


@pytest.mark.parametrize(
    ("error", "words", "goes_on"),
    [
        (sa.exc.OperationalError("BEGIN", {}, Exception("locked")), "the next poll will", True),
        (TypeError("another DBOS"), "at the next poll", False),
    ],
)
def test_claiming_that_fails(
    caplog: pytest.LogCaptureFixture, error: Exception, words: str, goes_on: bool
) -> None:
    """DBOS's internals may change: it is said once, and left to the polling."""

    class Internals:
        calls = 0

        def start_queued_workflows(self, *_: object, **__: object) -> None:
            self.calls += 1
            raise error

    internals = Internals()
    dbos = cast("Any", SimpleNamespace(_sys_db=internals))
    claimer = _Claimer(1)
    claimer.begin(dbos, cast("Any", None))
    for calls in (1, 2) if goes_on else (1,):
        claimer.wake()
        while internals.calls < calls:
            time.sleep(0.01)
    claimer.stop()
    claimer.join(5)
    assert not claimer.is_alive()
    assert words in caplog.text
