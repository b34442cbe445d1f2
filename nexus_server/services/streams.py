"""Streams: generations that one reader follows while they are made."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from nexus_server.errors import Conflict, PlatformError, TaskCancelled, Unavailable
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


class StreamReader:
    """Whoever follows a stream now."""

    def __init__(self, stream: TextStream, items: asyncio.Queue[StreamItem]) -> None:
        self._stream = stream
        self.items = items

    async def next(self, seconds: float) -> list[StreamItem]:
        """Everything that is ready, waiting for the first of it; empty after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                items = [await self.items.get()]
        except TimeoutError:
            return []
        while not self.items.empty():
            items.append(self.items.get_nowait())
        self._stream.caught_up.set()
        return items

    def told(self) -> None:
        """The reader hears which task it is: only then can it come back for the rest."""
        self._stream.is_known = True

    def leave(self) -> None:
        """The reader is gone. Of no effect where another has taken its place."""
        self._stream.left_by(self)


class TextStream:
    """One generation, and one reader at a time.

    The end of the task is written by a task of our own, which nothing interrupts: a reader that
    goes away, at whatever moment, leaves nothing half done.
    """

    def __init__(
        self,
        tasks: TaskService,
        work: StreamWork,
        record: TaskRecord,
        *,
        followed: bool = True,
        grace: float = 0.0,
    ) -> None:
        """`followed` is whether somebody reads the pieces; else only the end is of interest.

        `grace` is how many seconds it goes on without a reader, once somebody knows of it.
        """
        self.task_id = record.id
        self.resumable = grace > 0
        self.is_known = False
        self.caught_up = asyncio.Event()
        self._tasks = tasks
        self._grace = grace
        self._parts: list[str] = []
        self._end: StreamEnd | None = None
        self._reader = StreamReader(self, asyncio.Queue())
        self._alone: asyncio.TimerHandle | None = None
        self._stopped_by: PlatformError | None = None
        self._work = asyncio.create_task(work(record, self._emit if followed else _forget))
        tasks.track(record.id, self._work)
        self.ended = asyncio.create_task(self._conclude())

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop, and its end is only to be recorded."""
        return bool(self._work.cancelling()) or self._work.cancelled()

    def follow(self, seen: int = 0) -> StreamReader:
        """A reader who has seen so many characters of the text. Whoever reads now is sent away."""
        self._be_alone_no_more()
        before, self._reader = self._reader, StreamReader(self, asyncio.Queue())
        before.items.put_nowait(_TAKEN_OVER)
        if rest := "".join(self._parts)[seen:]:
            self._reader.items.put_nowait(rest)
        if self._end is not None:
            self._reader.items.put_nowait(self._end)
        self.caught_up.set()
        return self._reader

    def left_by(self, reader: StreamReader) -> None:
        """Nobody reads any more: stop the generation, at once or after a while."""
        if reader is not self._reader or self._end is not None:
            return
        if self._grace and self.is_known:
            self._be_alone_no_more()
            self._alone = asyncio.get_running_loop().call_later(self._grace, self._work.cancel)
        else:
            self._work.cancel()

    def _be_alone_no_more(self) -> None:
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None

    def shut_down(self) -> None:
        """The server stops: end with an error that says so."""
        self._stopped_by = Unavailable(
            "The server was stopped before the answer was complete.", error_code="SERVER_SHUTDOWN"
        )
        self._work.cancel()

    async def _emit(self, text: str) -> None:
        self._parts.append(text)
        self._reader.items.put_nowait(text)
        while self._reader.items.qsize() >= _BUFFERED_PIECES:
            self.caught_up.clear()
            await self.caught_up.wait()

    async def _conclude(self) -> None:
        with self._tasks.busy():
            await asyncio.wait([self._work])
            try:
                end = await self._settle()
            except Exception:  # the next start ends the task; the reader must hear of an end now
                _logger.exception("The end of task %s could not be recorded", self.task_id)
                end = StreamEnd(error=PlatformError("The end of the stream could not be recorded."))
            self._end = end
            self._be_alone_no_more()
            self._reader.items.put_nowait(end)

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


_TAKEN_OVER = StreamEnd(error=Conflict("The stream is read elsewhere now."))


async def _forget(_: str) -> None:
    """What becomes of a piece that nobody reads."""


class StreamDesk:
    """The streams that are open now."""

    def __init__(self, tasks: TaskService, work: StreamWork) -> None:
        self._tasks = tasks
        self._work = work
        self._open: dict[str, TextStream] = {}
        self._closed = False

    def start(self, record: TaskRecord, *, followed: bool = True, grace: float = 0.0) -> TextStream:
        """Begin to generate what an accepted stream task asks for; see `TextStream`."""
        stream = TextStream(self._tasks, self._work, record, followed=followed, grace=grace)
        self._open[record.id] = stream
        stream.ended.add_done_callback(lambda _: self._open.pop(record.id))
        if self._closed:  # the shutdown began while the task was being accepted
            stream.shut_down()
        return stream

    def find(self, task_id: str) -> TextStream | None:
        """The stream of a task, while it goes on and can be taken up again."""
        stream = self._open.get(task_id)
        return stream if stream is not None and stream.resumable and not stream.is_stopping else None

    async def shut_down(self) -> None:
        """End every open stream with an error, and wait until that is recorded."""
        self._closed = True
        ending = [stream.ended for stream in self._open.values()]
        for stream in self._open.values():
            stream.shut_down()
        if ending:
            await asyncio.wait(ending, timeout=1)
