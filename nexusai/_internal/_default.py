# Generated from nexusai/aio/_internal/_default.py by scripts/unasync.py: edit that file.

"""The client behind the module-level functions, made from `nexusai.config` at first use."""

from __future__ import annotations

from typing import Optional, Tuple

from nexusai._internal._client import InternalClient
from nexusai._internal._runtime import Lock
from nexusai.config import config

_lock = Lock()
_current: Optional[Tuple[int, InternalClient]] = None


def default_internal_client() -> InternalClient:
    """The default client; a new one after `nexusai.config` was changed.

    Raises:
        AuthenticationError: there is no usable API key.
    """
    global _current  # noqa: PLW0603 - being one per process is its purpose
    with _lock:
        if _current is None or _current[0] != config.generation:
            _current = (config.generation, InternalClient())
        return _current[1]
