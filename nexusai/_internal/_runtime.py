"""The few primitives that differ by colour, side by side: `async_x` becomes `x`, `AsyncX` `X`.

anyio is imported where it is first needed: a program that never awaits does not pay for it.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Awaitable, Callable, Hashable, TypeVar

T = TypeVar("T")
CLOSE_TIMEOUT = 2.0


async def async_sleep(seconds: float) -> None:
    """Wait, on asyncio or trio."""
    import anyio

    await anyio.sleep(seconds)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


async def async_in_thread(function: Callable[[], T]) -> T:
    """Run what blocks beside the event loop."""
    from anyio.to_thread import run_sync

    return await run_sync(function)


def in_thread(function: Callable[[], T]) -> T:
    """Run what blocks, here."""
    return function()


async def async_finish(action: Callable[[], Awaitable[None]]) -> None:
    """Run what must not be cut short: closing a connection after a cancellation, within seconds."""
    import anyio

    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
        await action()


def finish(action: Callable[[], None]) -> None:
    """Run what must not be cut short; nothing cuts it short here."""
    action()


class AsyncEvent:
    """Set once, waited for by one task."""

    def __init__(self) -> None:
        import anyio

        self._event = anyio.Event()
        self.set = self._event.set
        self.is_set = self._event.is_set

    async def wait(self, timeout: float) -> bool:
        """Whether it was set within `timeout` seconds."""
        import anyio

        with anyio.move_on_after(timeout):
            await self._event.wait()
        return self.is_set()


Event = threading.Event
"""Set once, waited for by one thread."""


class AsyncLock:
    """Tasks of one event loop cannot interrupt each other between two `await`s: nothing to lock."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass


Lock = threading.Lock
"""Threads can interrupt each other anywhere."""


def async_scope() -> Any:
    """What connections may be shared within: the running event loop."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        import trio

        return trio.lowlevel.current_root_task()


class _Process:
    """Stands for the whole process, which all threads share."""


_PROCESS = _Process()


def scope() -> Hashable:
    """What connections may be shared within: the process."""
    return _PROCESS
