"""The server that every contender talks to: three APIs' shapes, answered from prebuilt bytes.

It does no work worth naming, so that what is measured is the client. As a process:
`python benchmarks/server.py` prints its address and serves until standard input ends.

The path before an API's own says how to answer: `/2000x64/…` streams 2000 pieces of text, 64 to a
write (and to an HTTP chunk); `/100ms/…` answers after a tenth of a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import dataclass
from functools import cache

ANSWER = "Hello, how can I help you today?"
PIECE = "token "
_TARGET = re.compile(r"^\S+ (?:/(\d+)x(\d+))?(?:/(\d+)ms)?(/\S*) HTTP")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
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
        return (_head("404 Not Found", "application/json", "Content-Length: 2") + b"{}",)
    if not streamed:
        length = f"Content-Length: {len(shape.whole)}"
        return (_head("200 OK", "application/json", length) + shape.whole,)
    text = [min(per_write, pieces - first) for first in range(0, pieces, per_write)]
    events = [shape.opening, *(shape.piece * count for count in text), shape.closing]
    head = _head("200 OK", "text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")
    return (head, *(_chunk(block) for block in events if block), _chunk(b""))


def _head(status: str, kind: str, framing: str) -> bytes:
    return _HEAD.format(status=status, kind=kind, framing=framing).encode()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        """Answer the first whole request of what has been received, if there is one."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        if not end or len(rest) < size:
            return False
        body, self._received = rest[:size], rest[size:]
        self._answer(head, body)
        return True

    def _answer(self, head: bytes, body: bytes) -> None:
        target = _TARGET.match(head.decode("latin-1"))
        assert target is not None
        pieces, per_write, pause, path = target.groups()
        writes = answer(path, bool(_STREAMED.search(body)), int(pieces or 5), int(per_write or 1))
        if pause:
            asyncio.get_running_loop().call_later(int(pause) / 1000, self._write, writes)
        else:
            self._write(writes)

    def _write(self, writes: tuple[bytes, ...]) -> None:
        for data in writes:
            self._transport.write(data)


async def serve() -> None:
    """Serve until standard input ends, as it does when whoever started this process is gone."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, os.read, 0, 1)


if __name__ == "__main__":
    asyncio.run(serve())
