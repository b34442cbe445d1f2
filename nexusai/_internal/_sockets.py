"""TCP and TLS in both colours, side by side: connect, read, write, each with a limit of time.

Everything that goes wrong on the wire is an `OSError`; what took too long a `TimeoutError` (on Python 3.8
and 3.9 also `socket.timeout`).
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Tuple, Union

from nexusai._internal._runtime import async_hears_cancellation, process, renewed_in_children
from nexusai._internal._transport import Url
from nexusai.error import APIError

TimedOut = (TimeoutError, socket.timeout)
_TCP = socket.IPPROTO_TCP
_WANTED = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (_TCP, "TCP_NODELAY", 1),
    (_TCP, "TCP_KEEPIDLE", 60),
    (_TCP, "TCP_KEEPINTVL", 30),
    (_TCP, "TCP_KEEPCNT", 4),
)
OPTIONS: List[Tuple[int, int, int]] = [
    (level, getattr(socket, name), value) for level, name, value in _WANTED if hasattr(socket, name)
]
"""A peer that is gone without a word, as behind a NAT that forgot it, is noticed within three minutes."""

Patience = Callable[[], float]
"""How many seconds the next write may take, asked before each."""
_EARLY_BYTES = 64 * 1024


class _Contexts:
    """By what they trust. Building one costs more than a hundred requests."""

    def __init__(self) -> None:
        self._made: Dict[Tuple[Optional[str], Optional[str]], Any] = {}
        self._renew()
        renewed_in_children(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def get(self, file: Optional[str], directory: Optional[str]) -> Any:
        with self._lock:
            if (file, directory) not in self._made:
                self._made[file, directory] = _new_context(file, directory)
            return self._made[file, directory]


_contexts = _Contexts()


def tls_context() -> Any:
    """One context for all connections.

    It trusts `SSL_CERT_FILE` or `SSL_CERT_DIR` where they are set, else the certificates of certifi.

    Raises:
        APIError: there are no certificates.
    """
    return _contexts.get(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def _new_context(file: Optional[str], directory: Optional[str]) -> Any:
    import ssl

    if not file and not directory:
        import certifi

        file = certifi.where()
    try:
        context = ssl.create_default_context(cafile=file or None, capath=directory or None)
    except OSError as error:
        place = f"{file or directory} ({'SSL_CERT_FILE' if file else 'SSL_CERT_DIR'})"
        raise APIError(f"There are no certificates to trust in {place}: {error}.") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class Socket:
    """A connected socket, with or without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock: Any = sock
        self._early: Optional[bytes] = None
        self._process = process()

    @classmethod
    def connect(cls, origin: Url, timeout: float) -> Socket:
        """Connect to an origin. TLS is verified."""
        _, host, port = origin.origin
        until = time.monotonic() + timeout
        sock = _dialled(host, port, until)
        try:
            for option in OPTIONS:
                sock.setsockopt(*option)
            if origin.scheme == "https":
                sock.settimeout(_left(until))
                sock = tls_context().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def read(self, max_bytes: int, timeout: Optional[float]) -> bytes:
        """What comes next; nothing when the other side has ended."""
        if self._early is not None:
            early, self._early = self._early, None
            return early
        self._sock.settimeout(timeout)
        data: bytes = self._sock.recv(max_bytes)
        return data

    def write(self, data: Union[bytes, memoryview], timeout: Optional[float]) -> None:
        """Send all of it."""
        self._sock.settimeout(timeout)
        self._sock.sendall(data)

    def write_all(self, blocks: Iterator[bytes], patience: Patience) -> None:
        """Send all of these, or until the other side answers before it has them."""
        for block in blocks:
            if self.is_readable():
                return
            self.write(block, patience())

    def is_readable(self) -> bool:
        """Whether there is something to read, or the other side has ended."""
        if self._early is not None:
            return True
        secure = hasattr(self._sock, "pending")
        if not _is_readable(self._sock) and not (secure and self._sock.pending()):
            return False
        if secure:
            self._early = self._peek()
        return not secure or self._early is not None

    def _peek(self) -> Optional[bytes]:
        """What has come; None if that was only TLS's own, such as the tickets that follow a handshake."""
        import ssl

        self._sock.settimeout(0)
        try:
            data: bytes = self._sock.recv(_EARLY_BYTES)
            return data
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return None
        except OSError:
            return b""

    def close(self) -> None:
        """Close the connection. A thread that just reads from it sees it end.

        In a forked child it is the parent's: it goes on there.
        """
        if self._process is process():
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    abandon = close

    def __del__(self) -> None:
        self._sock.close()  # of a client that nobody has closed: without a warning


class AsyncSocket:
    """A connected socket, with or without TLS, on asyncio or trio."""

    def __init__(self, stream: Any, sock: socket.socket, transport: Any) -> None:
        self._stream = stream
        self._sock = sock
        self._transport = transport
        self._early: Optional[bytes] = None

    @classmethod
    @async_hears_cancellation
    async def connect(cls, origin: Url, timeout: float) -> AsyncSocket:
        """Connect to an origin. TLS is verified."""
        import anyio
        from anyio.abc import SocketAttribute

        _, host, port = origin.origin
        with anyio.fail_after(timeout):
            stream: Any = await _connected(host, port)
            sock = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - this is no Django
            transport = getattr(stream, "_transport", None)
            try:
                for option in OPTIONS:
                    sock.setsockopt(*option)
                if origin.scheme == "https":
                    from anyio.streams.tls import TLSStream

                    stream = await TLSStream.wrap(
                        stream,
                        hostname=host,
                        ssl_context=tls_context(),
                        server_side=False,
                        standard_compatible=False,
                    )
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                await anyio.aclose_forcefully(stream)
                raise _as_os_error(error) from None
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise
        return cls(stream, sock, transport)

    @async_hears_cancellation
    async def read(self, max_bytes: int, timeout: Optional[float]) -> bytes:
        """What comes next; nothing when the other side has ended."""
        return await self._received(max_bytes, timeout)

    async def _received(self, max_bytes: int, timeout: Optional[float]) -> bytes:
        """The same in the caller's own task, where a scope that ends loses nothing that has come."""
        import anyio

        if self._early is not None:
            early, self._early = self._early, None
            return early
        with anyio.fail_after(timeout):
            try:
                data: bytes = await self._stream.receive(max_bytes)
                return data
            except anyio.EndOfStream:
                return b""
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise _as_os_error(error) from error

    @async_hears_cancellation
    async def write(self, data: Union[bytes, memoryview], timeout: Optional[float]) -> None:
        """Send all of it."""
        import anyio

        with anyio.fail_after(timeout):
            try:
                await self._stream.send(data)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise _as_os_error(error) from error

    @async_hears_cancellation
    async def write_all(self, blocks: AsyncIterator[bytes], patience: Patience) -> None:
        """Send all of these, or until the other side answers before it has them.

        An event loop that fails to write gives the connection up with all that was to be read from it: an
        early answer has to be read at once.
        """
        import anyio

        async def listen() -> None:
            with suppress(OSError):  # the writer hears of it too
                self._early = await self._received(_EARLY_BYTES, None)
                group.cancel_scope.cancel()

        failure: Optional[Exception] = None
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            try:
                async for block in blocks:
                    await self.write(block, patience())
            except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None and self._early is None:
            raise failure

    def is_readable(self) -> bool:
        """Whether there is something to read, or the other side has ended."""
        return _is_readable(self._sock)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    def abandon(self) -> None:
        """Close the connection of an event loop that is closed."""
        close_without_loop(self._transport)


def close_without_loop(transport: Any) -> None:
    """Close an asyncio transport whose event loop is closed.

    Its own `close` asks the loop to, which does nothing any more: the socket would stay open until the
    garbage collector finds it. Where asyncio has no such method, it does.
    """
    lost = getattr(transport, "_call_connection_lost", None)
    if lost is not None:
        with suppress(Exception):
            lost(None)


async def _connected(host: str, port: int) -> Any:
    import anyio

    try:
        return await anyio.connect_tcp(host, port)
    except OSError as error:  # it says that all attempts failed; why, its cause does
        first: object = getattr(error.__cause__, "exceptions", (error.__cause__,))[0]
        raise (first if isinstance(first, OSError) else error) from None


def _dialled(host: str, port: int, until: float) -> socket.socket:
    """A connection to one of a host's addresses, all of them within one limit; it ends at `until`.

    How long a name takes to be found is up to the system: nothing can cut that short.
    """
    failure: Optional[OSError] = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(_left(until))
            sock.connect(address)
            return sock
        except OSError as error:
            failure = error
            if sock is not None:
                sock.close()
        except BaseException:
            if sock is not None:
                sock.close()
            raise
    raise failure or OSError(f"{host} has no address")


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit was reached")
    return left


def _as_os_error(error: BaseException) -> OSError:
    cause = error.__cause__
    return cause if isinstance(cause, OSError) else OSError(str(cause or error) or "the connection is broken")


def _is_readable(sock: socket.socket) -> bool:
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
