"""A server that does exactly what it is told, byte by byte, for what a good server never does.

Each request that arrives takes the next act of the script. What arrived is kept, and so is the moment
at which the other side hung up.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Set, Tuple

PATIENCE = 20.0


class Seen(NamedTuple):
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Dict[str, str]
    body: bytes
    lines: List[Tuple[str, str]]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """The server's end of a connection, for an act to play on."""

    def __init__(self, sock: socket.socket, server: FaultServer) -> None:
        self._sock = sock
        self._server = server
        self._buffer = b""
        self.seen: Optional[Seen] = None
        """The request that the act answers."""

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def close(self) -> None:
        self._sock.close()

    def reset(self) -> None:
        """Hang up with a RST instead of a FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def wait_for_hang_up(self) -> None:
        """Wait until the other side has closed, and tell the test."""
        while self._sock.recv(65536):
            pass
        self._server.hung_up.set()

    def pause(self, seconds: float) -> None:
        """Be silent, unless the test is over before."""
        self._server.stopping.wait(seconds)

    def request(self) -> Optional[Seen]:
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in map(_cut, lines)]
        headers = dict(pairs)
        body = self._body(headers)
        return Seen(method, target, headers, body, pairs)

    def _body(self, headers: Dict[str, str]) -> bytes:
        size = int(headers.get("content-length", "0"))
        if self._server.swallow is not None:
            self._server.swallow.append(self._drain(size))
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunked()
        return self._exactly(size)

    def _drain(self, size: int) -> int:
        """Take so many bytes and forget them."""
        left, self._buffer = size - len(self._buffer), b""
        memory = bytearray(1024 * 1024)
        while left > 0:
            got = self._sock.recv_into(memory)
            if not got:
                break
            left -= got
        return size - left

    def _chunked(self) -> bytes:
        whole = b""
        while True:
            line = self._until(b"\r\n")
            size = int(line or b"0", 16)
            whole += self._exactly(size)
            self._until(b"\r\n")
            if not size:
                return whole

    def _until(self, mark: bytes) -> Optional[bytes]:
        while mark not in self._buffer:
            data = self._sock.recv(65536)
            if not data:
                return None
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self._sock.recv(65536)
            if not data:
                break
            self._buffer += data
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body


def _cut(line: str) -> Tuple[str, str, str]:
    return line.partition(":")


Act = Callable[[Connection], None]


class FaultServer:
    """Listens on the loopback; `plays(...)` writes its script."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._script: Deque[Act] = deque()
        self._sockets: Set[socket.socket] = set()
        self.requests: List[Seen] = []
        self.connections = 0
        self.peak = 0
        """How many requests had come, at most, before any of them was answered."""
        self._unanswered = 0
        self._lock = threading.Lock()
        self.chooses: Optional[Callable[[Seen], Act]] = None
        """Where it is set, it finds the act for each request, in place of the script."""
        self.forgets = False
        """Whether requests are not kept: of thousands, they would be what grows."""
        self.swallow: Optional[List[int]] = None
        """Where a list stands, bodies are not kept: how long they were is put there."""
        self.hung_up = threading.Event()
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"

    @property
    def open_connections(self) -> int:
        return len(self._sockets)

    def plays(self, *acts: Act) -> None:
        self._script.extend(acts)

    def stop(self) -> None:
        self.stopping.set()
        for sock in [self._listener, *list(self._sockets)]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            self._sockets.add(sock)
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock, self)
        try:
            while True:
                seen = connection.request()
                if seen is None:
                    return
                if not self.forgets:
                    self.requests.append(seen)
                connection.seen = seen
                self._count(1)
                try:
                    act = self._next_act(seen)
                finally:
                    self._count(-1)
                act(connection)
        except OSError:
            self.hung_up.set()
        finally:
            sock.close()
            self._sockets.discard(sock)

    def _count(self, more: int) -> None:
        with self._lock:
            self._unanswered += more
            self.peak = max(self.peak, self._unanswered)

    def _next_act(self, seen: Seen) -> Act:
        if self.chooses is not None:
            is_whole = len(seen.body) >= int(seen.headers.get("content-length", "0"))
            return self.chooses(seen) if is_whole else drop()
        return self._script.popleft() if self._script else reply(599, {"detail": "script over"})


def reply(status: int = 200, body: Any = None, *, raw: Optional[bytes] = None, **headers: str) -> Act:
    """An ordinary answer. Header names are written with `_` for `-`."""
    content = json.dumps(body).encode() if raw is None else raw
    lines = {"content-type": "application/json", "content-length": str(len(content))}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    return send(head(status, lines) + content)


def head(status: int, lines: Dict[str, str]) -> bytes:
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Whatever\r\n{text}\r\n".encode("latin-1")


def send(*pieces: bytes) -> Act:
    """These bytes, and nothing else: the connection stays open."""

    def act(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)

    return act


def trickle(data: bytes, pause: float) -> Act:
    """One byte at a time."""

    def act(connection: Connection) -> None:
        for index in range(len(data)):
            connection.send(data[index : index + 1])
            connection.pause(pause)

    return act


def drop(*pieces: bytes) -> Act:
    """Send these bytes, then close."""

    def act(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        connection.close()

    return act


def reset(*pieces: bytes) -> Act:
    """Send these bytes, then break the connection."""

    def act(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        connection.reset()

    return act


def hang(*pieces: bytes) -> Act:
    """Send these bytes, then say nothing more until the other side hangs up."""

    def act(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        connection.wait_for_hang_up()

    return act


def repeat(piece: bytes, pause: float, first: bytes = b"") -> Act:
    """The same bytes again and again, until the other side hangs up."""

    def act(connection: Connection) -> None:
        connection.send(first)
        while not connection._server.stopping.is_set():
            connection.send(piece)
            connection.pause(pause)

    return act


STREAM_HEAD = head(200, {"content-type": "text/event-stream", "x-request-id": "req_s", "x-task-id": "task_s"})


def event(chunk: Any) -> bytes:
    data = chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False)
    return f"data: {data}\n\n".encode()


def delta(text: str) -> bytes:
    return event({"delta": {"content": text}})


DONE = b"data: [DONE]\n\n"


def stream(*events: bytes) -> Act:
    """A whole event stream, ended by closing the connection."""
    return drop(STREAM_HEAD, *events)


def completed(text: str = "hello", task_id: str = "task_1") -> Dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    output = {"text": text, "usage": usage, "model": "m", "finish_reason": "stop"}
    return {"task_id": task_id, "status": "completed", "task_type": "text_generation", "output": output}
