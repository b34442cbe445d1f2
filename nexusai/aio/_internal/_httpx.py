"""The wire through httpx: for whoever watches it, for proxies, and for users' own clients.

httpx's own pool is not used: it loses its slots when requests are cancelled while connecting, and slows
down quadratically under concurrency. Its transports are, one connection each.

A deadline is enforced where time is really spent, in each read and write of the socket, so that a server
which sends one byte a second cannot outlast it.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from typing import Any, AsyncIterator, Iterable, Mapping, Optional

import httpcore
import httpx

from nexusai._internal._httpx_parts import (
    OF_HTTPX,
    Clock,
    Translated,
    as_httpx,
    checked,
    library_of,
    made_for,
)
from nexusai._internal._runtime import async_following, async_hears_cancellation, async_within, process
from nexusai._internal._sockets import close_without_loop
from nexusai._internal._transport import Request, TransportError, Url

_LENIENCE = 0.05
"""Seconds after a deadline, in which a client's own limits may end a call in their own, tidier way."""


class _TimedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._process = process()

    @async_hears_cancellation
    async def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        return await self._stream.read(max_bytes, self._clock.clip(timeout, httpcore.ReadTimeout))

    @async_hears_cancellation
    async def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        await self._stream.write(buffer, self._clock.clip(timeout, httpcore.WriteTimeout))

    async def aclose(self) -> None:
        sock = self._stream.get_extra_info("socket")
        if sock is not None and self._process is process():  # in a forked child it is the parent's
            with suppress(OSError):  # a thread that just reads from it sees it end
                sock.shutdown(socket.SHUT_RDWR)
        await self._stream.aclose()

    @async_hears_cancellation
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> httpcore.AsyncNetworkStream:
        timeout = self._clock.clip(timeout, httpcore.ConnectTimeout)
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _TimedStream(stream, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._transport: Any = None  # asyncio's

    def abandon(self) -> None:
        """Close what was connected on an event loop that is closed, and closes nothing any more."""
        close_without_loop(self._transport)

    @async_hears_cancellation
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Optional[float] = None,
        local_address: Optional[str] = None,
        socket_options: Optional[Iterable[Any]] = None,
    ) -> httpcore.AsyncNetworkStream:
        timeout = self._clock.clip(timeout, httpcore.ConnectTimeout)
        stream = await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        self._transport = getattr(getattr(stream, "_stream", None), "_transport", None)
        return _TimedStream(stream, self._clock)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class AsyncHTTPXResponse:
    """An answer whose head has come. Read it, then close it."""

    def __init__(self, response: Any, translated: Translated) -> None:
        self._response = response
        self._translated = translated
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, decoded, as it comes."""
        with self._translated:
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        await self._response.aclose()


class AsyncHTTPXTransport:
    """One connection to one origin."""

    def __init__(self, origin: Url) -> None:
        self._clock = Clock()
        self._transport = made_for(origin, httpx.AsyncHTTPTransport)
        pool: Any = self._transport._pool
        self._backend = pool._network_backend = _TimedBackend(pool._network_backend, self._clock)

    async def send(self, request: Request) -> AsyncHTTPXResponse:
        """Send, and wait for the head of the answer."""
        self._clock.deadline = request.deadline
        with OF_HTTPX:
            response = await self._transport.handle_async_request(as_httpx(httpx, request))
        return AsyncHTTPXResponse(response, OF_HTTPX)

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        self._clock.deadline = min(self._clock.deadline, time.monotonic() + seconds)
        return True

    def abandon(self) -> None:
        """Close the connection of an event loop that is closed."""
        self._backend.abandon()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


class AsyncClientResponse(AsyncHTTPXResponse):
    """An answer to a user's own client, whose timeouts bound each read: the whole is watched here."""

    def __init__(self, response: Any, translated: Translated, deadline: float) -> None:
        super().__init__(response, translated)
        self._deadline = deadline

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, decoded, as it comes."""
        pieces = self._response.aiter_bytes()
        with self._translated:
            while True:
                chunk = await _before(self._deadline, partial(async_following, pieces))
                if chunk is None:
                    return
                if time.monotonic() > self._deadline:
                    raise _too_late()
                yield chunk


class AsyncClientTransport:
    """A user's own `httpx.AsyncClient` (or httpx2's), used as it is. It stays the user's to close."""

    def __init__(self, client: Any, *, elsewhere: bool = False) -> None:
        """`elsewhere` is an address that the platform has told: the client's `auth` is not meant for it."""
        self._client = checked(client, "AsyncClient")
        self._auth = {"auth": None} if elsewhere else {}
        self._library = library_of(client)
        self._translated = Translated(self._library)

    async def send(self, request: Request) -> AsyncHTTPXResponse:
        """Send, and wait for the head of the answer."""
        asked = as_httpx(self._library, request)
        send = partial(self._client.send, asked, stream=True, follow_redirects=False, **self._auth)
        with self._translated:
            response = await _before(request.deadline, send)
        return AsyncClientResponse(response, self._translated, request.deadline)

    def hasten(self, seconds: float) -> bool:
        """It cannot be: the timeouts are the user's."""
        return False

    async def aclose(self) -> None:
        """Nothing: the client is the user's."""


async def _before(deadline: float, action: Any) -> Any:
    try:
        return await async_within(deadline - time.monotonic() + _LENIENCE, action)
    except TimeoutError as error:
        raise _too_late() from error


def _too_late() -> TransportError:
    return TransportError("read timeout: the time limit was reached", timed_out=True, sent=True)
