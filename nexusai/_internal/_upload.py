# Generated from nexusai/aio/_internal/_upload.py by scripts/unasync.py: edit that file.

"""A file on its way to the platform: a form that is sent block by block."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Callable, Iterator, Optional

from nexusai._internal._bodies import checked_headers
from nexusai._internal._runtime import in_thread
from nexusai._internal._sources import BLOCK, Source, guess_type, next_size

OnBytes = Callable[[int, Optional[int]], object]
"""Told how many bytes have gone or come, and how many there are in all, where that is known."""


class Upload:
    """The body of an upload (`multipart/form-data`, RFC 7578, names as browsers write them)."""

    def __init__(self, source: Source, content_type: Optional[str], on_progress: Optional[OnBytes]) -> None:
        self._source = source
        self._on_progress = on_progress
        self._boundary = secrets.token_hex(16)
        kind = content_type or guess_type(source.name)
        checked_headers({"content-type": kind})
        name = source.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        self._head = (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        ).encode("utf-8", "replace")
        self._tail = f"\r\n--{self._boundary}--\r\n".encode("ascii")

    @property
    def content_type(self) -> str:
        """The `Content-Type` of the request."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def content_length(self) -> Optional[int]:
        """How long the body is; None where the source cannot tell."""
        size = self._source.size
        return None if size is None else len(self._head) + size + len(self._tail)

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent now, from the beginning."""
        return self._source.repeatable or not self._source.started

    def blocks(self) -> Iterator[bytes]:
        """The body. Each call begins anew."""
        source, sent, size = self._source, 0, BLOCK
        in_thread(source.start)
        try:
            yield self._head
            while True:
                block = in_thread(partial(source.block, size))
                if not block:
                    break
                begun = time.monotonic()
                yield block
                size = next_size(size, time.monotonic() - begun)
                sent += len(block)
                if self._on_progress is not None:
                    self._on_progress(sent, source.size)
            yield self._tail
        finally:
            source.stop()
