"""The wire: the only module that imports httpx.

A transport holds one connection to one origin. httpx's own pool is not used: it loses its slots when
requests are cancelled while connecting, and slows down quadratically under concurrency. Its
transports are, so that what users test and trace with (pytest-httpx, respx, OpenTelemetry) sees every
request.

A deadline is enforced where time is really spent, in each read and write of the socket, so that a
server which sends one byte a second cannot outlast it.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from functools import lru_cache
from typing import (
    Any,
    AsyncIterator,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

import httpcore
import httpx

Header = Tuple[bytes, bytes]
Body = Union[None, bytes, Iterator[bytes], AsyncIterator[bytes]]
CONNECT_TIMEOUT = 10.0
KEEPALIVE_EXPIRY = 60.0
_FAR = float("inf")


class Request(NamedTuple):
    """What is sent, and how long its parts may take.

    `deadline` is a point on the monotonic clock; `idle` seconds bound each silence on the wire.
    """

    method: str
    url: httpx.URL
    headers: List[Header]
    body: Body
    deadline: float
    idle: float


class TransportError(Exception):
    """The request did not get its answer.

    Attributes:
        timed_out: a limit of time was reached.
        sent: the server may have seen the request.
    """

    def __init__(self, message: str, *, timed_out: bool, sent: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.sent = sent


@lru_cache(maxsize=256)
def parse_url(url: str) -> httpx.URL:
    """`url`, ready to be sent to. A client asks for the same few again and again."""
    return httpx.URL(url)


def with_query(url: httpx.URL, parameters: Mapping[str, str]) -> httpx.URL:
    """`url` with these parameters."""
    return url.copy_with(params=dict(parameters)) if parameters else url


def origin_of(url: httpx.URL) -> Tuple[str, str, Optional[int]]:
    """Scheme, host and port: what a key is sent to."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


class _Clock:
    """The deadline of the request that a transport is busy with."""

    def __init__(self) -> None:
        self.deadline = _FAR

    def clip(self, timeout: Optional[float], error: type) -> Optional[float]:
        """`timeout`, but not beyond the deadline; `error` when that has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error("the time limit was reached")
        if timeout is None:
            return None if left == _FAR else left
        return min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        return self._stream.read(max_bytes, self._clock.clip(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        self._stream.write(buffer, self._clock.clip(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> httpcore.NetworkStream:
        timeout = self._clock.clip(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TimedBackend(httpcore.NetworkBackend):
    def __init__(self, backend: httpcore.NetworkBackend, clock: _Clock) -> None:
        self._backend = backend
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Optional[float] = None,
        local_address: Optional[str] = None,
        socket_options: Optional[Iterable[Any]] = None,
    ) -> httpcore.NetworkStream:
        timeout = self._clock.clip(timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _TimedStream(stream, self._clock)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _AsyncTimedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, clock: _Clock) -> None:
        self._stream = stream
        self._clock = clock

    async def read(self, max_bytes: int, timeout: Optional[float] = None) -> bytes:
        return await self._stream.read(max_bytes, self._clock.clip(timeout, httpcore.ReadTimeout))

    async def write(self, buffer: bytes, timeout: Optional[float] = None) -> None:
        await self._stream.write(buffer, self._clock.clip(timeout, httpcore.WriteTimeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> httpcore.AsyncNetworkStream:
        timeout = self._clock.clip(timeout, httpcore.ConnectTimeout)
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _AsyncTimedStream(stream, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncTimedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, backend: httpcore.AsyncNetworkBackend, clock: _Clock) -> None:
        self._backend = backend
        self._clock = clock

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
        return _AsyncTimedStream(stream, self._clock)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class Response:
    """An answer whose head has come. Read it, then close it."""

    def __init__(self, response: Any, translated: _Translated) -> None:
        self._response = response
        self._translated = translated
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        """The body, decoded, as it comes."""
        with self._translated:
            yield from self._response.iter_bytes()

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._response.close()


class AsyncResponse:
    """An answer whose head has come. Read it, then close it."""

    def __init__(self, response: Any, translated: _Translated) -> None:
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


class Transport:
    """One connection to one origin."""

    def __init__(self, origin: httpx.URL) -> None:
        self._clock = _Clock()
        self._transport = httpx.HTTPTransport(**_options(origin))
        pool: Any = self._transport._pool
        pool._network_backend = _TimedBackend(pool._network_backend, self._clock)

    def send(self, request: Request) -> Response:
        """Send, and wait for the head of the answer."""
        self._clock.deadline = request.deadline
        with _OF_HTTPX:
            response = self._transport.handle_request(_httpx_request(httpx, request))
        return Response(response, _OF_HTTPX)

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        self._clock.deadline = min(self._clock.deadline, time.monotonic() + seconds)
        return True

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


class AsyncTransport:
    """One connection to one origin."""

    def __init__(self, origin: httpx.URL) -> None:
        self._clock = _Clock()
        self._transport = httpx.AsyncHTTPTransport(**_options(origin))
        pool: Any = self._transport._pool
        pool._network_backend = _AsyncTimedBackend(pool._network_backend, self._clock)

    async def send(self, request: Request) -> AsyncResponse:
        """Send, and wait for the head of the answer."""
        self._clock.deadline = request.deadline
        with _OF_HTTPX:
            response = await self._transport.handle_async_request(_httpx_request(httpx, request))
        return AsyncResponse(response, _OF_HTTPX)

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        self._clock.deadline = min(self._clock.deadline, time.monotonic() + seconds)
        return True

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


class ClientTransport:
    """A user's own `httpx.Client` (or httpx2's), used as it is. It stays the user's to close."""

    def __init__(self, client: Any) -> None:
        self._client = _checked(client, "Client")
        self._library = _library_of(client)
        self._translated = _Translated(self._library)

    def send(self, request: Request) -> Response:
        """Send, and wait for the head of the answer."""
        with self._translated:
            response = self._client.send(
                _httpx_request(self._library, request), stream=True, follow_redirects=False
            )
        return Response(response, self._translated)

    def hasten(self, seconds: float) -> bool:
        """It cannot be: the timeouts are the user's."""
        return False

    def close(self) -> None:
        """Nothing: the client is the user's."""


class AsyncClientTransport:
    """A user's own `httpx.AsyncClient` (or httpx2's), used as it is. It stays the user's to close."""

    def __init__(self, client: Any) -> None:
        self._client = _checked(client, "AsyncClient")
        self._library = _library_of(client)
        self._translated = _Translated(self._library)

    async def send(self, request: Request) -> AsyncResponse:
        """Send, and wait for the head of the answer."""
        with self._translated:
            response = await self._client.send(
                _httpx_request(self._library, request), stream=True, follow_redirects=False
            )
        return AsyncResponse(response, self._translated)

    def hasten(self, seconds: float) -> bool:
        """It cannot be: the timeouts are the user's."""
        return False

    async def aclose(self) -> None:
        """Nothing: the client is the user's."""


AnyTransport = Union[Transport, ClientTransport]
AsyncAnyTransport = Union[AsyncTransport, AsyncClientTransport]


def _checked(client: Any, wanted: str) -> Any:
    if wanted not in {base.__name__ for base in type(client).__mro__}:
        raise TypeError(f"http_client: expected an httpx.{wanted}, not {type(client).__name__}")
    return client


def _library_of(client: Any) -> Any:
    for base in type(client).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("httpx", "httpx2"):
            return sys.modules[package]
    return httpx


def _httpx_request(library: Any, request: Request) -> Any:
    left = max(request.deadline - time.monotonic(), 0.001)
    idle = min(request.idle, left)
    timeout = {"connect": min(CONNECT_TIMEOUT, idle), "read": idle, "write": idle, "pool": idle}
    return library.Request(
        request.method,
        request.url if library is httpx else str(request.url),
        headers=request.headers,
        content=request.body,
        extensions={"timeout": timeout},
    )


def _options(origin: httpx.URL) -> Dict[str, Any]:
    options: Dict[str, Any] = {
        "limits": httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY
        ),
        "trust_env": False,
        "verify": _tls(origin.scheme),
    }
    proxy = _proxy_for(origin)
    if proxy:
        options["proxy"] = httpx.Proxy(proxy)
    return options


_tls_contexts: Dict[str, ssl.SSLContext] = {}
_tls_lock = threading.Lock()


def _tls(scheme: str) -> ssl.SSLContext:
    """One context for all connections: building it costs more than a hundred requests.

    For plain http an empty one does, since nothing is ever verified with it.
    """
    with _tls_lock:
        if scheme not in _tls_contexts:
            _tls_contexts[scheme] = (
                httpx.create_ssl_context() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            )
        return _tls_contexts[scheme]


def _proxy_for(origin: httpx.URL) -> Optional[str]:
    """The proxy that the environment names for this origin; none for the machine itself."""
    from urllib.request import getproxies, proxy_bypass

    if origin.host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(origin.host):
        return None
    proxies = getproxies()
    return proxies.get(origin.scheme) or proxies.get("all")


class _Translated:
    """Turns the exceptions of httpx (or httpx2) into `TransportError`. It has no state."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        library = self._library
        if error is None or not isinstance(error, _failures(library)):
            return
        timed_out = isinstance(error, library.TimeoutException)
        unsent = (library.ConnectTimeout, library.PoolTimeout, library.ConnectError)
        sent = not isinstance(error, unsent)
        raise TransportError(_described(error), timed_out=timed_out, sent=sent) from error


def _failures(library: Any) -> Tuple[Any, ...]:
    return library.TransportError, library.DecodingError, library.StreamError


_OF_HTTPX = _Translated(httpx)


def _described(error: BaseException) -> str:
    name = type(error).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return f"{words}: {error}" if str(error) else words
