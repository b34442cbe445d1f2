"""A model hub that behaves as it is told: Range, redirects, cuts, stalls, wrong answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How one request is answered; the last of a list answers all that follow."""

    status: int = 200
    redirect: str = ""
    ignore_range: bool = False
    cut_after: int | None = None  # bytes of the body, then the connection is dropped
    hold_after: int | None = None  # bytes of the body, then nothing until `release`
    body: bytes | None = None
    length: bool = True  # announce it
    content_range: str = ""


@dataclass
class Hub:
    """The files, the script, and what was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    script: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def next_answer(self) -> Answer:
        if len(self.script) > 1:
            return self.script.pop(0)
        return self.script[0] if self.script else Answer()


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _serve(self, hub)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _serve(handler: BaseHTTPRequestHandler, hub: Hub) -> None:
    asked = handler.headers.get("Range")
    hub.ranges.append(asked)
    answer = hub.next_answer()
    handler.close_connection = True
    if answer.redirect:
        _head(handler, 302, {"Location": answer.redirect, "Content-Length": "0"})
        return
    whole = answer.body if answer.body is not None else hub.files.get(handler.path)
    if whole is None or answer.status >= 400:
        _head(handler, answer.status if answer.status >= 400 else 404, {"Content-Length": "0"})
        return
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not answer.ignore_range else 0
    headers = {"Content-Length": str(len(whole) - start)} if answer.length else {}
    if start:
        headers["Content-Range"] = answer.content_range or f"bytes {start}-{len(whole) - 1}/{len(whole)}"
    _head(handler, 206 if start else 200, headers)
    _send(handler, hub, answer, whole[start:])


def _head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Connection": "close"}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _send(handler: BaseHTTPRequestHandler, hub: Hub, answer: Answer, body: bytes) -> None:
    try:
        if answer.hold_after is not None:
            handler.wfile.write(body[: answer.hold_after])
            handler.wfile.flush()
            hub.release.wait(60)
            body = body[answer.hold_after :]
        handler.wfile.write(body[: answer.cut_after])
    except OSError:
        pass  # nobody reads any more
