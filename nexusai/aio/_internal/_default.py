"""The client behind the module-level functions, made from `nexusai.config` at first use."""

from __future__ import annotations

from typing import Optional, Tuple

from nexusai._internal._runtime import AsyncLock, renewed_in_children
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.config import config


class _AsyncDefault:
    """The one of this process. A forked child goes on with its parent's, on connections of its own."""

    def __init__(self) -> None:
        self._current: Optional[Tuple[int, AsyncInternalClient]] = None
        self._renew()
        renewed_in_children(self)

    def _renew(self) -> None:
        self._lock = AsyncLock()

    def client(self) -> AsyncInternalClient:
        with self._lock:
            if self._current is None or self._current[0] != config.generation:
                self._current = (config.generation, AsyncInternalClient())
            return self._current[1]


_default = _AsyncDefault()


def default_internal_client() -> AsyncInternalClient:
    """The default client; a new one after `nexusai.config` was changed.

    Raises:
        AuthenticationError: there is no usable API key.
    """
    return _default.client()
