"""A receiver of webhooks that does what the test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Got:
    """A call that came in. `headers` by names in lower case."""

    headers: dict[str, str]
    body: bytes


class Receiver(ThreadingHTTPServer):
    """Answers with the next of `answers`, (status, headers), and with 204 when there is none left."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.body = b""
        self.got: list[Got] = []
        self.open = threading.Event()
        """Cleared by a test that wants the answers held back."""
        self.open.set()
        self.under_way = self.most_under_way = 0
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/回调?x=1"

    def wait_for(self, count: int, seconds: float = 15) -> list[Got]:
        """The calls, as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, seconds), len(self.got)
            return list(self.got)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        receiver = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        with receiver.changed:
            receiver.got.append(Got({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.under_way += 1
            receiver.most_under_way = max(receiver.most_under_way, receiver.under_way)
            status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
            receiver.changed.notify_all()
        receiver.open.wait(20)
        with receiver.changed:
            receiver.under_way -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(receiver.body)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the caller went away
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver in a thread of its own."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        receiver.shutdown()
        receiver.server_close()
        thread.join(10)
