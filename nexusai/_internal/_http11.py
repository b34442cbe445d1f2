# Generated from nexusai/aio/_internal/_http11.py by scripts/unasync.py: edit that file.

"""HTTP/1.1 straight on a socket: h11 knows the protocol, and here are the reads and writes around it.

It is what httpx does underneath, without what an SDK has no use for: cookies, redirects, authentication
flows, a second pool. A call costs half as much.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Iterator, List, Mapping, Optional

import h11

from nexusai._internal._runtime import finish
from nexusai._internal._sockets import Socket, TimedOut
from nexusai._internal._transport import (
    CONNECT_TIMEOUT,
    KEEPALIVE_EXPIRY,
    Header,
    Request,
    TransportError,
    Url,
)

_READ_BYTES = 64 * 1024
_LONG_READ_BYTES = 256 * 1024
"""Of a long body; memory for as much at once is dearer than an event of a stream."""
_WRITE_BYTES = 128 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_LONG_BODY_DIGITS = 6
"""A body of a million bytes and more is counted here, and not copied through h11."""


class HTTP11Transport:
    """One connection to one origin, opened at the first request, and again where it was lost."""

    def __init__(self, origin: Url) -> None:
        self._origin = origin
        self._host = (b"host", origin.authority.encode("ascii"))
        self._socket: Optional[Socket] = None
        self._protocol = h11.Connection(h11.CLIENT, _MAX_HEAD_BYTES)
        self._expires = 0.0
        self._deadline = 0.0
        self._idle = 0.0

    def send(self, request: Request) -> HTTP11Response:
        """Send, and wait for the head of the answer."""
        self._deadline, self._idle = request.deadline, request.idle
        sock = self._socket
        if sock is not None and (time.monotonic() > self._expires or sock.is_readable()):
            self.close()  # when nothing was asked for, what can be read is the end
        if self._socket is None:
            self._connect()
        try:
            self._write_request(request)
            return HTTP11Response(self, self._read_head())
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        timeout = min(CONNECT_TIMEOUT, self._patience("connect timeout", sent=False))
        try:
            self._socket = Socket.connect(self._origin, timeout)
        except OSError as error:
            raise _failure("connect", error, sent=False) from error
        self._protocol = h11.Connection(h11.CLIENT, _MAX_HEAD_BYTES)

    def _write_request(self, request: Request) -> None:
        body = request.body
        try:
            head = _request_of(request, self._host)
            if body is None:
                self._write(self._encoded(head, h11.EndOfMessage()))
            elif isinstance(body, bytes):
                self._write(self._encoded(head, h11.Data(data=body), h11.EndOfMessage()))
            else:
                self._write(self._encoded(head))
                self._write_blocks(body)
        except h11.LocalProtocolError as error:
            raise _failure("local protocol", error) from error
        except OSError as error:
            if isinstance(error, TimedOut):
                raise _failure("write", error) from error
            # A server that refuses what is still on its way to it hangs up: its answer can be read.

    def _write_blocks(self, body: Any) -> None:
        assert self._socket is not None  # noqa: S101 - the head was written to it
        blocks: Any = self._encoded_blocks(body)
        try:
            self._socket.write_all(blocks, lambda: self._patience("write timeout"))
        finally:
            finish(blocks.close)

    def _encoded(self, *events: h11.Event) -> bytes:
        return b"".join([self._protocol.send(event) or b"" for event in events])

    def _encoded_blocks(self, body: Any) -> Iterator[bytes]:
        """None is empty: Python before 3.10 takes an empty write for a broken TLS connection."""
        for block in body:
            if block:
                yield self._encoded(h11.Data(data=block))
        if end := self._encoded(h11.EndOfMessage()):
            yield end

    def _write(self, data: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - `send` has connected it
        if len(data) <= _WRITE_BYTES:
            self._socket.write(data, self._patience("write timeout"))
            return
        rest = memoryview(data)
        while rest:
            self._socket.write(rest[:_WRITE_BYTES], self._patience("write timeout"))
            rest = rest[_WRITE_BYTES:]

    def _read_head(self) -> h11.Response:
        while True:
            event = self.next_event()
            if isinstance(event, h11.Response):
                return event

    def next_event(self) -> object:
        """What the server says next, in h11's words."""
        protocol = self._protocol
        while True:
            try:
                event = protocol.next_event()
            except h11.RemoteProtocolError as error:
                raise _failure("remote protocol", error) from error
            if event is not h11.NEED_DATA:
                return event
            protocol.receive_data(self._read())

    def _read(self, most: int = _READ_BYTES) -> bytes:
        sock = self._socket
        if sock is None:
            raise TransportError("read error: the connection was closed", timed_out=False, sent=True)
        try:
            data = sock.read(most, self._patience("read timeout"))
        except OSError as error:
            raise _failure("read", error) from error
        if not data and self._protocol.their_state is h11.SEND_RESPONSE:
            raise TransportError("the server disconnected without an answer", timed_out=False, sent=True)
        return data

    def _patience(self, what: str, *, sent: bool = True) -> float:
        """Seconds that the next step may take."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TransportError(f"{what}: the time limit was reached", timed_out=True, sent=sent)
        return min(self._idle, left)

    def long_body_length(self, headers: Mapping[str, str]) -> int:
        """How long the body is, where that is announced and more than h11 need copy; else 0."""
        length, protocol = headers.get("content-length", ""), self._protocol
        # Where this connection must not be used again, our side is not simply done.
        expected = protocol.our_state is h11.DONE and protocol.their_state is h11.SEND_BODY
        expected = expected and "transfer-encoding" not in headers
        return int(length) if expected and len(length) > _LONG_BODY_DIGITS and length.isdigit() else 0

    def long_body(self, length: int) -> Iterator[bytes]:
        """A body of so many bytes, straight from the socket."""
        left = length
        block, _ = self._protocol.trailing_data
        while left:
            if len(block) > left:
                raise TransportError(
                    "remote protocol error: more than was announced", timed_out=False, sent=True
                )
            left -= len(block)
            if block:
                yield block
            if left:
                block = self._read(_LONG_READ_BYTES)
                if not block:
                    what = f"read error: {left} of {length} bytes are missing"
                    raise TransportError(what, timed_out=False, sent=True)
        self._protocol = h11.Connection(h11.CLIENT, _MAX_HEAD_BYTES)

    def finish(self) -> None:
        """Keep the connection for another request, if both sides have said all they had to say."""
        protocol = self._protocol
        both_done = protocol.our_state is h11.DONE and protocol.their_state is h11.DONE
        if both_done and not protocol.trailing_data[0]:  # what nobody asked for answers nothing
            protocol.start_next_cycle()
        if protocol.our_state is h11.IDLE:
            self._expires = time.monotonic() + KEEPALIVE_EXPIRY
        else:
            self.close()

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        return True

    def abandon(self) -> None:
        """Close the connection of an event loop that is closed."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.abandon()

    def close(self) -> None:
        """Close the connection."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


class HTTP11Response:
    """An answer whose head has come. Read it, then close it."""

    def __init__(self, transport: HTTP11Transport, head: h11.Response) -> None:
        self._transport = transport
        self._open = True
        self.status = head.status_code
        self.headers: Mapping[str, str] = _headers_of(head)

    def chunks(self) -> Iterator[bytes]:
        """The body, as it comes."""
        transport = self._transport
        length = transport.long_body_length(self.headers)
        if length:
            for block in transport.long_body(length):
                yield block
        else:
            while True:
                event = transport.next_event()
                if not isinstance(event, h11.Data):  # h11 lets nothing but the end follow
                    break
                yield bytes(event.data)
        self.close()

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if self._open:
            self._open = False
            self._transport.finish()


def _request_of(request: Request, host: Header) -> h11.Request:
    headers: List[Header] = [host, *request.headers]
    if not any(name == b"content-length" for name, _ in headers):
        if isinstance(request.body, bytes):
            headers.append((b"content-length", str(len(request.body)).encode("ascii")))
        elif request.body is not None:
            headers.append((b"transfer-encoding", b"chunked"))
        elif request.method != "GET":
            headers.append((b"content-length", b"0"))
    return h11.Request(method=request.method, target=request.url.target, headers=headers)


def _headers_of(head: h11.Response) -> Dict[str, str]:
    headers: Dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _failure(step: str, error: Exception, *, sent: bool = True) -> TransportError:
    timed_out = isinstance(error, TimedOut)
    what = f"{step} {'timeout' if timed_out else 'error'}"
    return TransportError(f"{what}: {error}" if str(error) else what, timed_out=timed_out, sent=sent)
