"""The client behind the module-level functions, made from `nexusai.config` at first use."""

from __future__ import annotations

from typing import Optional, Tuple

from nexusai._internal._runtime import AsyncLock
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.config import config

_lock = AsyncLock()
_current: Optional[Tuple[int, AsyncInternalClient]] = None


def default_internal_client() -> AsyncInternalClient:
    """The default client; a new one after `nexusai.config` was changed.

    Raises:
        AuthenticationError: there is no usable API key.
    """
    global _current  # noqa: PLW0603 - being one per process is its purpose
    with _lock:
        if _current is None or _current[0] != config.generation:
            _current = (config.generation, AsyncInternalClient())
        return _current[1]
