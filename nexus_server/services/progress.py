"""How far a task is: told often, from any thread, and written down a few times a second."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from nexus_server.services.tasks import TaskService

_logger = logging.getLogger(__name__)

_SECONDS = 0.25  # between two writes


class ProgressReport:
    """Keeps a task's row up to date with what its work tells. Belongs to the loop that made it."""

    def __init__(self, tasks: TaskService, task_id: str) -> None:
        self._tasks = tasks
        self._task_id = task_id
        self._loop = asyncio.get_running_loop()
        self._told = -1
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    def tell(self, percent: float) -> None:
        """So much is done. What goes back, or says nothing new, is ignored."""
        with suppress(RuntimeError):  # the loop is closed: a thread may outlive it for a moment
            self._loop.call_soon_threadsafe(self._note, max(0, min(100, int(percent))))

    def close(self) -> None:
        """Write no more."""
        self._closed = True
        if self._writing is not None:
            self._writing.cancel()

    def _note(self, percent: int) -> None:
        if percent <= self._told or self._closed:
            return
        self._told = percent
        if self._writing is None or self._writing.done():
            self._writing = self._loop.create_task(self._write())

    async def _write(self) -> None:
        written = -1
        while written < self._told:
            written = self._told
            try:
                await self._tasks.progress(self._task_id, written)
            except Exception:  # progress is a courtesy: the work goes on
                _logger.exception("The progress of task %s could not be recorded", self._task_id)
            await asyncio.sleep(_SECONDS)
