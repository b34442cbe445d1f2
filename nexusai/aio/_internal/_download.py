"""A file on its way from the platform: bytes as they come, or a file that is whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, AsyncIterator, Dict, Optional, Union
from weakref import finalize

from typing_extensions import Protocol

from nexusai import error as errors
from nexusai._internal._responses import file_name
from nexusai._internal._runtime import async_in_thread
from nexusai._internal._saving import Saving
from nexusai._internal._transport import TransportError
from nexusai.aio._internal._exchange import AsyncExchange, Call
from nexusai.aio._internal._upload import OnBytes

if TYPE_CHECKING:
    from nexusai._internal._telemetry import Span

_PAUSE = 0.25


class AsyncOpener(Protocol):
    """What a download needs of its client."""

    max_retries: int
    longest: float
    """Bytes that are read at once, at most."""

    async def open(self, call: Call, *, streaming: bool = False) -> AsyncExchange:
        """Send until an answer has begun."""
        ...


class AsyncDownload:
    """The content of a file. Iterate over it, `read()` it, or `save()` it; use `with`, or read it all.

        with client.files.download(file_id) as download:
            for block in download:
                ...

    Attributes:
        filename: the file's own name, where the platform tells it.
        content_type: its MIME type.
        size: in bytes, where the platform tells it.
    """

    def __init__(
        self, client: AsyncOpener, call: Call, exchange: AsyncExchange, span: Optional[Span] = None
    ) -> None:
        self._client = client
        self._call = call
        self._exchange = exchange
        headers = exchange.headers
        self.filename: Optional[str] = file_name(headers.get("content-disposition", ""))
        self.content_type: Optional[str] = headers.get("content-type")
        self.size: Optional[int] = _number(headers.get("content-length"))
        self.request_id: Optional[str] = exchange.request_id
        self._etag = headers.get("etag", "")
        self._begun = False
        self._span = span
        if span is not None:
            finalize(self, span.end).atexit = False  # of a download that is neither read nor closed

    @classmethod
    async def begin(cls, client: AsyncOpener, call: Call, span: Optional[Span] = None) -> AsyncDownload:
        """Ask for the content, and return when it begins to come."""
        if span is None:
            return cls(client, call, await client.open(call, streaming=True))
        try:
            with span.active():
                return cls(client, call, await client.open(call, streaming=True), span)
        except BaseException as error:
            span.end(error)
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, as they come. What breaks off is asked for again from there.

        Raises:
            NetworkError, APITimeoutError: it broke off, and could not be taken up again.
            InvalidResponseError: these are not the bytes that the platform has.
        """
        if self._begun:
            raise ValueError("The content of this download was read already: download it again.")
        self._begun = True
        check = _Check(self.size, self._etag)
        failures = 0
        try:
            while True:
                before = check.size
                try:
                    async for block in self._exchange.chunks():
                        check.add(block)
                        yield block
                    self._exchange.complete()
                    break
                except TransportError as error:
                    failures = failures + 1 if check.size == before else 1
                    if failures > self._client.max_retries or not check.can_resume:
                        raise self._exchange.failure(error) from error
                await self._resume(check.size, failures)
            check.finish()
        except Exception as error:
            if self._span is not None:
                self._span.end(error)
            raise
        finally:
            await self.aclose()

    async def read(self) -> bytes:
        """All of it.

        Raises:
            InvalidResponseError: it is not kept at the platform, and longer than any answer may be.
        """
        whole = bytearray()
        async for block in self:
            whole += block
            if len(whole) > self._client.longest:
                await self.aclose()
                raise errors.InvalidResponseError(
                    f"The content is longer than {self._client.longest:.0f} bytes; the rest was not read. "
                    "`save()` takes any length."
                )
        return bytes(whole)

    async def save(
        self, path: Union[str, os.PathLike[str]], *, on_progress: Optional[OnBytes] = None
    ) -> Path:
        """Write it to a file, and return its path. The file is whole and verified, or not there.

        In a directory it gets its own name. A link stays one, and access rights what they were; a pipe or a
        device gets the bytes as they come. `on_progress(received, total)` is called for each block.

        Raises:
            NetworkError, APITimeoutError: it broke off, and could not be taken up again.
            InvalidResponseError: these are not the bytes that the platform has.
            OSError: the file cannot be written.
        """
        saving = Saving(Path(path), self.filename)
        try:
            file = await async_in_thread(saving.begin)
            await self._write(file, on_progress)
            await async_in_thread(lambda: saving.finish(file))
        except BaseException:
            await self.aclose()
            saving.drop()
            raise
        return saving.target

    async def _write(self, file: IO[bytes], on_progress: Optional[OnBytes]) -> None:
        received = 0
        async for block in self:
            file.write(block)
            received += len(block)
            if on_progress is not None:
                on_progress(received, self.size)

    async def _resume(self, offset: int, failures: int) -> None:
        """Ask for the rest.

        Raises:
            InvalidResponseError: the file is another one by now.
        """
        await self._exchange.aclose()
        await self._call.clock.async_sleep(_PAUSE * (failures - 1))
        wanted: Dict[bytes, bytes] = {
            b"range": f"bytes={offset}-".encode("ascii"),
            b"if-range": self._etag.encode("latin-1"),
        }
        call = self._call._replace(headers=[*self._call.headers, *wanted.items()])
        with self._span.active() if self._span is not None else nullcontext():
            self._exchange = await self._client.open(call, streaming=True)
        told = self._exchange.headers.get("content-range", "")
        if not re.match(f"bytes 0*{offset}-", told):
            raise errors.InvalidResponseError(
                "The download broke off, and the platform has another file there now, or cannot "
                "continue it: download it again.",
                request_id=self.request_id,
            )

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._exchange.aclose()
        if self._span is not None:
            self._span.end()

    async def __aenter__(self) -> AsyncDownload:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class _Check:
    """Whether all bytes have come, and the right ones: a strong ETag of ours is their SHA-256."""

    def __init__(self, expected: Optional[int], etag: str) -> None:
        self.size = 0
        self.can_resume = etag.startswith('"')
        self._expected = expected
        digest = re.match(r'"([0-9a-f]{64})"$', etag)
        self._digest = digest[1] if digest else None
        self._hash = hashlib.sha256()

    def add(self, block: bytes) -> None:
        self.size += len(block)
        if self._digest is not None:
            self._hash.update(block)

    def finish(self) -> None:
        if self._expected is not None and self.size != self._expected:
            raise errors.InvalidResponseError(
                f"The download ended after {self.size} of {self._expected} bytes."
            )
        if self._digest is not None and self._hash.hexdigest() != self._digest:
            raise errors.InvalidResponseError(
                "What was downloaded is not what the platform has (their SHA-256 differ): download it again."
            )


def _number(header: Optional[str]) -> Optional[int]:
    return int(header) if header is not None and header.isdecimal() else None
