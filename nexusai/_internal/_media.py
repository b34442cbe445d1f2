# Generated from nexusai/aio/_internal/_media.py by scripts/unasync.py: edit that file.

"""Results whose content is fetched by a call of its own."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, TypeVar, Union
from urllib.parse import unquote_to_bytes

from pydantic import PrivateAttr

from nexusai._internal._client import InternalClient, client_like
from nexusai._internal._runtime import in_thread
from nexusai._internal._saving import written
from nexusai.config import config
from nexusai.error import InvalidResponseError
from nexusai.models import Result

T = TypeVar("T")


class Bound(Result):
    """A result that can ask the platform for more.

    It can be pickled, without a key; unpickled, it asks with a client like the one that it came from,
    whose key is found as any client's is.
    """

    _client: Optional[InternalClient] = PrivateAttr(default=None)
    _settings: Optional[Tuple[Tuple[str, Any], ...]] = PrivateAttr(default=None)

    def __getstate__(self) -> Dict[Any, Any]:
        state = super().__getstate__()
        settings = self._settings if self._client is None else _settings_of(self._client)
        private = {**(state["__pydantic_private__"] or {}), "_client": None, "_settings": settings}
        return {**state, "__pydantic_private__": private}

    def _source(self) -> InternalClient:
        if self._client is None and self._settings is not None:
            self._client = client_like(self._settings, config.generation)
        if self._client is None:
            raise RuntimeError(
                "This result came from no client, or from one that cannot be pickled: there is nothing to "
                "ask the platform with."
            )
        return self._client


def _settings_of(client: InternalClient) -> Optional[Tuple[Tuple[str, Any], ...]]:
    try:
        options = client.portable
    except TypeError:
        return None
    return tuple(sorted((name, value) for name, value in options.items() if name != "cache"))


class Media(Bound):
    """A result that has content: `read()` it, or `save()` it."""

    def _address(self) -> str:
        raise NotImplementedError

    def _parts(self) -> List[Any]:
        """Results within this one that have content, too."""
        return []

    def read(self) -> bytes:
        """The content.

        Raises:
            NotFoundError: it is not there any more.
            InvalidResponseError: the platform told no address, or other bytes came than it has.
        """
        address = self._address()
        if address.startswith("data:"):
            return _data_of(address)
        return (self._source().download_url(address)).read()

    def save(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Write the content to a file, and return its path. The file is whole, or not there.

        In a directory it gets its own name.
        """
        address = self._address()
        if not address.startswith("data:"):
            return (self._source().download_url(address)).save(path)
        content = _data_of(address)
        return in_thread(lambda: written(Path(path), content))


def bound(result: T, client: InternalClient) -> T:
    """The result, knowing which client to fetch its content with."""
    if isinstance(result, Media):
        result._client = client
        for part in result._parts():
            bound(part, client)
    return result


def _data_of(address: str) -> bytes:
    """The content of a `data:` URL (RFC 2397)."""
    head, _, data = address.partition(",")
    raw = unquote_to_bytes(data)
    if not head.endswith(";base64"):
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise InvalidResponseError("The platform sent a `data:` URL that is no base64.") from error
