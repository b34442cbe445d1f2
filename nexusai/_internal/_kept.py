# Generated from nexusai/aio/_internal/_kept.py by scripts/unasync.py: edit that file.

"""What a client keeps of the platform's answers, in a cache."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, List, Optional, TypeVar

from nexusai._internal import _bodies, _caching
from nexusai._internal._responses import Answer
from nexusai._internal._runtime import in_thread
from nexusai.error import InvalidResponseError
from nexusai.models import Page, Result

if TYPE_CHECKING:
    from nexusai._internal._client import InternalClient
    from nexusai.cache import Cache

T = TypeVar("T")
Read = Callable[[Answer], T]


class KeptAnswers:
    """Answers in a cache, under the name of one client's address, key and headers."""

    def __init__(self, cache: Cache, base_url: str, headers: List[_bodies.Header], secret: str) -> None:
        """What holds `secret` is not kept: a platform may quote a key.

        Raises:
            TypeError: `cache` is something else, such as the path of one.
        """
        if not callable(getattr(cache, "get", None)) or not hasattr(cache, "stats"):
            raise TypeError(f"cache: expected nexusai.Cache(…), not {type(cache).__name__}")
        self._cache = cache
        self._secret = secret.encode("ascii")
        self._scope = _caching.scope_of(base_url, headers)

    def fetch(
        self,
        client: InternalClient,
        read: Read[T],
        method: str,
        path: str,
        json: Any = None,
        **options: Any,
    ) -> T:
        """What `read` makes of the answer, which is asked for only where it is not kept.

        What is kept was read once before, and what cannot be read is not kept: an error never is.
        """
        key = self._key(method, path, json, options)
        if key is None:
            return self._ask(client, read, method, path, json, **options)
        kept = self._run(lambda: self._cache.get(key))
        answer = None if kept is None else _caching.unpacked(kept)
        if answer is not None:
            with suppress(InvalidResponseError):
                return _marked(read(answer))
        answer = client.send(method, path, json, **options)
        result = read(answer)
        self._put(key, method, answer, result)
        return result

    def keep(self, method: str, path: str, json: Any, answer: Answer, result: Any) -> None:
        """Keep what came later, and otherwise than asked for, as the answer to a call."""
        key = self._key(method, path, json, {})
        if key is not None:
            self._put(key, method, answer, result)

    def _key(self, method: str, path: str, json: Any, options: Any) -> Optional[str]:
        params, headers = options.get("params"), options.get("headers")
        return _caching.key_of(self._scope, method, path, json, params=params, headers=headers)

    def _ask(
        self, client: InternalClient, read: Read[T], method: str, path: str, json: Any, **options: Any
    ) -> T:
        """Ask, and forget what is being deleted, whatever comes of it."""
        gone = _caching.key_of(self._scope, "GET", path) if method == "DELETE" else None
        try:
            return read(client.send(method, path, json, **options))
        finally:
            if gone is not None:
                self._run(lambda: self._cache.delete(gone))

    def _put(self, key: str, method: str, answer: Answer, result: Any) -> None:
        if not _caching.may_keep(method, result):
            return
        packed = _caching.packed(answer)
        if self._secret not in packed:
            self._run(lambda: self._cache.put(key, packed))

    def _run(self, action: Callable[[], Any]) -> Any:
        """Beside the event loop where a disk is read: another process may hold it for a moment."""
        return in_thread(action) if self._cache.blocks else action()


def _marked(result: T) -> T:
    if isinstance(result, Result):
        result._from_cache = True
    elif isinstance(result, Page):
        result.from_cache = True
    return result
