"""The server that every contender talks to: three APIs' shapes, answered from prebuilt bytes.

It does no work worth naming, so that what is measured is the client. As a process:
`python benchmarks/server.py` prints its address and serves until standard input ends.

The path before an API's own says how to answer: `/2000x64/…` streams 2000 pieces of text, 64 to a
write (and to an HTTP chunk), `/2000x64/every900us/…` with so much time between two, so that each is read by
itself; `/20x1/hold1000/…` holds each stream after its first piece until 1000 are
open, and then goes on with all of them in turn; `/100ms/…` answers after a tenth of a second;
`/task100ms/…` accepts a task that takes so long; `/hashed/…` tells a download's checksum.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import resource
import struct
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache

TEXTS, DIMENSIONS = 256, 768
"""Of the embeddings."""

MEGABYTE = 1024 * 1024
ANSWER = "Hello, how can I help you today?"
PIECE = "token "
_TARGET = re.compile(
    r"^(?P<method>\S+) (?:/(?P<pieces>\d+)x(?P<per_write>\d+))?(?:/every(?P<every>\d+)us)?"
    r"(?:/hold(?P<hold>\d+))?(?:/(?P<pause>\d+)ms)?"
    r"(?:/task(?P<task>\d+)ms)?(?:/(?P<hashed>hashed))?(?:/(?P<size>\d+)MB)?(?P<path>/[^\s?]*)\S* HTTP"
)
_NONCE = re.compile(rb"nonce-\d+")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PACKED = re.compile(rb'"encoding_format": ?"base64"')
_STREAMED = re.compile(rb'"stream": ?true')
_HEAD = "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nX-Request-ID: req_bench\r\n{framing}\r\n\r\n"


@dataclass(frozen=True)
class Shape:
    """An API's answer: as a whole, and as the events before, for, and after each piece of text."""

    whole: bytes
    opening: bytes
    piece: bytes
    closing: bytes


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(value: object, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + _json(value) + b"\n\n"


def _nexus() -> Shape:
    usage = {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}
    output = {"text": ANSWER, "usage": usage, "model": "m", "finish_reason": "stop"}
    return Shape(
        whole=_json({"task_id": "task_0123456789abcdef", "status": "completed", "output": output}),
        opening=b"",
        piece=_event({"delta": {"content": PIECE}}),
        closing=_event({"usage": usage, "finish_reason": "stop", "model": "m"}) + b"data: [DONE]\n\n",
    )


def _openai() -> Shape:
    usage = {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}
    facts = {"id": "chatcmpl-0123456789abcdef", "created": 1763890000, "model": "m"}

    def answer(kind: str, **choice: object) -> dict[str, object]:
        return {**facts, "object": kind, "choices": [{"index": 0, "logprobs": None, **choice}]}

    def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
        return _event(answer("chat.completion.chunk", delta=delta, finish_reason=reason))

    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    whole = answer("chat.completion", message=message, finish_reason="stop")
    last = {**facts, "object": "chat.completion.chunk", "choices": [], "usage": usage}
    return Shape(
        whole=_json({**whole, "usage": usage}),
        opening=chunk({"role": "assistant", "content": ""}),
        piece=chunk({"content": PIECE}),
        closing=chunk({}, "stop") + _event(last) + b"data: [DONE]\n\n",
    )


def _anthropic() -> Shape:
    message = {"id": "msg_0123456789abcdef", "type": "message", "role": "assistant", "model": "m"}
    usage = {"input_tokens": 5, "output_tokens": 8}
    end = {"stop_reason": "end_turn", "stop_sequence": None}

    def event(kind: str, **facts: object) -> bytes:
        return _event({"type": kind, **facts}, kind)

    started: dict[str, object] = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    whole = {**message, "content": [{"type": "text", "text": ANSWER}], **end, "usage": usage}
    return Shape(
        whole=_json(whole),
        opening=event("message_start", message=started)
        + event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        piece=event("content_block_delta", index=0, delta={"type": "text_delta", "text": PIECE}),
        closing=event("content_block_stop", index=0)
        + event("message_delta", delta=end, usage={"output_tokens": 8})
        + event("message_stop"),
    )


SHAPES = {
    "/api/v1/invoke": _nexus(),
    "/v1/chat/completions": _openai(),
    "/v1/messages": _anthropic(),
}


@cache
def answer(path: str, streamed: bool, pieces: int, per_write: int) -> tuple[bytes, ...]:
    """The writes that answer a request."""
    shape = SHAPES.get(path)
    if shape is None:
        return (_json_answer(b"{}", "404 Not Found"),)
    if not streamed:
        return (_json_answer(shape.whole),)
    text = [min(per_write, pieces - first) for first in range(0, pieces, per_write)]
    events = [shape.opening, *(shape.piece * count for count in text), shape.closing]
    return (_STREAM_HEAD, *(_chunk(block) for block in events if block), _chunk(b""))


def vectors() -> list[list[float]]:
    """Numbers as a model makes them: float32."""
    numbers = (((7919 * at) % 20011) / 10007 - 1 for at in range(TEXTS * DIMENSIONS))
    packed = struct.pack(f"<{TEXTS * DIMENSIONS}f", *numbers)
    flat = struct.unpack(f"<{TEXTS * DIMENSIONS}f", packed)
    return [[*flat[row * DIMENSIONS : (row + 1) * DIMENSIONS]] for row in range(TEXTS)]


@cache
def embeddings(packed: bool) -> bytes:
    """The answer to a request for vectors."""
    rows: list[object] = [*vectors()]
    if packed:
        rows = [base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *row)).decode() for row in vectors()]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    usage = {"prompt_tokens": 2560, "total_tokens": 2560}
    return _json_answer(_json({"object": "list", "data": data, "model": "m", "usage": usage}))


UPLOADED = {
    "id": "file_bench",
    "object": "file",
    "bytes": 1,
    "purpose": "user_data",
    "status": "processed",
    "type": "file",
    "mime_type": "application/octet-stream",
    "size_bytes": 1,
    "file_id": "file_bench",
    "content_type": "application/octet-stream",
    "size": 1,
    "filename": "f",
    "created_at": "2026-01-01T00:00:00Z",
}
"""What is told of a file that was uploaded, in every API's shape at once."""


def _task(path: str, milliseconds: int | None) -> bytes:
    """A task's answer: the id of a task says when it ends."""
    if milliseconds is not None:
        task = f"task_{int((time.time() + milliseconds / 1000) * 1e6)}"
        return _json_answer(_json({"task_id": task, "status": "queued"}), "202 Accepted")
    task = path.rpartition("/")[2]
    end = int(task.removeprefix("task_")) / 1e6
    told: dict[str, object] = {"task_id": task, "status": "running", "task_type": "text_generation"}
    if time.time() >= end:
        moment = datetime.fromtimestamp(end, timezone.utc).isoformat()
        output = json.loads(SHAPES["/api/v1/invoke"].whole)["output"]
        told |= {"status": "completed", "finished_at": moment, "output": output}
    return _json_answer(_json(told))


@cache
def _content_head(megabytes: int, hashed: bool) -> bytes:
    lines = f"Content-Length: {megabytes * MEGABYTE}"
    if hashed:
        digest = hashlib.sha256()
        for _ in range(megabytes):
            digest.update(_block())
        lines += f'\r\nETag: "{digest.hexdigest()}"'
    return _head("200 OK", "application/octet-stream", lines)


@cache
def _block() -> bytes:
    return os.urandom(MEGABYTE)


def _json_answer(body: bytes, status: str = "200 OK") -> bytes:
    return _head(status, "application/json", f"Content-Length: {len(body)}") + body


def _head(status: str, kind: str, framing: str) -> bytes:
    return _HEAD.format(status=status, kind=kind, framing=framing).encode()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_STREAM_HEAD = _head("200 OK", "text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, held: list[HeldStream]) -> None:
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""
        self._upload = 0
        self._blocks = 0
        self._paused = False

    def data_received(self, data: bytes) -> None:
        if self._upload:
            taken = min(len(data), self._upload)
            self._upload -= taken
            if self._upload:
                return
            data = data[taken:]
            self._transport.write(_json_answer(_json(UPLOADED)))
        self._received += data
        while self._take_request():
            pass

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._produce()

    def _produce(self) -> None:
        """Of a download: as much as the other side takes now."""
        while self._blocks and not self._paused:
            self._blocks -= 1
            self._transport.write(_block())

    def _take_request(self) -> bool:
        """Answer the first whole request of what has been received, if there is one."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if end and b"/files" in head.partition(b"\r\n")[0] and len(rest) < size:  # not to be kept
            self._upload, self._received = size - len(rest), b""
            return False
        if not end or len(rest) < size:
            return False
        body, self._received = rest[:size], rest[size:]
        self._answer(head, body)
        return True

    def _answer(self, head: bytes, body: bytes) -> None:
        target = _TARGET.match(head.decode("latin-1"))
        assert target is not None
        path = target["path"]
        if path.endswith("/content"):
            self._blocks = int(target["size"])
            self._transport.write(_content_head(self._blocks, bool(target["hashed"])))
            self._produce()
        elif path.endswith("/files"):
            self._transport.write(_json_answer(_json(UPLOADED)))
        elif path.endswith("/embeddings"):
            self._transport.write(embeddings(bool(_PACKED.search(body))))
        elif target["task"]:
            started = int(target["task"]) if target["method"] == "POST" else None
            self._transport.write(_task(path, started))
        elif target["hold"]:
            self._hold(path, body, int(target["pieces"]), int(target["hold"]))
        else:
            streamed = bool(_STREAMED.search(body))
            writes = answer(path, streamed, int(target["pieces"] or 5), int(target["per_write"] or 1))
            if target["pause"]:
                loop = asyncio.get_running_loop()
                loop.call_later(int(target["pause"]) / 1000, self._write, writes)
            elif target["every"]:
                pacing = asyncio.get_running_loop().create_task(
                    self._pace(writes, int(target["every"]) / 1e6)
                )
                pacing.add_done_callback(asyncio.Task.result)
            else:
                self._write(writes)

    async def _pace(self, writes: tuple[bytes, ...], pause: float) -> None:
        """No timer is so fine, so the clock is watched."""
        for data in writes:
            self._transport.write(data)
            end = time.perf_counter() + pause
            while time.perf_counter() < end:  # noqa: ASYNC110 - nobody tells of a moment, but the clock
                await asyncio.sleep(0)

    def _hold(self, path: str, body: bytes, pieces: int, wanted: int) -> None:
        """Begin a stream whose every piece is what was asked for; go on when so many have begun."""
        shape = SHAPES[path]
        nonce = _NONCE.search(body)
        assert nonce is not None
        piece = _chunk(shape.piece.replace(PIECE.encode(), nonce[0] + b" "))
        self._transport.write(_STREAM_HEAD + (_chunk(shape.opening) if shape.opening else b"") + piece)
        self._held.append(HeldStream(self._transport, piece, _chunk(shape.closing) + _chunk(b"")))
        if len(self._held) == wanted:
            streams = [*self._held]
            self._held.clear()
            release = asyncio.get_running_loop().create_task(_release(streams, pieces - 1))
            release.add_done_callback(asyncio.Task.result)

    def _write(self, writes: tuple[bytes, ...]) -> None:
        for data in writes:
            self._transport.write(data)


@dataclass(frozen=True)
class HeldStream:
    """One that waits for the others."""

    transport: asyncio.Transport
    piece: bytes
    closing: bytes


async def _release(streams: list[HeldStream], pieces: int) -> None:
    for _ in range(pieces):
        for at, stream in enumerate(streams):
            stream.transport.write(stream.piece)
            if at % 100 == 0:
                await asyncio.sleep(0)
    for stream in streams:
        stream.transport.write(stream.closing)


async def serve() -> None:
    """Serve until standard input ends, as it does when whoever started this process is gone."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop = asyncio.get_running_loop()
    held: list[HeldStream] = []
    server = await loop.create_server(lambda: Connection(held), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, os.read, 0, 1)


if __name__ == "__main__":
    asyncio.run(serve())
