"""Streams: generations that one reader follows while they are made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from nexus_server.errors import PlatformError, TaskCancelled, Unavailable
from nexus_server.services.generation import Emit
from nexus_server.services.runner import work_error
from nexus_server.services.tasks import TaskService
from nexus_server.services.work import Done
from nexus_server.store.tasks import TaskRecord

_logger = logging.getLogger(__name__)

_BUFFERED_PIECES = 256  # a reader that is farther behind than this slows the generation down


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended: with the task's output, or with an error."""

    output: dict[str, Any] | None = None
    error: PlatformError | None = None


StreamItem = str | StreamEnd

StreamWork = Callable[[TaskRecord, Emit], Coroutine[Any, Any, Done]]
"""Does what a task asks for, and gives each piece away as it is made."""


class TextStream:
    """One generation and its one reader.

    The end of the task is written by a task of our own, which nothing interrupts: a reader that
    goes away, at whatever moment, leaves nothing half done.
    """

    def __init__(
        self, tasks: TaskService, work: StreamWork, record: TaskRecord, *, followed: bool = True
    ) -> None:
        """`followed` is whether somebody reads the pieces; else only the end is of interest."""
        self.task_id = record.id
        self._tasks = tasks
        self._items: asyncio.Queue[StreamItem] = asyncio.Queue()
        self._read = asyncio.Event()
        self._stopped_by: PlatformError | None = None
        self._work = asyncio.create_task(work(record, self._emit if followed else _forget))
        tasks.track(record.id, self._work)
        self.ended = asyncio.create_task(self._conclude())

    async def next(self, seconds: float) -> list[StreamItem]:
        """Everything that is ready, waiting for the first of it; empty after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                items = [await self._items.get()]
        except TimeoutError:
            return []
        while not self._items.empty():
            items.append(self._items.get_nowait())
        self._read.set()
        return items

    def abandon(self) -> None:
        """The reader is gone: stop the generation. The task ends as cancelled."""
        self._work.cancel()

    def shut_down(self) -> None:
        """The server stops: end with an error that says so."""
        self._stopped_by = Unavailable(
            "The server was stopped before the answer was complete.", error_code="SERVER_SHUTDOWN"
        )
        self._work.cancel()

    async def _emit(self, text: str) -> None:
        self._items.put_nowait(text)
        while self._items.qsize() >= _BUFFERED_PIECES:
            self._read.clear()
            await self._read.wait()

    async def _conclude(self) -> None:
        with self._tasks.busy():
            await asyncio.wait([self._work])
            try:
                end = await self._settle()
            except Exception:  # the next start ends the task; the reader must hear of an end now
                _logger.exception("The end of task %s could not be recorded", self.task_id)
                end = StreamEnd(error=PlatformError("The end of the stream could not be recorded."))
            self._items.put_nowait(end)

    async def _settle(self) -> StreamEnd:
        if self._work.cancelled() and self._stopped_by is None:
            await self._tasks.end(self.task_id, "cancelled", detail="the reader went away")
            return StreamEnd(error=TaskCancelled("The task was cancelled."))
        error = work_error(self._work, self.task_id)
        if self._work.cancelled():
            error = self._stopped_by
        if error is not None:
            await self._tasks.fail(self.task_id, error)
            return StreamEnd(error=error)
        done = self._work.result()
        try:
            completed = await self._tasks.complete(self.task_id, done)
        except PlatformError as refusal:  # what was to be written with it cannot be
            await self._tasks.fail(self.task_id, refusal)
            return StreamEnd(error=refusal)
        if not completed:
            return StreamEnd(error=TaskCancelled("The task was cancelled."))
        return StreamEnd(output=done.output)


async def _forget(_: str) -> None:
    """What becomes of a piece that nobody reads."""


class StreamDesk:
    """The streams that are open now."""

    def __init__(self, tasks: TaskService, work: StreamWork) -> None:
        self._tasks = tasks
        self._work = work
        self._open: set[TextStream] = set()
        self._closed = False

    def start(self, record: TaskRecord, *, followed: bool = True) -> TextStream:
        """Begin to generate what an accepted stream task asks for."""
        stream = TextStream(self._tasks, self._work, record, followed=followed)
        self._open.add(stream)
        stream.ended.add_done_callback(lambda _: self._open.discard(stream))
        if self._closed:  # the shutdown began while the task was being accepted
            stream.shut_down()
        return stream

    async def shut_down(self) -> None:
        """End every open stream with an error, and wait until that is recorded."""
        self._closed = True
        ending = [stream.ended for stream in self._open]
        for stream in self._open:
            stream.shut_down()
        if ending:
            await asyncio.wait(ending, timeout=1)
