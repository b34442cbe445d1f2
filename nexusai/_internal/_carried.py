"""A call that is made somewhere else: in another process, or on another machine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Mapping, Tuple


class Carried:
    """Makes a call wherever it was carried to, with a client that is made there once.

    It can be pickled, and then holds the API key.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """`options` are the client's arguments.

        Raises:
            ValueError: the client uses connections of the caller's own, which cannot be carried.
        """
        if options.get("http_client") is not None:
            raise ValueError("A client with an `http_client` of your own cannot be carried by an executor.")
        headers = options.get("default_headers")
        cache = options.get("cache")
        given: Dict[str, Any] = {
            **options,
            "default_headers": tuple((headers or {}).items()),
            "cache": None if cache is None else cache.settings,
        }
        self._options = tuple(sorted(given.items()))

    def __call__(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Make the call."""
        found = _client(self._options)
        for part in method.split("."):
            found = getattr(found, part)
        return found(**arguments)


@lru_cache(maxsize=8)
def _client(options: Tuple[Tuple[str, Any], ...]) -> Any:
    from nexusai.cache import Cache
    from nexusai.client import NexusAIClient

    given = dict(options)
    if given["cache"] is not None:
        directory, max_bytes, lifetime = given["cache"]
        given["cache"] = Cache(directory, max_bytes=max_bytes, lifetime=lifetime)
    return NexusAIClient(**{**given, "default_headers": dict(given["default_headers"])})
