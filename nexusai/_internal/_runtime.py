"""The few primitives that differ by colour, side by side: `async_x` becomes `x`, `AsyncX` `X`.

anyio is imported where it is first needed: a program that never awaits does not pay for it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from contextvars import copy_context
from functools import wraps
from typing import (
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Dict,
    Generic,
    Hashable,
    Iterable,
    Iterator,
    List,
    Optional,
    TypeVar,
)

A = TypeVar("A")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])
CLOSE_TIMEOUT = 2.0


class Outcome(Generic[T]):
    """What a call came to: a result or an error."""

    def __init__(self, result: Optional[T] = None, error: Optional[Exception] = None) -> None:
        self.result = result
        self.error = error

    def value(self) -> T:
        """The result; or the error is raised."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # there is one where there is no error


OnOutcome = Callable[[int, Outcome[T]], None]
"""Given the number of an item, and what the call for it came to. What it raises ends everything."""


async def async_sleep(seconds: float) -> None:
    """Wait, on asyncio or trio."""
    import anyio

    await anyio.sleep(seconds)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


class Clock:
    """What deadlines are told by, and pauses are made on. A test's time may pass by itself."""

    def monotonic(self) -> float:
        """Seconds, from some moment on."""
        return time.monotonic()

    async def async_sleep(self, seconds: float) -> None:
        """Wait, on asyncio or trio."""
        await async_sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        sleep(seconds)


CLOCK = Clock()
"""The machine's."""


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


_CAN_BE_UNHEARD = sys.version_info < (3, 11)
"""Whether anyio takes a cancellation from outside for one of its own when both come in one turn of asyncio's
loop: as it connects, and as a limit of time runs out. Before Python 3.11 a task does not count them."""


def async_hears_cancellation(method: Method) -> Method:
    """Whoever awaits `method` and is cancelled hears of it, in whichever turn. What came of it is closed.

    Where anyio cannot tell, the method runs in a task of its own, and its caller waits without any scope.
    """
    return _in_a_task(method) if _CAN_BE_UNHEARD else method


def hears_cancellation(method: Method) -> Method:
    """Nothing cancels a thread."""
    return method


def _in_a_task(method: Any) -> Any:
    @wraps(method)
    async def run(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        import anyio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio's scopes are the only ones there
            return await method(*args, **kwargs)
        scope = anyio.CancelScope()

        async def work() -> Any:
            with scope:
                return await method(*args, **kwargs)

        task = loop.create_task(work())
        try:
            await asyncio.wait({task})
            return task.result()
        except asyncio.CancelledError:
            await _give_up(task, scope)
            raise
        finally:
            del task  # it holds its error, whose traceback holds this frame

    return run


async def _give_up(task: Any, scope: Any) -> None:
    """Cancel what a task does, wait for its end, and close what came of it all the same."""
    import asyncio

    import anyio

    scope.cancel()  # not the task: what it tidies up within a shield must not be cut short
    with anyio.CancelScope(shield=True):
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None:
        close = getattr(task.result(), "aclose", None)
        if close is not None:
            await async_finish(close)


@async_hears_cancellation
async def async_within(seconds: float, action: Callable[[], Awaitable[T]]) -> T:
    """What `action` gives.

    Raises:
        TimeoutError: it took longer.
    """
    import anyio

    with anyio.fail_after(seconds):
        return await action()


def within(seconds: float, action: Callable[[], T]) -> T:
    """What `action` gives, however long it takes: a thread that waits cannot be called away."""
    return action()


async def async_following(iterator: AsyncIterator[T]) -> Optional[T]:
    """The next item; None where there is none."""
    try:
        return await iterator.__anext__()
    except StopAsyncIteration:
        return None


def following(iterator: Iterator[T]) -> Optional[T]:
    """The next item; None where there is none."""
    return next(iterator, None)


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


Lock = threading.RLock
"""Threads can interrupt each other anywhere; and a finalizer the very thread that holds it."""


_OF_EACH_PROCESS: weakref.WeakSet[Any] = weakref.WeakSet()


def renewed_in_children(thing: Any) -> None:
    """Have `thing._renew()` called in every forked child, before anything else runs there.

    A lock that another thread held at that moment would be held there for ever.
    """
    _OF_EACH_PROCESS.add(thing)


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


def process() -> Hashable:
    """This process. A forked child is another one."""
    return _PROCESS


scope = process
"""What connections may be shared within: the process."""


def _in_child() -> None:
    global _PROCESS  # noqa: PLW0603 - it is another one now
    _PROCESS = _Process()
    for thing in list(_OF_EACH_PROCESS):
        thing._renew()


if sys.platform != "win32":  # where nothing forks
    os.register_at_fork(after_in_child=_in_child)


async def async_each(
    function: Callable[[A], Awaitable[T]], items: Iterable[A], limit: int, settle: OnOutcome[T]
) -> None:
    """Call `function` for each item, at most `limit` at a time. Items are taken when they are needed."""
    import anyio

    queue = enumerate(items)
    failures: List[BaseException] = []

    async with anyio.create_task_group() as group:

        async def work() -> None:
            for index, item in queue:
                try:
                    outcome: Outcome[T] = Outcome(await function(item))
                except Exception as error:  # noqa: BLE001 - it is told, whatever it is
                    outcome = Outcome(error=error)
                settle(index, outcome)

        async def work_or_fail() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                failures.append(error)
                group.cancel_scope.cancel()

        for _ in range(limit):
            group.start_soon(work_or_fail)
    if failures:
        raise failures[0]


def each(
    function: Callable[[A], T],
    items: Iterable[A],
    limit: int,
    settle: OnOutcome[T],
    executor: Optional[Executor] = None,
) -> None:
    """Call `function` for each item, at most `limit` at a time. Items are taken when they are needed.

    In threads of its own, which have the caller's context variables, or on the caller's executor.
    """
    if executor is None:
        with ThreadPoolExecutor(limit) as own:
            _each(lambda item: own.submit(copy_context().run, function, item), items, limit, settle)
    else:
        given = executor
        _each(lambda item: given.submit(function, item), items, limit, settle)


def _each(submit: Callable[[A], Future[T]], items: Iterable[A], limit: int, settle: OnOutcome[T]) -> None:
    running: Dict[Future[T], int] = {}
    try:
        for index, item in enumerate(items):
            running[submit(item)] = index
            if len(running) >= limit:
                _settle_some(running, settle)
        while running:
            _settle_some(running, settle)
    finally:
        for future in running:  # what has begun ends; what has not never will
            future.cancel()


def _settle_some(running: Dict[Future[T], int], settle: OnOutcome[T]) -> None:
    done, _ = wait_for(running, return_when=FIRST_COMPLETED)
    for future in done:
        index = running.pop(future)
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        settle(index, Outcome(error=error) if error is not None else Outcome(future.result()))
