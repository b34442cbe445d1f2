"""`python -m benchmarks.reliability`: the same faults for every SDK; writes `docs/reliability.md`.

Each row is one fault, played byte by byte by a server on the loopback, with what a caller may expect. Every
contender meets it in a fresh process of its own environment, by its own public, synchronous interface.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, ROOT, Contender
from benchmarks.report import table
from benchmarks.server import _SHAPES, ANSWER, PIECE, Shape

sys.path.insert(0, str(ROOT / "tests"))
from faults.server import (
    Act,
    FaultServer,
    Seen,
    drop,
    hang,
    head,
    reply,
    reset,
    trickle,
)

PAGE = ROOT / "docs" / "reliability.md"
KEY = "nxs_canary_51c0ffee"
_CLIENT = Path(__file__).resolve().parent / "clients" / "meet.py"
_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
_EVENTS = head(200, {"content-type": "text/event-stream", "x-task-id": "task_s"})
_PATIENCE = 30
_STUCK = {"text": "", "error": "", "sdk_error": False, "leaked": False, "seconds": _PATIENCE, "megabytes": 0}
_ENDLESS = head(400, {"content-type": "text/plain"})
_MEGABYTE = 1024 * 1024


_TEXT = """\
# Reliability

Written by `make faults-peers` on {day}; do not edit.

The same faults for every SDK, played byte by byte by a server on the loopback. Each contender meets them in a
process of its own, by its own synchronous interface. `yes`: it did what the row says; where that is an error,
with one of the SDK's own errors, and without the key in any message, log line or traceback.

{table}

Measured with {versions}. The tests in `tests/faults` and `tests/aio/faults` hold these rows and many more for
our own clients, sync and async; `make faults` repeats the random ones for minutes.
"""


@dataclass
class Meeting:
    """What came of it, on both sides."""

    report: dict[str, Any]
    requests: list[Seen]
    canary: int
    hung_up: bool

    @property
    def failed_well(self) -> bool:
        """An error of the SDK's own, without the key in it."""
        return bool(self.report["error"]) and self.report["sdk_error"] and not self.report["leaked"]

    @property
    def whole(self) -> bool:
        """The right answer."""
        return self.report["text"] == ANSWER


@dataclass(frozen=True)
class Row:
    """A fault: what the server plays, and whether a meeting went as it should."""

    id: str
    title: str
    acts: Callable[[Shape, str], Sequence[Act]]
    good: Callable[[Meeting], bool]
    action: str = "ask"
    options: dict[str, Any] = field(default_factory=dict)


def _good(shape: Shape) -> Act:
    return reply(200, raw=shape.whole)


def _raw(body: bytes, status: int = 200, kind: str = "application/json", **lines: str) -> Act:
    return reply(status, raw=body, content_type=kind, **lines)


def _cut_short(shape: Shape) -> Act:
    lines = {"content-type": "application/json", "content-length": str(len(shape.whole) + 10)}
    return drop(head(200, lines) + shape.whole)


def _stream(shape: Shape, *after: bytes) -> Act:
    return drop(_EVENTS, shape.opening, shape.piece, *after)


_ONCE = {"max_retries": 0}

ROWS = (
    Row(
        "S2",
        "The connection is reset before the answer: tried again",
        lambda shape, _: [reset(), _good(shape)],
        lambda it: it.whole,
    ),
    Row(
        "S20",
        "… and what is sent again can be told from a new request (an idempotency key)",
        lambda shape, _: [reset(), _good(shape)],
        lambda it: (
            len({seen.headers.get("idempotency-key") for seen in it.requests}) == 1
            and len(it.requests) == 2
            and "idempotency-key" in it.requests[0].headers
        ),
    ),
    Row(
        "S3",
        "A body that is shorter than announced is never taken for an answer",
        lambda shape, _: [_cut_short(shape)],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S5",
        "A stream that ends before its announced end never passes for a whole one",
        lambda shape, _: [_stream(shape)],
        lambda it: it.failed_well,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S6",
        "A stream that is reset in its midst is an error of the SDK, with the text so far",
        lambda shape, _: [reset(_EVENTS, shape.opening, shape.piece)],
        lambda it: it.failed_well,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "Lines that end in CR, comments and data without a space are read as the standard says",
        lambda shape, _: [
            drop(_EVENTS, b": hi\r\r", _dressed(shape.opening), _dressed(shape.piece), shape.closing)
        ],
        lambda it: it.report["text"] == PIECE,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S8",
        "An error inside a stream is an error",
        lambda shape, _: [_stream(shape, b'event: error\ndata: {"error": {"message": "broke"}}\n\n')],
        lambda it: it.failed_well,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S9",
        "One byte every 0.1 s: `timeout=1` bounds a call",
        lambda shape, _: [trickle(head(200, {"content-length": "100"}) + b" " * 100, 0.1)],
        lambda it: it.failed_well and it.report["seconds"] < 1.5,
        options={"timeout": 1, **_ONCE},
    ),
    Row(
        "S10",
        "An error body of 200 MB: memory stays below 32 MB",
        lambda shape, _: [
            _good(shape),
            drop(head(400, {"content-type": "text/plain"}), *[b"x" * _MEGABYTE] * 200),
        ],
        lambda it: it.failed_well and it.report["megabytes"] < 32,
        action="second",
        options=_ONCE,
    ),
    Row(
        "S11",
        "Leaving a stream closes its connection",
        lambda shape, _: [hang(_EVENTS, shape.opening, shape.piece)],
        lambda it: it.hung_up and not it.report["error"],
        action="leave",
        options=_ONCE,
    ),
    Row(
        "S12",
        "200 KB that unpack to 200 MB: memory stays below 32 MB",
        lambda shape, _: [_good(shape), _raw(_BOMB, content_encoding="gzip")],
        lambda it: it.failed_well and it.report["megabytes"] < 32,
        action="second",
        options=_ONCE,
    ),
    Row(
        "S13",
        "100,000 brackets deep: an error of the SDK",
        lambda shape, _: [_raw(b"[" * 100_000)],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S13b",
        "Bytes that are no UTF-8: an error of the SDK",
        lambda shape, _: [_raw(b'{"task_id": "\xff\xfe"')],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S14",
        "A web page with status 200 is no answer",
        lambda shape, _: [_raw(b"<html>Welcome</html>", kind="text/html")],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S14b",
        "An empty body with status 200 is no answer",
        lambda shape, _: [_raw(b"")],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S16",
        "A refusal whose body is no JSON has its status",
        lambda shape, _: [_raw(b"\xc4\xe3\xba\xc3 <b>no</b>", 400, "text/plain")],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S17",
        "A passing failure (503) is tried again",
        lambda shape, _: [_raw(b"{}", 503), _good(shape)],
        lambda it: it.whole,
    ),
    Row(
        "S18",
        "`Retry-After: 0.2` is kept",
        lambda shape, _: [_raw(b"{}", 429, retry_after="0.2"), _good(shape)],
        lambda it: it.whole and it.report["seconds"] >= 0.2,
    ),
    Row(
        "S18b",
        "`Retry-After` of a year: told at once, not slept and not ignored",
        lambda shape, _: [_raw(b"{}", 429, retry_after="31536000"), _good(shape)],
        lambda it: it.failed_well and len(it.requests) == 1 and it.report["seconds"] < 5,
    ),
    Row(
        "S21",
        "Silence after a request: nothing is sent again without an idempotency key",
        lambda shape, _: [hang(), hang(), hang(), hang()],
        lambda it: (
            it.failed_well
            and (len(it.requests) == 1 or all("idempotency-key" in seen.headers for seen in it.requests))
        ),
        options={"timeout": 0.5, "max_retries": 1},
    ),
    Row(
        "S22",
        "A redirect to somebody else (307): neither key nor body go there",
        lambda shape, elsewhere: [_raw(b"", 307, location=elsewhere)],
        lambda it: it.canary == 0 and it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S25",
        "The key, sent back in an error, is in no message, log or traceback",
        lambda shape, _: [_raw(json.dumps({"detail": f"bad key {KEY}", "error": KEY}).encode(), 401)],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
)
_BOMB = gzip.compress(b"x" * 200 * _MEGABYTE)


def _dressed(events: bytes) -> bytes:
    return events.replace(b"data: ", b"data:").replace(b"\n", b"\r")


def main() -> None:
    for contender in CONTENDERS.values():
        contender.prepare()
    results = {row.id: [_verdict(row, contender) for contender in CONTENDERS.values()] for row in ROWS}
    cells = [[row.id.rstrip("b"), row.title, *results[row.id]] for row in ROWS]
    text = table(["row", "", *CONTENDERS], cells)
    print(text)
    if "--no-write" not in sys.argv:
        PAGE.write_text(_page(text), encoding="utf-8")
    if any(results[row.id][0] != "yes" for row in ROWS):
        sys.exit("nexusai does not do what it promises")


def _verdict(row: Row, contender: Contender) -> str:
    meeting = _meet(row, contender)
    if row.good(meeting):
        return "yes"
    print(f"{row.id} {contender.name}: {meeting.report}, {len(meeting.requests)} requests", file=sys.stderr)
    return "no"


def _meet(row: Row, contender: Contender) -> Meeting:
    shape = _SHAPES[_PATHS.get(contender.name, "/api/v1/invoke")]
    server, elsewhere = FaultServer(), FaultServer()
    try:
        server.plays(*row.acts(shape, elsewhere.base_url))
        url = server.base_url.removesuffix("/api/v1")
        script = [str(contender.python), "-E", "-s", str(_CLIENT)]
        command = [*script, contender.name, row.action, url, KEY, json.dumps(row.options)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=_PATIENCE, cwd="/"
            )
        except subprocess.TimeoutExpired:
            return Meeting(_STUCK, server.requests, len(elsewhere.requests), hung_up=False)
        if done.returncode:
            sys.exit(f"{row.id} {contender.name}:\n{done.stderr}")
        hung_up = server.hung_up.wait(2) if row.action == "leave" else False
        return Meeting(json.loads(done.stdout), server.requests, len(elsewhere.requests), hung_up)
    finally:
        server.stop()
        elsewhere.stop()


def _page(text: str) -> str:
    versions = ", ".join(
        f"{contender.distribution} {contender.versions()[contender.distribution]}"
        for contender in CONTENDERS.values()
    )
    return _TEXT.format(day=date.today().isoformat(), table=text, versions=versions)


if __name__ == "__main__":
    main()
