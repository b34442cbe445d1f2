"""Who waits for the end of a task, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Wakes those who wait, at once and without touching the database."""

    def __init__(self) -> None:
        self._by_task: dict[str, set[asyncio.Event]] = {}
        self.closed = False
        """Whether nobody may wait any more."""

    @contextmanager
    def watch(self, task_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when the task ends, or when nobody may wait any more.

        Begin to watch before reading the task, or its end may fall between the two.
        """
        event = asyncio.Event()
        if self.closed:
            event.set()
        events = self._by_task.setdefault(task_id, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._by_task.pop(task_id, None)

    def wake(self, task_id: str) -> None:
        """The task has ended."""
        for event in self._by_task.get(task_id, ()):
            event.set()

    def close(self) -> None:
        """Wake everybody, now and from now on: the server is about to stop."""
        self.closed = True
        for events in self._by_task.values():
            for event in events:
                event.set()
