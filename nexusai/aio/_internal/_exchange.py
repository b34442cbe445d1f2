"""One attempt at a call: its request, its answer, and the slot that both use."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, AsyncIterator, List, Mapping, NamedTuple, Optional, Union

from nexusai import error as errors
from nexusai._internal import _hints, _responses
from nexusai._internal._bodies import Header, masked
from nexusai._internal._frames import forget_locals
from nexusai._internal._responses import Answer
from nexusai._internal._runtime import CLOCK, Clock, async_finish
from nexusai._internal._transport import (
    CONNECT_TIMEOUT,
    AsyncResponse,
    AsyncTransport,
    Request,
    TransportError,
    Url,
)
from nexusai.aio._internal._pool import AsyncPool, AsyncPools
from nexusai.aio._internal._upload import AsyncUpload
from nexusai.constants import DEFAULT_MAX_RESPONSE_BYTES, MAX_ERROR_BODY_BYTES

_EXCERPT = 500
_LAST_MOMENT = 0.1
"""Seconds for what follows the announced end of a stream: mostly the mark that its body has ended."""


class Call(NamedTuple):
    """What stays the same over the attempts of a call.

    `timeout` (seconds) bounds an attempt; `deadline`, on `clock`, the whole. After
    `retry_until`, on `clock` too, it is not tried again.
    """

    method: str
    url: Url
    headers: List[Header]
    body: Union[bytes, AsyncUpload, None]
    timeout: float
    deadline: float
    total_timeout: Optional[float]
    clock: Clock = CLOCK
    retry_until: float = float("inf")

    def __repr__(self) -> str:
        # As it stands in tracebacks with locals: without the key, and without what is private.
        return f"<Call {self.method} {self.url.shown}>"


class AsyncExchange:
    """One attempt: a request, its answer, and the slot that both use."""

    _pool: Optional[AsyncPool] = None
    _interrupted = False

    def __init__(self, pools: AsyncPools, call: Call, secret: str, *, streaming: bool) -> None:
        self._pools = pools
        self._call = call
        self._secret = secret
        self._streaming = streaming
        self._transport: Optional[AsyncTransport] = None
        self._response: Optional[AsyncResponse] = None
        self._answer: Optional[Answer] = None
        self._complete = False
        self._blocks: Any = None  # of an upload: a generator
        self._chunks: Any = None  # of the answer: another

    @property
    def status(self) -> Optional[int]:
        """Of the answer."""
        return self._response.status if self._response is not None else None

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the answer, with names in lower case."""
        return self._response.headers if self._response is not None else {}

    @property
    def request_id(self) -> Optional[str]:
        """The platform's, without the API key, which it may have quoted."""
        return masked(self.headers.get("x-request-id") or "", self._secret) or None

    async def begin(self) -> None:
        """Send, and take the answer as far as the kind of call wants it.

        Raises:
            APIError: there is no answer, or it says that something is wrong.
            StreamInterruptedError: `interrupt` was called meanwhile.
        """
        try:
            await self._begin()
        except BaseException as error:
            await self.aclose()
            forget_locals(error)
            if self._interrupted and isinstance(error, Exception):
                raise errors.StreamInterruptedError("It was closed before its answer came.") from error
            if isinstance(error, TransportError):
                raise self.failure(error) from error
            raise

    async def _begin(self) -> None:
        call = self._call
        limit = min(call.deadline, call.clock.monotonic() + call.timeout)
        self._pool = self._pools.current()
        self._transport = await self._pool.take(id(self), limit)
        if self._interrupted:
            raise TransportError("closed", timed_out=False, sent=False)
        body = call.body
        paced = self._streaming or isinstance(body, AsyncUpload)  # lasts as long as bytes are moving
        deadline = call.deadline if paced else limit
        content: Any = body
        if isinstance(body, AsyncUpload):
            content = self._blocks = body.blocks()
        request = Request(
            call.method, call.url, call.headers, content, deadline, call.timeout, whole=not self._streaming
        )
        self._response = await self._transport.send(request)
        self._refuse_unasked_encoding()
        if self._response.status >= 300:
            excerpt = await self._body(MAX_ERROR_BODY_BYTES, truncate=True)
            answer = Answer(self._response.status, self._response.headers, excerpt, self._secret)
            raise _responses.status_error(answer)
        if not self._streaming:
            whole = await self._body(DEFAULT_MAX_RESPONSE_BYTES)
            self._answer = Answer(self._response.status, self._response.headers, whole, self._secret)
            await self.aclose()

    def _refuse_unasked_encoding(self) -> None:
        """Nothing compressed was asked for, so that a small answer cannot unpack to a huge one."""
        assert self._response is not None  # noqa: S101 - only called with one
        encoding = self._response.headers.get("content-encoding", "identity").lower()
        if encoding == "identity" or (b"accept-encoding", b"identity") not in self._call.headers:
            return
        raise errors.InvalidResponseError(
            f"The answer is compressed ({encoding[:40]}), which was not asked for. A proxy on the way that "
            "compresses is let in by `default_headers={'Accept-Encoding': 'gzip'}`.",
            self._response.status,
            request_id=self.request_id,
        )

    @property
    def answer(self) -> Answer:
        """The whole answer of a call that does not stream."""
        assert self._answer is not None  # noqa: S101 - `begin` has read it
        return self._answer

    def settle(self) -> None:
        """Take this answer for one that was lost on its way: what was to be done is done."""
        self._answer = Answer(204, self.headers, b"{}", self._secret)

    def chunks(self) -> AsyncIterator[bytes]:
        """The body of a stream, as it comes; `TransportError` where it breaks off."""
        assert self._response is not None  # noqa: S101 - `begin` has it
        chunks = self._chunks = self._response.chunks()
        return chunks

    def hasten(self) -> bool:
        """Give the rest of the body only a moment; False where that cannot be."""
        return self._transport is not None and self._transport.hasten(_LAST_MOMENT)

    def complete(self) -> None:
        """The body was read to its end: the connection can be used again."""
        self._complete = True

    async def _body(self, limit: int, *, truncate: bool = False) -> bytes:
        assert self._response is not None  # noqa: S101 - only called with one
        whole: Union[bytes, bytearray] = b""
        async for chunk in self.chunks():
            if not whole:
                whole = chunk  # mostly the only one
            else:  # a list of many small ones would be far larger than they are
                whole = whole if isinstance(whole, bytearray) else bytearray(whole)
                whole += chunk
            if len(whole) <= limit:
                continue
            if truncate:
                return bytes(whole[:limit])
            raise errors.InvalidResponseError(
                f"The answer is longer than {limit} bytes; the rest was not read.",
                self._response.status,
            )
        self._complete = True
        return bytes(whole)

    async def interrupt(self) -> None:
        """End whatever another task or thread just waits for here: there it raises, and is closed."""
        self._interrupted = True
        transport = self._transport
        if transport is not None and transport.hasten(0.0):  # it may be connecting still
            await async_finish(transport.aclose)
        elif self._response is not None:
            await self.aclose()

    async def aclose(self) -> None:
        """Give the slot back; its connection too, if the answer was read to its end.

        Where it was interrupted, closing again does the rest.
        """
        pool = self._pool
        if pool is None:
            return
        transport, self._transport = self._transport, None
        try:
            if transport is not None and not self._complete:
                await self._cut_short()
        finally:  # whatever closing a broken connection raises, its slot is not lost
            await pool.give(id(self), transport, reusable=self._complete)
            self._pool = None

    async def _cut_short(self) -> None:
        for generator in (self._blocks, self._chunks):
            if generator is not None:
                with suppress(RuntimeError, ValueError):  # another task or thread is just reading from it
                    await async_finish(generator.aclose)
        if self._response is not None:
            await async_finish(self._response.aclose)

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool.forget(id(self))

    async def excerpt(self) -> bytes:
        """The start of a body that is not what was asked for, if it comes at once."""
        pieces: List[bytes] = []
        if self.hasten():
            with suppress(TransportError):
                async for chunk in self.chunks():
                    pieces.append(chunk)
                    if sum(map(len, pieces)) >= _EXCERPT:
                        break
        return b"".join(pieces)

    def failure(self, error: TransportError) -> errors.APIError:
        """What a transport's error means for the caller."""
        forget_locals(error)
        request_id = self.request_id
        where = masked(f"{self._call.method} {self._call.url.shown}", self._secret)
        why = masked(str(error), self._secret)[:_EXCERPT]
        if not error.timed_out:
            return errors.NetworkError(
                f"No answer to {where}: {why}.",
                request_id=request_id,
                hint=_hints.for_network(self._call.url.host, str(error)),
                sent=error.sent,
            )
        total = self._call.clock.monotonic() >= self._call.deadline
        limit = self._call.total_timeout if total else self._call.timeout
        name = "total_timeout" if total else "timeout"
        shown = f"{limit:g} s (`{name}`)" if limit is not None else "the time that was left for it"
        if not error.sent and not total and self._call.timeout > CONNECT_TIMEOUT:
            shown = f"{CONNECT_TIMEOUT:g} s (the limit for connecting)"
        return errors.APITimeoutError(
            f"No answer to {where} within {shown}: {why}.",
            request_id=request_id,
            hint=_hints.for_timeout(name, sent=error.sent),
            sent=error.sent,
        )
