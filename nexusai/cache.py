"""Cache: answers that are kept, so that the same question is not asked twice.

client = nexusai.NexusAIClient(cache=nexusai.Cache("answers", lifetime=86400))
client.embeddings.create("tea")
client.embeddings.create("tea").from_cache  # True: nothing was sent
"""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import Any, NamedTuple, Optional, Tuple, Union

from nexusai.constants import DEFAULT_CACHE_BYTES, DEFAULT_CACHE_LIFETIME

__all__ = ["Cache", "CacheStats"]

_logger = logging.getLogger("nexusai")


class CacheStats(NamedTuple):
    """How a cache does: `hits` and `misses` of this object, `entries` and `bytes` of what it holds."""

    hits: int
    misses: int
    entries: int
    bytes: int


class Cache:
    """Keeps what is safe to keep of the platform's answers, for one client or several.

    In memory (`pip install 'nexus-ai-sdk[cache]'`), or in `directory`, which several processes may use
    at once. What is kept is listed in docs/caching.md: embeddings, lists of models, what is known of a file,
    tasks that have ended, and texts generated with `temperature=0` and a `seed`. A cache that cannot be
    read or written does not disturb any call: the log tells it.

    Args:
        directory: where the file is kept; it is made if it is not there. Memory if left out.
        max_bytes: of all that is kept; older answers make room for new ones.
        lifetime: seconds after which an answer is asked for again.

    Raises:
        ValueError: a number is not more than 0.
        ImportError: a cache in memory needs the extra `[cache]`.
    """

    def __init__(
        self,
        directory: Union[str, os.PathLike[str], None] = None,
        *,
        max_bytes: int = DEFAULT_CACHE_BYTES,
        lifetime: float = DEFAULT_CACHE_LIFETIME,
    ) -> None:
        if not max_bytes > 0 or not lifetime > 0:
            raise ValueError("max_bytes, lifetime: expected more than 0")
        place: Optional[str] = None if directory is None else os.path.abspath(os.fspath(directory))
        self.directory: Optional[str] = place
        self.max_bytes: int = int(max_bytes)
        self.lifetime: float = float(lifetime)
        from nexusai._internal._runtime import renewed_in_children

        self._store = self._new_store()
        self._renew()
        renewed_in_children(self)
        self._hits = self._misses = 0
        self._has_complained = False

    def _renew(self) -> None:
        """This is a new process: nobody in it holds the lock."""
        self._lock = Lock()

    @property
    def blocks(self) -> bool:
        """Whether looking something up reads from a disk."""
        return self.directory is not None

    @property
    def stats(self) -> CacheStats:
        """Hits and misses so far, and what is there."""
        entries, size = self._try(self._store.measure) or (0, 0)
        return CacheStats(self._hits, self._misses, entries, size)

    def get(self, key: str) -> Optional[bytes]:
        """What is kept under a key; None where there is nothing, or nothing sound."""
        value: Optional[bytes] = self._try(self._store.get, key)
        with self._lock:
            self._hits += value is not None
            self._misses += value is None
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep it, if that can be."""
        self._try(self._store.put, key, value)

    def delete(self, key: str) -> None:
        """Forget what is kept under a key."""
        self._try(self._store.delete, key)

    def clear(self) -> None:
        """Forget everything. A file that is damaged is removed, and begun anew."""
        self._try(self._store.clear)

    def close(self) -> None:
        """Close the file, if there is one; the next use opens it again."""
        self._try(self._store.close)

    def __len__(self) -> int:
        return self.stats.entries

    def __bool__(self) -> bool:
        return True  # an empty cache is one, too

    def __reduce__(self) -> Tuple[Any, ...]:
        # What is in memory stays in this process; a directory is shared with whoever gets this.
        return _restored, self.settings

    @property
    def settings(self) -> Tuple[Optional[str], int, float]:
        """What makes another cache like this one: directory, size and lifetime."""
        return self.directory, self.max_bytes, self.lifetime

    def __repr__(self) -> str:
        place = "in memory" if self.directory is None else f"in {self.directory!r}"
        return f"<Cache {place}, max_bytes={self.max_bytes}, lifetime={self.lifetime:g}>"

    def _new_store(self) -> Any:
        if self.directory is None:
            from nexusai._internal._cache_memory import MemoryStore

            return MemoryStore(self.max_bytes, self.lifetime)
        from nexusai._internal._cache_disk import DiskStore

        return DiskStore(self.directory, self.max_bytes, self.lifetime)

    def _try(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except OSError as error:
            level = logging.DEBUG if self._has_complained else logging.WARNING
            self._has_complained = True
            _logger.log(level, "The cache cannot be used, and calls go on without it: %s", error)
            return None


def _restored(directory: Optional[str], max_bytes: int, lifetime: float) -> Cache:
    """A cache with these settings."""
    return Cache(directory, max_bytes=max_bytes, lifetime=lifetime)
