"""Runs queued tasks: what the engine calls, once for each attempt."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from nexus_server.errors import PlatformError, Unavailable
from nexus_server.services.progress import ProgressReport
from nexus_server.services.tasks import TaskService
from nexus_server.services.work import Done, Workshop

_logger = logging.getLogger(__name__)


class TaskRunner:
    """Brings a task to its end. Only a shutdown may interrupt it and leave the task open."""

    def __init__(self, tasks: TaskService, workshop: Workshop, *, concurrency: int) -> None:
        self._tasks = tasks
        self._workshop = workshop
        # The engine claims about as many; two claimers at once may claim a few more.
        self._slots = asyncio.Semaphore(concurrency)

    async def run(self, task_id: str) -> None:
        """One attempt at the task."""
        async with self._slots:
            with self._tasks.busy():
                await self._attempt(task_id)

    async def _attempt(self, task_id: str) -> None:
        record = await self._tasks.begin(task_id)
        if record is not None:
            # The work is interrupted when the task is cancelled; writing how it ended never is.
            progress = ProgressReport(self._tasks, task_id)
            work = asyncio.create_task(self._workshop.do(record, progress.tell))
            self._tasks.track(task_id, work)
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()  # of no effect, unless a shutdown interrupts this very wait
                progress.close()
            await self._settle(task_id, work)

    async def _settle(self, task_id: str, work: asyncio.Task[Done]) -> None:
        error = work_error(work, task_id)
        if error is None:
            try:
                await self._tasks.complete(task_id, work.result())
            except PlatformError as refusal:  # what was to be written with it cannot be
                error = refusal
        if error is not None:
            await self._tasks.fail(task_id, error)  # of no effect on a cancelled task


def work_error(work: asyncio.Task[Any], task_id: str) -> PlatformError | None:
    """What a caller may know of a failure; what is a bug goes to the log."""
    if work.cancelled():
        return Unavailable("The work was interrupted.")
    error = work.exception()
    if error is None or isinstance(error, PlatformError):
        return error
    _logger.error("Task %s failed", task_id, exc_info=error)
    return PlatformError("The platform failed to do this; its log says why.")
