"""The faults that every SDK meets, and what a caller may expect of each.

A row says what the server plays and what is a good end. It wants of a peer only what its own public
interface could do; where a peer has no such thing, `without` says so and the cell is a dash.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from faults.server import (
    Act,
    Connection,
    Seen,
    drop,
    hang,
    head,
    repeat,
    reply,
    reset,
    send,
    trickle,
)

from benchmarks.server import ANSWER, PIECE, UPLOADED, Shape

KEY = "nxs_canary_51c0ffee"
_EVENTS = head(200, {"content-type": "text/event-stream", "x-task-id": "task_s"})
_MEGABYTE = 1024 * 1024
_EVIL = "EVIL"


@dataclass
class Meeting:
    """What came of it, on both sides."""

    report: dict[str, Any]
    requests: list[Seen] = field(default_factory=list)
    elsewhere: list[Seen] = field(default_factory=list)
    hung_up: bool = False
    noise: str = ""

    @property
    def failed_well(self) -> bool:
        """An error of the SDK's own, without the key in it."""
        return bool(self.report["error"]) and self.report["sdk_error"] and not self.report["leaked"]

    @property
    def refused_well(self) -> bool:
        """The same; or a `ValueError`, for an argument that is wrong."""
        report = self.report
        return (
            bool(report["error"]) and (report["sdk_error"] or report["value_error"]) and not report["leaked"]
        )

    @property
    def kept_to_itself(self) -> bool:
        """Whatever was asked of somebody else, neither the key nor a body went there."""
        return not any(seen.body or KEY in str(seen.lines) for seen in self.elsewhere)

    @property
    def whole(self) -> bool:
        """The right answer."""
        return self.text == ANSWER and not self.report["error"]

    @property
    def text(self) -> str:
        """What the caller was given."""
        text: str = self.report["text"]
        return text

    @property
    def seconds(self) -> float:
        """From the client's making to the end."""
        seconds: float = self.report["seconds"]
        return seconds

    @property
    def small(self) -> bool:
        """Memory stayed below 32 MB more."""
        return bool(self.report["megabytes"] < 32)


@dataclass(frozen=True, eq=False)
class Row:
    """A fault: what the server plays, and whether a meeting went as it should.

    Attributes:
        id: of the reliability card.
        first: of first importance (P0).
        ours: options that only our client has, for what it alone can bound.
        without: contender → why it has no such thing.
        only: the colour that knows the thing at all.
        early: the server answers from a request's head, before its body.
        at: whom the client finds: `nobody`, the server by `https` though it speaks plainly, or one with a
            certificate that nobody trusts (`untrusted`).
    """

    id: str
    title: str
    acts: Callable[[Shape, str], Sequence[Act]]
    good: Callable[[Meeting], bool]
    action: str = "ask"
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, Any] = field(default_factory=dict)
    argument: Any = None
    key: str = KEY
    first: bool = True
    without: Mapping[str, str] = field(default_factory=dict)
    only: str = ""
    early: bool = False
    at: str = ""


def _good(shape: Shape) -> Act:
    return reply(200, raw=shape.whole)


def _raw(body: bytes, status: int = 200, kind: str = "application/json", **lines: str) -> Act:
    return reply(status, raw=body, content_type=kind, **lines)


def _cut_short(shape: Shape) -> Act:
    lines = {"content-type": "application/json", "content-length": str(len(shape.whole) + 10)}
    return drop(head(200, lines) + shape.whole)


def _cut_long(shape: Shape) -> Act:
    """An answer, and in the same breath one to a request that nobody has made yet."""
    lines = {"content-type": "application/json", "content-length": str(len(shape.whole))}
    evil = shape.whole.replace(ANSWER.encode(), _EVIL.encode())
    more = head(200, {**lines, "content-length": str(len(evil))}) + evil
    return send(head(200, lines) + shape.whole + more)


def _chunked(*pieces: bytes) -> bytes:
    lines = {"content-type": "application/json", "transfer-encoding": "chunked"}
    return head(200, lines) + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def _stream(shape: Shape, *after: bytes) -> Act:
    return drop(_EVENTS, shape.opening, shape.piece, *after)


def _whole_stream(shape: Shape, *pieces: bytes) -> Act:
    return drop(_EVENTS, shape.opening, *pieces, shape.closing)


def _piece(shape: Shape, text: str) -> bytes:
    """An event with this text, its characters as they are and not as escapes."""
    return shape.piece.replace(json.dumps(PIECE).encode(), json.dumps(text, ensure_ascii=False).encode())


def _in_lines(event: bytes) -> bytes:
    """The same event, its data over several lines."""
    return event.replace(b',"', b',\ndata: "', 1) if b',"' in event else event.replace(b"{", b"{\ndata: ", 1)


def _dressed(events: bytes) -> bytes:
    return events.replace(b"data: ", b"data:").replace(b"\n", b"\r")


def _echo(shape: Shape) -> Act:
    """An answer that repeats what was asked for."""

    def act(connection: Connection) -> None:
        asked = re.search(rb"nonce-\w+", connection.seen.body) if connection.seen else None
        told = asked[0] if asked else b"no such question"
        _raw(shape.whole.replace(ANSWER.encode(), told))(connection)

    return act


def _slowly(act: Act, seconds: float) -> Act:
    def slow(connection: Connection) -> None:
        connection.pause(seconds)
        act(connection)

    return slow


def _in_two_seconds(connection: Connection) -> None:
    moment = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)
    _raw(b"{}", 429, retry_after=moment)(connection)


def _more_fields(shape: Shape) -> bytes:
    known = json.loads(shape.whole)
    return json.dumps({**known, "some_new_field": {"deep": [1, 2]}, "status_2": None}).encode()


def _is_one_segment(meeting: Meeting) -> bool:
    """The id went nowhere, or as one segment of the path that was meant."""
    if not meeting.requests:
        return meeting.refused_well
    after = [
        re.fullmatch(r"/(?:api/)?v1/files/([^/?#]+)(?:\?beta=true)?", seen.target)
        for seen in meeting.requests
    ]
    return all(match is not None and match[1] not in (".", "..") for match in after)


def _names_one_part(meeting: Meeting, part: bytes) -> bool:
    """Exactly one part of the form is this file's, and no line of the name became a header."""
    if not meeting.requests:
        return meeting.refused_well
    body = meeting.requests[0].body
    boundary = body.partition(b"\r\n")[0]
    heads = [block.partition(b"\r\n\r\n")[0] for block in body.split(boundary)]
    return not any(re.search(part, block, re.IGNORECASE) for block in heads)


def _same_name(meeting: Meeting, name: str) -> bool:
    body = meeting.requests[0].body if meeting.requests else b""
    encoded = "".join(f"%{byte:02X}" if byte > 127 else chr(byte) for byte in name.encode())
    return (
        f'filename="{name}"'.encode() in body
        or f"filename*=utf-8''{encoded}".encode().lower() in body.lower()
    )


def _same_bodies(meeting: Meeting) -> bool:
    """Both times the whole form, whatever its boundary was."""
    bodies = [
        seen.body.replace(seen.body.partition(b"\r\n")[0], b"") for seen in meeting.requests if seen.body
    ]
    return len(bodies) == 2 and bodies[0] == bodies[1] and b"x" * 100_000 in bodies[0]


_ONCE = {"max_retries": 0}
_ASYNC_ONLY = {"keystone-ai": "it has no async client"}
_NO_DOWNLOAD = {"keystone-ai": "it cannot download a file by its id"}
_NO_HEADERS = {"keystone-ai": "it takes no headers of the caller's"}
_NO_TOTAL = dict.fromkeys(("keystone-ai", "openai", "anthropic"), "it has no bound on a call as a whole")
_NO_CONTENT_CLOCK = dict.fromkeys(
    ("keystone-ai", "openai", "anthropic"), "it has no bound on a stream without content"
)
_BOMB = gzip.compress(b"x" * 200 * _MEGABYTE)
_ACTS_OF_LEAK = (
    lambda shape: reset(),
    lambda shape: _raw(b"{}", 503),
    _cut_short,
    lambda shape: _raw(b'{"detail": "no"}', 400),
)

ROWS: tuple[Row, ...] = (
    Row(
        "S1",
        "Nobody listens: an error of the SDK, soon",
        lambda shape, _: [],
        lambda it: it.failed_well and it.seconds < 5,
        options=_ONCE,
        at="nobody",
    ),
    Row(
        "S2",
        "The connection is reset before the answer: tried again",
        lambda shape, _: [reset(), _good(shape)],
        lambda it: it.whole,
    ),
    Row(
        "S2",
        "The connection is reset in the midst of the answer's headers: tried again",
        lambda shape, _: [reset(b"HTTP/1.1 200 OK\r\nContent-Ty"), _good(shape)],
        lambda it: it.whole,
    ),
    Row(
        "S2",
        "The connection is reset in the midst of the answer's body: tried again",
        lambda shape, _: [
            reset(head(200, {"content-length": str(len(shape.whole))}) + shape.whole[:20]),
            _good(shape),
        ],
        lambda it: it.whole,
    ),
    Row(
        "S3",
        "A body that is shorter than announced is never taken for an answer",
        lambda shape, _: [_cut_short(shape)],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S3",
        "A body in chunks that is cut before its last chunk is never taken for an answer",
        lambda shape, _: [drop(_chunked(shape.whole))],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S3",
        "What comes after an answer's end is never the answer to the next request",
        lambda shape, _: [_cut_long(shape), _good(shape)],
        lambda it: it.report.get("first") == ANSWER and (it.whole or it.failed_well),
        action="twice",
    ),
    Row(
        "S4",
        "No HTTP at all: an error of the SDK",
        lambda shape, _: [drop(b"SSH-2.0-OpenSSH_9.7\r\n\r\n" + b"\x00\xff" * 100)],
        lambda it: it.failed_well,
        options=_ONCE,
        first=False,
    ),
    Row(
        "S4",
        "A header of 10 MB: an error of the SDK, and memory stays below 32 MB",
        lambda shape, _: [
            _good(shape),
            drop(b"HTTP/1.1 200 OK\r\nX-Long: ", *[b"x" * _MEGABYTE] * 10, b"\r\n\r\n"),
        ],
        lambda it: it.failed_well and it.small,
        action="second",
        options=_ONCE,
        first=False,
    ),
    Row(
        "S4",
        "An idle connection that the server closes just then: the call succeeds",
        lambda shape, _: [_good(shape), drop(), _good(shape)],
        lambda it: it.whole,
        action="twice",
        first=False,
    ),
    Row(
        "S5",
        "A stream that ends before its announced end never passes for a whole one",
        lambda shape, _: [_stream(shape)],
        lambda it: it.failed_well and it.text == PIECE,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S5",
        "… nor one whose body is whole, while the announced end is missing",
        lambda shape, _: [
            drop(
                head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}),
                *(b"%x\r\n%b\r\n" % (len(part), part) for part in (shape.opening, shape.piece) if part),
                b"0\r\n\r\n",
            )
        ],
        lambda it: it.failed_well and it.text == PIECE,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S6",
        "A stream that is reset in its midst is an error of the SDK, after the text so far",
        lambda shape, _: [_slow_reset(shape)],
        lambda it: it.failed_well and it.text == PIECE,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "Lines that end in CR, comments and data without a space are read as the standard says",
        lambda shape, _: [
            drop(_EVENTS, b": hi\r\r", _dressed(shape.opening), _dressed(shape.piece), shape.closing)
        ],
        lambda it: it.text == PIECE and not it.report["error"],
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "Data over several lines is read as the standard says",
        lambda shape, _: [_whole_stream(shape, _in_lines(shape.piece))],
        lambda it: it.text == PIECE and not it.report["error"],
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "U+2028, U+0085 and vertical tabs in a text end no line",
        lambda shape, _: [_whole_stream(shape, _piece(shape, "a\u2028b\u2029c\u0085d"))],
        lambda it: it.text == "a\u2028b\u2029c\u0085d" and not it.report["error"],
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "A byte order mark before a stream is skipped",
        lambda shape, _: [drop(_EVENTS, b"\xef\xbb\xbf", shape.opening, shape.piece * 2, shape.closing)],
        lambda it: it.text == PIECE * 2 and not it.report["error"],
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "A stream that arrives byte by byte, with 你好 and 🙂 in it, is read as a whole",
        lambda shape, _: [_byte_by_byte(shape, "你好 🙂")],
        lambda it: it.text == "你好 🙂" and not it.report["error"],
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S7",
        "Bytes in a stream that are no UTF-8: replaced, or an error of the SDK",
        lambda shape, _: [_whole_stream(shape, shape.piece.replace(b"token", b"to\xff\xfeken"))],
        lambda it: it.failed_well or (it.text.count("\ufffd") > 0 and not it.report["error"]),
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S8",
        "An error inside a stream is an error of the SDK",
        lambda shape, _: [_stream(shape, b'event: error\ndata: {"error": {"message": "broke"}}\n\n')],
        lambda it: it.failed_well and it.text == PIECE,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S8",
        "Data in a stream that is no JSON: an error of the SDK",
        lambda shape, _: [_whole_stream(shape, shape.piece, shape.piece.replace(b"{", b"<"), shape.piece)],
        lambda it: it.failed_well,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S9",
        "A body with one byte every 0.1 s: `timeout=1` bounds a call",
        lambda shape, _: [_good(shape), trickle(head(200, {"content-length": "100"}) + b" " * 100, 0.1)],
        lambda it: it.failed_well and it.seconds < 1.6,
        action="second",
        options={"timeout": 1, **_ONCE},
    ),
    Row(
        "S9",
        "Headers with one byte every 0.1 s: `timeout=1` bounds a call",
        lambda shape, _: [_good(shape), trickle(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 200, 0.1)],
        lambda it: it.failed_well and it.seconds < 1.6,
        action="second",
        options={"timeout": 1, **_ONCE},
    ),
    Row(
        "S9",
        "A TLS handshake that is never answered: `timeout=1` bounds it",
        lambda shape, _: [],
        lambda it: it.failed_well and it.seconds < 3,
        options={"timeout": 1, **_ONCE},
        at="https",
    ),
    Row(
        "S9",
        "A stream that falls silent: `timeout=1` ends it with an error of the SDK",
        lambda shape, _: [_good(shape), hang(_EVENTS, shape.opening, shape.piece)],
        lambda it: it.failed_well and it.text == PIECE and it.seconds < 1.6,
        action="second_stream",
        options={"timeout": 1, **_ONCE},
    ),
    Row(
        "S9",
        "A stream of nothing but pings ends within its bound on silence",
        lambda shape, _: [_good(shape), repeat(b": ping\n\n", 0.1, _EVENTS + shape.opening + shape.piece)],
        lambda it: it.failed_well and it.seconds < 1.6,
        action="second_stream",
        options={"timeout": 1, **_ONCE},
        ours={"content_timeout": 1},
        without=_NO_CONTENT_CLOCK,
    ),
    Row(
        "S9",
        "Attempt after attempt fails, after 0.3 s each: the call ends within its total bound",
        lambda shape, _: [_good(shape), *[_slowly(_raw(b"{}", 503), 0.3)] * 20],
        lambda it: it.failed_well and it.seconds < 2.3 and len(it.requests) > 2,
        action="second",
        options={"max_retries": 10},
        ours={"total_timeout": 2},
        without=_NO_TOTAL,
    ),
    Row(
        "S10",
        "An error body of 200 MB: memory stays below 32 MB",
        lambda shape, _: [
            _good(shape),
            drop(head(400, {"content-type": "text/plain"}), *[b"x" * _MEGABYTE] * 200),
        ],
        lambda it: it.failed_well and it.small,
        action="second",
        options=_ONCE,
        first=False,
    ),
    Row(
        "S10",
        "A line of 64 MB in a stream: an error of the SDK, and memory stays below 32 MB",
        lambda shape, _: [
            _good(shape),
            drop(_EVENTS, shape.opening, b"data: ", *[b"x" * _MEGABYTE] * 64, b"\n\n", shape.closing),
        ],
        lambda it: it.failed_well and it.small,
        action="second_stream",
        options=_ONCE,
        first=False,
    ),
    Row(
        "S11",
        "Closing a stream in its midst closes its connection",
        lambda shape, _: [hang(_EVENTS, shape.opening, shape.piece)],
        lambda it: it.hung_up and not it.report["error"],
        action="leave",
        options=_ONCE,
    ),
    Row(
        "S11",
        "So does dropping it without a word",
        lambda shape, _: [hang(_EVENTS, shape.opening, shape.piece)],
        lambda it: it.hung_up and not it.report["error"] and not it.noise,
        action="drop",
        options=_ONCE,
    ),
    Row(
        "S12",
        "200 KB that unpack to 200 MB: memory stays below 32 MB",
        lambda shape, _: [_good(shape), _raw(_BOMB, content_encoding="gzip")],
        lambda it: it.failed_well and it.small,
        action="second",
        options=_ONCE,
    ),
    Row(
        "S12",
        "The same in an error's body",
        lambda shape, _: [_good(shape), _raw(_BOMB, 400, content_encoding="gzip")],
        lambda it: it.failed_well and it.small,
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
        "S13",
        "Bytes that are no UTF-8: an error of the SDK",
        lambda shape, _: [_raw(b'{"task_id": "\xff\xfe"')],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S13",
        "A list where an object belongs: an error of the SDK",
        lambda shape, _: [_raw(b"[1, 2, 3]")],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S13",
        "`null` for an answer: an error of the SDK",
        lambda shape, _: [_raw(b"null")],
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
        "S14",
        "An empty body with status 200 is no answer",
        lambda shape, _: [_raw(b"")],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S14",
        "A web page with status 200 is no stream",
        lambda shape, _: [_raw(b"<html>Welcome</html>", kind="text/html")],
        lambda it: it.failed_well,
        action="stream",
        options=_ONCE,
    ),
    Row(
        "S15",
        "Fields that nobody knew are no fault",
        lambda shape, _: [_raw(_more_fields(shape))],
        lambda it: it.whole,
        options=_ONCE,
        first=False,
    ),
    Row(
        "S16",
        "A refusal whose body is no JSON has its status",
        lambda shape, _: [_raw(b"\xc4\xe3\xba\xc3 <b>no</b>", 400, "text/plain")],
        lambda it: it.failed_well and it.report["status"] == 400,
        options=_ONCE,
    ),
    Row(
        "S16",
        "A refusal with 5 MB of text: the message is one that can be read (below 8 KB)",
        lambda shape, _: [_raw(b'{"detail": "' + b"no! " * (_MEGABYTE * 5 // 4) + b'"}', 422)],
        lambda it: it.failed_well and it.report["length"] < 8192,
        options=_ONCE,
    ),
    Row(
        "S17",
        "A passing failure (503) is tried again",
        lambda shape, _: [_raw(b"{}", 503), _good(shape)],
        lambda it: it.whole,
    ),
    Row(
        "S17",
        "A refusal (400) is not",
        lambda shape, _: [_raw(b"{}", 400), _good(shape)],
        lambda it: it.failed_well and len(it.requests) == 1,
    ),
    Row(
        "S17",
        "`max_retries=0` is one attempt",
        lambda shape, _: [_raw(b"{}", 503), _good(shape)],
        lambda it: it.failed_well and len(it.requests) == 1,
        options=_ONCE,
    ),
    Row(
        "S17",
        "An upload whose answer is lost is sent again, whole",
        lambda shape, _: [reset(), _raw(json.dumps(UPLOADED).encode())],
        lambda it: it.text == UPLOADED["file_id"] and len(it.requests) == 2 and _same_bodies(it),
        action="upload",
        argument=["some.txt", 100_000],
    ),
    Row(
        "S18",
        "`Retry-After: 0.2` is kept",
        lambda shape, _: [_raw(b"{}", 429, retry_after="0.2"), _good(shape)],
        lambda it: it.whole and it.seconds >= 0.2,
    ),
    Row(
        "S18",
        "`Retry-After` as a date is kept",
        lambda shape, _: [_in_two_seconds, _good(shape)],
        lambda it: it.whole and it.seconds >= 0.95,
    ),
    Row(
        "S18",
        "`Retry-After` that means nothing (`soon`, `-5`) does no harm",
        lambda shape, _: [
            _raw(b"{}", 429, retry_after="soon"),
            _raw(b"{}", 429, retry_after="-5"),
            _good(shape),
        ],
        lambda it: it.whole and it.seconds < 10,
    ),
    Row(
        "S18",
        "`Retry-After` of a year: told at once, not slept and not ignored",
        lambda shape, _: [_raw(b"{}", 429, retry_after="31536000"), _good(shape)],
        lambda it: it.failed_well and len(it.requests) == 1 and it.seconds < 5,
    ),
    Row(
        "S19",
        "400 calls into an outage (503): at most 1.3 requests a call",
        lambda shape, _: [_good(shape), *[_raw(b"{}", 503)] * 4000],
        lambda it: (
            it.report.get("failed") == 400 and it.report.get("foreign") == 0 and len(it.requests) <= 520
        ),
        action="storm",
        argument=400,
        first=False,
    ),
    Row(
        "S20",
        "An answer that is lost after the deed: sent again under the same idempotency key",
        lambda shape, _: [reset(), _good(shape)],
        lambda it: (
            len({seen.headers.get("idempotency-key") for seen in it.requests}) == 1
            and len(it.requests) == 2
            and "idempotency-key" in it.requests[0].headers
        ),
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
        lambda it: it.kept_to_itself and it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S22",
        "The same with 302",
        lambda shape, elsewhere: [_raw(b"", 302, location=elsewhere)],
        lambda it: it.kept_to_itself and it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S24",
        "A server whose certificate nobody vouches for: an error of the SDK, and nothing is sent",
        lambda shape, _: [_good(shape)],
        lambda it: it.failed_well and not it.requests,
        options=_ONCE,
        at="untrusted",
    ),
    Row(
        "S25",
        "The key, sent back in an error, is in no message, log or traceback",
        lambda shape, _: [_raw(json.dumps({"detail": f"bad key {KEY}", "error": KEY}).encode(), 401)],
        lambda it: it.failed_well,
        options=_ONCE,
    ),
    Row(
        "S25",
        "Nor in the variables of a traceback, as error reporters record them",
        lambda shape, _: [reset()],
        lambda it: it.failed_well and not it.report["in_locals"],
        options=_ONCE,
    ),
    Row(
        "S25",
        "Nor in what a client looks like when it is printed",
        lambda shape, _: [],
        lambda it: not it.report["leaked"] and not it.report["error"],
        action="show",
    ),
    Row(
        "S26",
        "A key with CR and LF is refused, not shown, and nothing is sent",
        lambda shape, _: [_good(shape)],
        lambda it: it.refused_well and not it.requests and "canary" not in it.report["message"],
        key=f"{KEY}\r\nX-Evil: 1",
        options=_ONCE,
    ),
    Row(
        "S27",
        "An id like `../../admin/keys?force=1#` leads nowhere else",
        lambda shape, _: [_raw(b'{"detail": "not found"}', 404)],
        _is_one_segment,
        action="find",
        argument="../../admin/keys?force=1#",
        options=_ONCE,
    ),
    Row(
        "S27",
        "Nor does `..`",
        lambda shape, _: [_raw(b'{"detail": "not found"}', 404)],
        _is_one_segment,
        action="find",
        argument="..",
        options=_ONCE,
    ),
    Row(
        "S28",
        "A header's value with CR and LF makes no second header",
        lambda shape, _: [_good(shape)],
        lambda it: it.refused_well and not any("x-evil" in seen.headers for seen in it.requests),
        options={"default_headers": {"X-Tag": "a\r\nX-Evil: 1"}, **_ONCE},
        without=_NO_HEADERS,
    ),
    Row(
        "S28",
        "A file's name with quotes, CR and LF makes no second header in a form",
        lambda shape, _: [_raw(b"{}", 400)],
        lambda it: _names_one_part(it, rb'\nx-evil: 1|filename="a"[^\r\n]'),
        action="upload",
        argument=['a"\r\nX-Evil: 1\r\n\r\n.txt', 10],
        options=_ONCE,
    ),
    Row(
        "S28",
        "A file's name in Chinese arrives as it is",
        lambda shape, _: [_raw(b"{}", 400)],
        lambda it: _same_name(it, "测试报告.pdf"),
        action="upload",
        argument=["测试报告.pdf", 10],
        options=_ONCE,
    ),
    Row(
        "S29",
        "A download that breaks off is an error of the SDK, and leaves no file",
        lambda shape, _: [
            drop(head(200, {"content-type": "text/plain", "content-length": "1000"}) + b"x" * 100)
        ],
        lambda it: it.failed_well and it.report["left"] == [],
        action="download",
        argument="{directory}/copy.txt",
        options=_ONCE,
        without=_NO_DOWNLOAD,
        first=False,
    ),
    Row(
        "S30",
        "A refusal (413) while 40 MB are being sent is told as what it is",
        lambda shape, _: [_refuse_early],
        lambda it: it.failed_well and it.report["status"] == 413,
        action="upload",
        argument=["big.txt", 40 * _MEGABYTE],
        options=_ONCE,
        early=True,
    ),
    Row(
        "S31",
        "320 calls, 16 at a time on one client: everyone gets its own answer",
        lambda shape, _: [_echo(shape)] * 400,
        lambda it: it.report.get("wrong") == 0 and not it.report["error"] and len(it.requests) == 320,
        action="many",
    ),
    Row(
        "S32",
        "One client before and after a fork: both sides get their own answers",
        lambda shape, _: [_echo(shape)] * 100,
        lambda it: it.report.get("parent") == 0 and it.report.get("child") == 0,
        action="fork",
    ),
    Row(
        "S32",
        "An error can be pickled, without the key in it, and is the same on the other side",
        lambda shape, _: [_raw(b'{"detail": "no such model", "error": {"message": "no such model"}}', 404)],
        lambda it: bool(it.report.get("same")) and not it.report["leaked"],
        action="pickles",
        options=_ONCE,
    ),
    Row(
        "S33",
        "500 calls cancelled at random moments: the next call is answered",
        lambda shape, _: [_good(shape), *[_slowly(_good(shape), 0.002)] * 600],
        lambda it: it.whole and not it.report.get("foreign"),
        action="cancel",
        argument=33,
        only="async",
    ),
    Row(
        "S34",
        "400 calls that fail in four ways: all with errors of the SDK, and no open file is left",
        lambda shape, _: [act(shape) for _ in range(100) for act in _ACTS_OF_LEAK],
        lambda it: it.report.get("foreign", 0) == 0 and abs(it.report.get("files", 99)) <= 2,
        action="leak",
        argument=400,
        options=_ONCE,
    ),
    Row(
        "S37",
        "One async client on three event loops, one after the other",
        lambda shape, _: [_good(shape)] * 6,
        lambda it: it.whole,
        action="loops",
        only="async",
        first=False,
    ),
    Row(
        "S40",
        "Ctrl-C in a call that waits: it ends at once, and quietly",
        lambda shape, _: [_good(shape), hang()],
        lambda it: it.report["interrupted"] and it.seconds < 1.5 and not it.noise,
        action="interrupt",
        argument=0.5,
        options=_ONCE,
    ),
)


def _slow_reset(shape: Shape) -> Act:
    """A reset throws away what was not read yet, so it waits a moment."""

    def act(connection: Connection) -> None:
        connection.send(_EVENTS + shape.opening + shape.piece)
        connection.pause(0.3)
        connection.reset()

    return act


def _byte_by_byte(shape: Shape, text: str) -> Act:
    def act(connection: Connection) -> None:
        connection.send(_EVENTS + shape.opening)
        trickle(_piece(shape, text), 0.002)(connection)
        drop(shape.closing)(connection)

    return act


def _refuse_early(connection: Connection) -> None:
    """Answer, then let the rest of the body run into nothing."""
    body = b'{"detail": "too large", "error": {"message": "too large"}}'
    lines = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    connection.send(head(413, lines) + body)
    connection.pause(0.2)
    connection.close()
