"""Tasks: accepting them, telling about them, ending them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.engine import TaskEngine
from nexus_server.errors import Conflict, NotFound, PlatformError
from nexus_server.services.waiting import Waiters
from nexus_server.services.webhooks import WebhookService
from nexus_server.services.work import Also, Done
from nexus_server.store import idempotency
from nexus_server.store import tasks as store
from nexus_server.store.clock import now_ms
from nexus_server.store.database import Database
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.tables import OPEN_STATUSES, tasks
from nexus_server.store.tasks import TaskRecord

# An error of these statuses says nothing about the request, so a retry with the same
# idempotency key runs anew instead of being told the same failure for a day.
_PASSING_FAILURES = (429, 503)


@dataclass(frozen=True)
class NewTask:
    """What a caller wants done."""

    api_key_id: str
    task_type: str
    provider: str
    model: str
    input: dict[str, Any]
    config: dict[str, Any]
    webhook_url: str | None = None


AlsoNew = Callable[[AsyncConnection, TaskRecord], Awaitable[None]]
"""What is written in the transaction that accepts a task."""


@dataclass(frozen=True)
class Accepted:
    """The task that answers a request: a new one, or the one its idempotency key stands for."""

    task: TaskRecord
    replayed: bool = False


class TaskService:
    """The only place that changes a task's status."""

    def __init__(self, database: Database, engine: TaskEngine, webhooks: WebhookService) -> None:
        self._database = database
        self._engine = engine
        self._webhooks = webhooks
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._busy = 0
        self.idle = asyncio.Event()
        """Set while nobody brings a task to its end."""
        self.idle.set()
        # Long-polls are let go when a shutdown begins; a held `/invoke` may stay until its end.
        self.polls = Waiters()
        self.holds = Waiters()

    async def accept(
        self, new: NewTask, key: IdempotencyKey | None = None, *, also: AlsoNew | None = None
    ) -> Accepted:
        """Queue a task. Its row, history, idempotency key and queue entry are one transaction.

        `also` is written in it, too, unless the task is an earlier one.

        Raises:
            Conflict: the idempotency key was used for another body.
        """
        accepted = await self._admit(new, key, streamed=False, also=also)
        if not accepted.replayed:
            self._engine.nudge()
        return accepted

    async def accept_stream(
        self, new: NewTask, key: IdempotencyKey | None = None, *, joins: bool = False
    ) -> Accepted:
        """Record a task that runs in this process, outside the queue.

        A replayed one has completed; or, when the request `joins`, may be running still.

        Raises:
            Conflict: the key was used for another body, or its stream is still running.
        """
        return await self._admit(new, key, streamed=True, joins=joins)

    async def get(self, api_key_id: str, task_id: str) -> TaskRecord:
        """The caller's task.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        async with self._database.read() as connection:
            record = await store.get(connection, task_id)
        if record is None or record.api_key_id != api_key_id:
            raise NotFound("There is no task of this id.")
        return record

    async def list(
        self, api_key_id: str, *, status: str | None, task_type: str | None, limit: int, skip: int
    ) -> tuple[list[TaskRecord], int]:
        """A page of the caller's tasks, newest first, and their number."""
        conditions = [tasks.c.api_key_id == api_key_id]
        if status:
            conditions.append(tasks.c.status == status)
        if task_type:
            conditions.append(tasks.c.task_type == task_type)
        async with self._database.read() as connection:
            return await store.page(connection, conditions, limit=limit, skip=skip)

    async def wait(self, api_key_id: str, task_id: str, seconds: float, waiters: Waiters) -> TaskRecord:
        """The caller's task when it has ended, or as it stands after `seconds`."""
        with waiters.watch(task_id) as ended:
            record = await self.get(api_key_id, task_id)
            if record.ended or seconds <= 0:
                return record
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ended.wait()
        return await self.get(api_key_id, task_id)

    async def cancel(self, api_key_id: str, task_id: str, key: IdempotencyKey | None = None) -> Accepted:
        """Cancel the caller's task; what it does stops at once.

        Raises:
            NotFound: there is no such task.
            Conflict: it has ended, and not by an earlier request of this key.
        """
        record = await self.get(api_key_id, task_id)

        async def remember(connection: AsyncConnection) -> None:
            if key is not None:
                await idempotency.remember(connection, key, task_id=task_id)

        if not await self.end(task_id, "cancelled", detail="cancelled by the caller", also=remember):
            record = await self.get(api_key_id, task_id)
            if key is not None and await self._is_known(key):
                return Accepted(record, replayed=True)
            raise Conflict(f"The task has already ended: it is {record.status}.")
        if not self.stop(task_id) and not record.streamed:
            await self._engine.cancel(task_id)
        return Accepted(await self.get(api_key_id, task_id))

    async def _is_known(self, key: IdempotencyKey) -> bool:
        async with self._database.read() as connection:
            return await idempotency.recall(connection, key) is not None

    async def begin(self, task_id: str) -> TaskRecord | None:
        """Mark a task as running; None when it has ended, so that nothing is left to do."""
        async with self._database.write() as connection:
            record = await store.get(connection, task_id)
            if record is None:
                return None
            again = "run again: the server stopped" if record.status == "running" else None
            started = await store.change_status(
                connection, task_id, source=OPEN_STATUSES, target="running", detail=again
            )
        return record if started else None

    async def progress(self, task_id: str, percent: int) -> None:
        """Note how far the task is."""
        async with self._database.write() as connection:
            await store.set_progress(connection, task_id, percent)

    async def complete(self, task_id: str, done: Done) -> bool:
        """End the task with what its work came to; False if something else ended it first."""
        try:
            return await self.end(task_id, "completed", also=done.also, output=done.output)
        finally:
            if done.release is not None:
                done.release()

    async def fail(self, task_id: str, error: PlatformError) -> bool:
        """End the task with an error; False if something else ended it first."""
        return await self.end(task_id, "failed", detail=error.code, error=failure(error))

    async def end(
        self,
        task_id: str,
        status: str,
        *,
        detail: str | None = None,
        also: Also | None = None,
        **values: Any,
    ) -> bool:
        """Give the task its one final status, and wake those who wait for it.

        `also` is written in the same transaction, if this call is the one that ends the task.
        """
        async with self._database.write() as connection:
            ended = await store.change_status(
                connection, task_id, source=OPEN_STATUSES, target=status, detail=detail, **values
            )
            if ended and also is not None:
                await also(connection)
            told = ended and await self._announce(connection, task_id)
        if told:
            self._webhooks.nudge()
        if ended:
            self.polls.wake(task_id)
            self.holds.wake(task_id)
        return ended

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Held from the beginning of work on a task until its end is written."""
        self._busy += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self.idle.set()

    def track(self, task_id: str, work: asyncio.Task[Any]) -> None:
        """Remember who works on the task, so that it can be stopped."""
        self._running[task_id] = work
        work.add_done_callback(lambda _: self._running.pop(task_id, None))

    def stop(self, task_id: str) -> bool:
        """Interrupt the work on a task; False when nobody works on it."""
        work = self._running.get(task_id)
        return work is not None and work.cancel()

    def is_running(self, task_id: str) -> bool:
        """Whether somebody in this process works on the task."""
        return task_id in self._running

    async def _announce(self, connection: AsyncConnection, task_id: str) -> bool:
        """Write the webhook that tells the task's end; False if nobody wants one."""
        if not await store.wants_webhook(connection, task_id):
            return False
        record = await store.get(connection, task_id)
        if record is not None:
            await self._webhooks.announce(connection, record)
        return True

    async def _admit(
        self,
        new: NewTask,
        key: IdempotencyKey | None,
        *,
        streamed: bool,
        joins: bool = False,
        also: AlsoNew | None = None,
    ) -> Accepted:
        async with self._database.write() as connection:
            if key and (earlier := await idempotency.recall(connection, key)):
                if earlier.fingerprint != key.fingerprint:
                    raise Conflict("The Idempotency-Key was used for another request.")
                record = await store.get(connection, earlier.task_id or "")
                if record and not _to_be_run_again(record, joins=joins):
                    return Accepted(record, replayed=True)
            record = _record_of(new, streamed=streamed)
            await store.insert(connection, record)
            if also is not None:
                await also(connection, record)
            if key:
                await idempotency.remember(connection, key, task_id=record.id)
            if not streamed:
                await connection.run_sync(self._engine.enqueue, record.id)
        return Accepted(record)


def failure(error: PlatformError) -> dict[str, Any]:
    """An error as a task keeps it: what the wire tells, and the status of a synchronous answer."""
    return {**error.told, "code": error.code, "message": error.detail, "status": error.status}


def still_running() -> Conflict:
    """What is said of a stream that goes on, and cannot be joined."""
    return Conflict("A stream with this Idempotency-Key is still running.", retry_after=1)


def _to_be_run_again(record: TaskRecord, *, joins: bool) -> bool:
    """Whether a repeated request deserves another run instead of the first one's answer."""
    if record.streamed:
        if not record.ended:
            if joins:
                return False
            raise still_running()
        return record.status != "completed"
    return record.status == "failed" and (record.error or {}).get("status") in _PASSING_FAILURES


def _record_of(new: NewTask, *, streamed: bool) -> TaskRecord:
    moment = now_ms()
    return TaskRecord(
        id=store.new_task_id(),
        api_key_id=new.api_key_id,
        task_type=new.task_type,
        status="running" if streamed else "queued",
        streamed=streamed,
        provider=new.provider,
        model=new.model,
        input=new.input,
        config=new.config,
        webhook_url=new.webhook_url,
        created_at=moment,
        started_at=moment if streamed else None,
    )
