"""Slots: connections that this client owns, one to a slot."""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from typing import Any, Callable, Deque, List

from nexusai._internal._runtime import AsyncEvent, AsyncLock, async_finish, async_scope
from nexusai._internal._transport import AsyncTransport
from nexusai.error import APITimeoutError


class AsyncPool:
    """At most `size` transports; who finds none free waits in line.

    The transport used last is used next, so that few connections stay warm and the others expire.
    """

    def __init__(self, open_transport: Callable[[], AsyncTransport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._taken = 0
        self._free: List[AsyncTransport] = []
        self._waiting: Deque[AsyncEvent] = deque()
        self._lock = AsyncLock()
        self._closed = False

    async def take(self, deadline: float) -> AsyncTransport:
        """A transport that nobody else uses, by `deadline` on the monotonic clock.

        Raises:
            APITimeoutError: all are busy, and stay so.
        """
        turn = self._enter()
        if turn is not None:
            await self._wait(turn, deadline)
        with self._lock:
            if self._free:
                return self._free.pop()
        try:
            return self._open()
        except BaseException:
            self._leave()
            raise

    async def give(self, transport: AsyncTransport, *, reusable: bool) -> None:
        """Give a transport back. One that broke or was cut short is closed instead."""
        with self._lock:
            keep = reusable and not self._closed
            if keep:
                self._free.append(transport)
        self._leave()
        if not keep:
            await async_finish(transport.aclose)

    async def aclose(self) -> None:
        """Close what is free now; what is busy is closed when it comes back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for transport in free:
            await transport.aclose()

    def _enter(self) -> Any:
        """Take a place, or a place in the line."""
        with self._lock:
            if self._taken < self._size:
                self._taken += 1
                return None
            turn = AsyncEvent()
            self._waiting.append(turn)
            return turn

    def _leave(self) -> None:
        """Pass the place on to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken -= 1

    async def _wait(self, turn: AsyncEvent, deadline: float) -> None:
        came = False
        try:
            came = await turn.wait(max(0.0, deadline - time.monotonic()))
        finally:
            if not came:
                self._step_out(turn)
        if not came:
            raise APITimeoutError(
                f"All {self._size} connections are busy, and none came free in time. Close streams "
                "that are not read to their end, or raise `nexusai.config.max_connections`."
            )

    def _step_out(self, turn: AsyncEvent) -> None:
        with self._lock:
            passed_on = turn.is_set()
            if not passed_on:
                self._waiting.remove(turn)
        if passed_on:  # it came at the very moment of giving up
            self._leave()


class AsyncPools:
    """One pool for each event loop that the client is used on, and for each process.

    A connection belongs to the loop that opened it, and a forked child must not speak on its
    parent's.
    """

    def __init__(self, open_transport: Callable[[], AsyncTransport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._pid = os.getpid()
        self._pools: weakref.WeakKeyDictionary[Any, AsyncPool] = weakref.WeakKeyDictionary()
        self._lock = AsyncLock()

    def current(self) -> AsyncPool:
        """The pool for whoever asks."""
        here = async_scope()
        with self._lock:
            if self._pid != os.getpid():
                self._pools = weakref.WeakKeyDictionary()
                self._pid = os.getpid()
            pool = self._pools.get(here)
            if pool is None:
                pool = self._pools[here] = AsyncPool(self._open, self._size)
            return pool

    async def aclose(self) -> None:
        """Close the free connections of the current loop, and forget the others."""
        pool = self.current()
        with self._lock:
            self._pools.clear()
        await pool.aclose()
