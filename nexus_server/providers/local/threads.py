"""Work that computes: done in a thread, and stopped when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ShouldStop = Callable[[], bool]


class StoppedError(Exception):
    """The work was told to stop, and did."""


async def run_stoppable(work: Callable[[ShouldStop], T]) -> T:
    """Run `work(should_stop)` in a thread. Interrupting this stops it, and waits until it has."""
    stop = threading.Event()
    running = asyncio.get_running_loop().run_in_executor(None, work, stop.is_set)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        running.exception()  # looked at, or asyncio complains of it
        raise
