# Generated from nexusai/aio/_internal/_pool.py by scripts/unasync.py: edit that file.

"""Slots: connections that this client owns, one to a slot."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, List, Optional, Set, Tuple

from nexusai._internal._runtime import (
    Event,
    Lock,
    finish,
    renewed_in_children,
    scope,
)
from nexusai._internal._transport import Transport
from nexusai.error import APITimeoutError


class Pool:
    """At most `size` transports; who finds none free waits in line.

    The transport used last is used next, so that few connections stay warm and the others expire.

    A slot is taken by a key, and given back by it. Doing either twice changes nothing: whoever was
    interrupted in the middle, by Ctrl-C on any line, simply does it again.
    """

    def __init__(self, open_transport: Callable[[], Transport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._taken: Set[int] = set()
        self._free: List[Transport] = []
        self._waiting: Deque[Tuple[Event, int]] = deque()
        self._lock = Lock()
        self._closed = False

    def take(self, key: int, deadline: float) -> Transport:
        """A transport that nobody else uses, by `deadline` on the monotonic clock.

        Raises:
            APITimeoutError: all are busy, and stay so.
        """
        turn = self._enter(key)
        if turn is not None:
            self._wait(turn, key, deadline)
        with self._lock:
            if self._free:
                return self._free.pop()
        return self._open()

    def give(self, key: int, transport: Optional[Transport], *, reusable: bool) -> None:
        """Give a slot back, and its transport. One that broke or was cut short is closed instead."""
        keep = False
        with self._lock:
            if reusable and transport is not None and not self._closed:
                self._free.append(transport)
                keep = True
            self._leave(key)
        if transport is not None and not keep:
            finish(transport.close)

    def forget(self, key: int) -> None:
        """Its holder is gone without giving the slot back, since even that was interrupted."""
        with self._lock, suppress(RuntimeError):  # whoever waits may do so on a loop that is closed
            self._leave(key)

    def close(self) -> None:
        """Close what is free now; what is busy is closed when it comes back."""
        with self._lock:
            self._closed = True
            free = self._free[:]
            self._free.clear()
        for transport in free:
            transport.close()

    def abandon(self) -> None:
        """This is a forked child: the connections are the parent's, and who held the lock is not here."""
        self._lock = Lock()
        self._closed = True
        self._free.clear()

    def outlive(self) -> None:
        """Its event loop is closed, and closes nothing any more."""
        with self._lock:
            self._closed = True
            free: List[Any] = self._free[:]
            self._free.clear()
        for transport in free:
            abandon = getattr(transport, "abandon", None)
            if abandon is not None:  # else it is the garbage collector that closes it
                abandon()

    def _enter(self, key: int) -> Optional[Event]:
        """Take a place, or a place in the line."""
        with self._lock:
            if len(self._taken) < self._size and not self._waiting:
                self._taken.add(key)
                return None
            turn = Event()
            self._waiting.append((turn, key))
            self._advance()
            return turn

    def _leave(self, key: int) -> None:
        self._taken.discard(key)
        if self._waiting:
            self._advance()

    def _advance(self) -> None:
        """Pass free places on to whoever waits longest."""
        while self._waiting and len(self._taken) < self._size:
            first = self._waiting[0]
            turn, key = first
            if not turn.is_set():  # else this was interrupted just after it had passed the place on
                self._taken.add(key)
                turn.set()
            if self._waiting and self._waiting[0] is first:  # a finalizer may have been here meanwhile
                self._waiting.popleft()

    def _wait(self, turn: Event, key: int, deadline: float) -> None:
        came = False
        try:
            came = turn.wait(max(0.0, deadline - time.monotonic()))
        finally:
            if not came:
                self._step_out(turn, key)
        if not came:
            raise APITimeoutError(
                f"All {self._size} connections are busy, and none came free in time. Close streams "
                "that are not read to their end, or raise `nexusai.config.max_connections`.",
                pool_is_full=True,
            )

    def _step_out(self, turn: Event, key: int) -> None:
        with self._lock:
            with suppress(ValueError):  # it may be out of the line already
                self._waiting.remove((turn, key))
            self._leave(key)  # it may have come at the very moment of giving up


class Pools:
    """One pool for each event loop that the client is used on, and for each process.

    A connection belongs to the loop that opened it, and a forked child must not speak on its
    parent's.
    """

    def __init__(self, open_transport: Callable[[], Transport], size: int) -> None:
        self._open = open_transport
        self._size = size
        self._pools: weakref.WeakKeyDictionary[Any, Pool] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()  # in both colours: each thread may have a loop of its own
        renewed_in_children(self)

    def current(self) -> Pool:
        """The pool for whoever asks."""
        here = scope()
        pool = self._pools.get(here)
        if pool is not None:
            return pool
        with self._lock:
            self._leave_closed_loops()
            return self._pools.setdefault(here, Pool(self._open, self._size))

    def close(self) -> None:
        """Close the free connections of the current loop, and forget the others."""
        pool = self.current()
        with self._lock:
            self._leave_closed_loops()
            self._pools.clear()
        pool.close()

    def _leave_closed_loops(self) -> None:
        for reference in self._pools.keyrefs():
            other = reference()
            if getattr(other, "is_closed", bool)():  # a loop that its own connections keep alive
                self._pools.pop(other).outlive()

    def _renew(self) -> None:
        """This is a forked child."""
        self._lock = threading.RLock()
        pools, self._pools = list(self._pools.values()), weakref.WeakKeyDictionary()
        for pool in pools:
            pool.abandon()
