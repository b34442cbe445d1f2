"""Work: what is done for a task, whatever its type, and what it comes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import Unavailable
from nexus_server.providers.base import OnProgress
from nexus_server.store.tasks import TaskRecord

Also = Callable[[AsyncConnection], Awaitable[None]]
"""What is written in the transaction that ends the task: both are kept, or neither."""


@dataclass(frozen=True)
class Done:
    """What a piece of work came to: the task's output, and what else is to be written with it."""

    output: dict[str, Any]
    also: Also | None = None
    release: Callable[[], None] | None = None
    """Gives back what was held until the end was recorded, however it was."""


Work = Callable[[TaskRecord, OnProgress], Awaitable[Done]]
"""Does what a task asks for. Called again after a crash, so it must be repeatable."""


class Workshop:
    """Which work a type of task means."""

    def __init__(self, works: dict[str, Work]) -> None:
        self._works = works

    async def do(self, task: TaskRecord, on_progress: OnProgress) -> Done:
        """Do what the task asks for.

        Raises:
            PlatformError: why it cannot be done.
        """
        work = self._works.get(task.task_type)
        if work is None:  # accepted by another version of the platform
            raise Unavailable(f"This platform does not know {task.task_type}.")
        return await work(task, on_progress)
