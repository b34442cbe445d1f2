"""A small OpenAI-compatible server that does what the request tells it to.

In a test: `with FakeUpstream() as upstream: upstream.base_url, upstream.requests`.
As a process: `python tests/server/upstream.py [port]` prints its base URL; `GET /log` tells what it saw.

The body's `fake` object (for callers of the platform: `config={"fake": {…}}`) says how to answer:

    tokens         how many pieces of text (5); they read "w0 w1 w2 …"
    text           one piece of text instead
    delay          seconds between pieces (0)
    first_delay    seconds before the answer's head (0)
    silent         seconds between the answer's head and its first piece (0)
    status, error  answer this status with `{"error": error}` instead
    headers        further response headers
    error_after    after so many pieces send an error event
    break_after    after so many pieces drop the connection
    gated          answer only while the test keeps `gate` set (it is at first)
    no_usage       do not tell the usage
    no_options     refuse `stream_options`, as old servers do
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """A request, and how it ended: `finished`, or `disconnected` by the client."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    state: str = "running"
    began_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0
    began: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def end(self, state: str) -> None:
        self.state, self.ended_at = state, time.monotonic()
        self.ended.set()


class FakeUpstream:
    """The server, in a thread of its own."""

    models = ("fake-small", "fake-large")

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.requests: list[Seen] = []
        self.gate = threading.Event()
        self.gate.set()
        self._arrived = threading.Condition()

    def __enter__(self) -> FakeUpstream:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="fake-upstream", daemon=True
        )
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def chats(self) -> list[Seen]:
        """The completions that were asked for."""
        return [seen for seen in self.requests if seen.path.endswith("/chat/completions")]

    def wait_for_chats(self, count: int, timeout: float = 10) -> list[Seen]:
        """The completions, as soon as there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.chats()) >= count, timeout)
        return self.chats()

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._handlers: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connect, "127.0.0.1", self._port, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(path, headers, json.loads(raw) if raw else {})
        with self._arrived:
            self.requests.append(seen)
            self._arrived.notify_all()
        if path.endswith("/chat/completions"):
            return await self._chat(seen, reader, writer)
        if path == "/log":
            body = [{"path": s.path, "state": s.state, "body": s.body} for s in self.requests]
            await self._json(writer, 200, body)
        elif path.endswith("/models"):
            data = [{"id": name, "object": "model", "owned_by": "fake"} for name in self.models]
            await self._json(writer, 200, {"object": "list", "data": data})
        else:
            await self._json(writer, 404, {"error": {"message": f"no {method} {path}"}})
        seen.end("finished")
        return True

    async def _chat(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer while watching for the client to go away."""
        answering = asyncio.ensure_future(self._answer(seen, writer))
        gone = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone in done and not answering.done():
            seen.end("disconnected")
        for task in (answering, gone):
            task.cancel()
        await asyncio.gather(answering, gone, return_exceptions=True)
        if seen.state == "running":
            seen.end("finished" if answering.exception() is None else "disconnected")
        return False

    async def _answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        fake = seen.body.get("fake") or {}
        await asyncio.sleep(fake.get("first_delay", 0))
        while fake.get("gated") and not self.gate.is_set():
            await asyncio.sleep(0.01)
        if fake.get("no_options") and "stream_options" in seen.body:
            error = {"message": "Unknown field: stream_options", "type": "invalid_request_error"}
            await self._json(writer, 400, {"error": error}, {"Connection": "close"})
            return
        if "status" in fake:
            headers = {"Connection": "close", **fake.get("headers", {})}
            await self._json(writer, fake["status"], {"error": fake.get("error", {})}, headers)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        await writer.drain()
        seen.began.set()
        await asyncio.sleep(fake.get("silent", 0))
        await self._pieces(seen, fake, writer)

    async def _pieces(self, seen: Seen, fake: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        model, tokens = seen.body["model"], fake.get("tokens", 5)
        texts = [fake["text"]] if "text" in fake else [f"w{number} " for number in range(tokens)]
        for number, text in enumerate(texts):
            if number == fake.get("break_after"):
                return
            if number == fake.get("error_after"):
                self._event(writer, {"error": fake.get("error", {"message": "it broke"})})
                return
            if number and fake.get("delay"):
                await asyncio.sleep(fake["delay"])
            delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            self._chunk(writer, model, [delta])
            await writer.drain()
        self._chunk(writer, model, [{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if "stream_options" in seen.body and not fake.get("no_usage"):
            usage = {"prompt_tokens": 7, "completion_tokens": len(texts)}
            usage["total_tokens"] = sum(usage.values())
            self._chunk(writer, model, [], usage=usage)
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()

    def _chunk(self, writer: asyncio.StreamWriter, model: str, choices: list[Any], **more: object) -> None:
        chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
        self._event(writer, {**chunk, "model": model, "choices": choices, **more})

    def _event(self, writer: asyncio.StreamWriter, data: object) -> None:
        writer.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    async def _json(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: object,
        headers: dict[str, str] | None = None,
    ) -> None:
        payload = json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(payload)}", "", ""]
        writer.write("\r\n".join(lines).encode() + payload)
        await writer.drain()


if __name__ == "__main__":
    with FakeUpstream(int(sys.argv[1]) if sys.argv[1:] else 0) as upstream:
        sys.stdout.write(upstream.base_url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
