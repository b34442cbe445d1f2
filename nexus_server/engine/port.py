"""The port between the platform and whatever makes its tasks durable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import sqlalchemy as sa

RunTask = Callable[[str], Awaitable[None]]
"""Brings the task of this id to an end. Called again after a crash, so it must be repeatable."""

WorkState = Literal["open", "ended"]


class TaskEngine(Protocol):
    """Owns the progress of accepted work; the meaning of a task is the platform's."""

    async def start(self, run: RunTask) -> None:
        """Begin to run work on the caller's event loop, first what a crash left behind."""

    def enqueue(self, connection: sa.Connection, task_id: str) -> None:
        """Queue a task within the caller's transaction: both are committed, or neither."""

    def nudge(self) -> None:
        """Look for queued work now: a transaction that enqueued some has committed."""

    async def cancel(self, task_id: str) -> None:
        """Never start this task, if it is still queued."""

    async def states(self, task_ids: Sequence[str]) -> dict[str, WorkState]:
        """What became of the work; an id that the engine has never seen is left out."""

    def drain(self) -> None:
        """Start nothing more; what runs goes on."""

    async def shutdown(self) -> None:
        """Interrupt what still runs, so that the next start runs it again, and stop."""
