"""Where a cache keeps its bytes in memory: cachetools, which knows sizes and lifetimes."""

from __future__ import annotations

import time
from threading import Lock
from typing import Callable, Optional, Tuple

from nexusai._internal._runtime import renewed_in_children


class MemoryStore:
    """Keeps bytes in this process; what was not read for longest makes room.

    Raises:
        ImportError: cachetools is not installed.
    """

    def __init__(self, max_bytes: int, lifetime: float, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            from cachetools import TTLCache
        except ImportError as error:
            raise ImportError(
                "A cache in memory needs cachetools: pip install 'nexus-ai-sdk[cache]'. "
                'One in a directory, `Cache("…")`, needs nothing.'
            ) from error
        self._max_bytes = max_bytes
        self._renew()
        renewed_in_children(self)
        self._values: TTLCache[str, bytes] = TTLCache(max_bytes, lifetime, clock, len)

    def _renew(self) -> None:
        """This is a new process: nobody in it holds the lock."""
        self._lock = Lock()

    def get(self, key: str) -> Optional[bytes]:
        """What was put there, while it lives."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep it, if there can be room for it."""
        if len(value) <= self._max_bytes:
            with self._lock:
                self._values[key] = value

    def delete(self, key: str) -> None:
        """Forget it."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()

    def close(self) -> None:
        """There is nothing to close."""

    def measure(self) -> Tuple[int, int]:
        """How many there are, and their bytes."""
        with self._lock:
            return len(self._values), int(self._values.currsize)
