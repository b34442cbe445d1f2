# Generated from nexusai/aio/_internal/_pool.py by scripts/unasync.py: edit that file.

"""Slots: connections that this client owns, one to a slot."""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from typing import Any, Callable, Deque, List

from nexusai._internal._runtime import Event, Lock, finish, scope
from nexusai._internal._transport import Transport
from nexusai.error import APITimeoutError


class Pool:
    """At most `size` transports; who finds none free waits in line.

    The transport used last is used next, so that few connections stay warm and the others expire.
    """

    def __init__(self, open_transport: Callable[[], Transport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._taken = 0
        self._free: List[Transport] = []
        self._waiting: Deque[Event] = deque()
        self._lock = Lock()
        self._closed = False

    def take(self, deadline: float) -> Transport:
        """A transport that nobody else uses, by `deadline` on the monotonic clock.

        Raises:
            APITimeoutError: all are busy, and stay so.
        """
        turn = self._enter()
        if turn is not None:
            self._wait(turn, deadline)
        with self._lock:
            if self._free:
                return self._free.pop()
        try:
            return self._open()
        except BaseException:
            self._leave()
            raise

    def give(self, transport: Transport, *, reusable: bool) -> None:
        """Give a transport back. One that broke or was cut short is closed instead."""
        with self._lock:
            keep = reusable and not self._closed
            if keep:
                self._free.append(transport)
        self._leave()
        if not keep:
            finish(transport.close)

    def close(self) -> None:
        """Close what is free now; what is busy is closed when it comes back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for transport in free:
            transport.close()

    def _enter(self) -> Any:
        """Take a place, or a place in the line."""
        with self._lock:
            if self._taken < self._size:
                self._taken += 1
                return None
            turn = Event()
            self._waiting.append(turn)
            return turn

    def _leave(self) -> None:
        """Pass the place on to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken -= 1

    def _wait(self, turn: Event, deadline: float) -> None:
        came = False
        try:
            came = turn.wait(max(0.0, deadline - time.monotonic()))
        finally:
            if not came:
                self._step_out(turn)
        if not came:
            raise APITimeoutError(
                f"All {self._size} connections are busy, and none came free in time. Close streams "
                "that are not read to their end, or raise `nexusai.config.max_connections`."
            )

    def _step_out(self, turn: Event) -> None:
        with self._lock:
            passed_on = turn.is_set()
            if not passed_on:
                self._waiting.remove(turn)
        if passed_on:  # it came at the very moment of giving up
            self._leave()


class Pools:
    """One pool for each event loop that the client is used on, and for each process.

    A connection belongs to the loop that opened it, and a forked child must not speak on its
    parent's.
    """

    def __init__(self, open_transport: Callable[[], Transport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._pid = os.getpid()
        self._pools: weakref.WeakKeyDictionary[Any, Pool] = weakref.WeakKeyDictionary()
        self._lock = Lock()

    def current(self) -> Pool:
        """The pool for whoever asks."""
        here = scope()
        with self._lock:
            if self._pid != os.getpid():
                self._pools = weakref.WeakKeyDictionary()
                self._pid = os.getpid()
            pool = self._pools.get(here)
            if pool is None:
                pool = self._pools[here] = Pool(self._open, self._size)
            return pool

    def close(self) -> None:
        """Close the free connections of the current loop, and forget the others."""
        pool = self.current()
        with self._lock:
            self._pools.clear()
        pool.close()
