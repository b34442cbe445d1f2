# Generated from tests/aio/faults/test_hostile.py by scripts/unasync.py: edit that file.

"""Answers that no good server gives, cut at every byte, or made to do harm."""

from __future__ import annotations

import inspect
import json
import random
import threading
from contextlib import suppress
from typing import Any, Dict, List, Set

import pytest
from faults.random_runs import RUNS, hint, seeds
from faults.server import (
    DONE,
    PATIENCE,
    STREAM_HEAD,
    Act,
    Connection,
    FaultServer,
    completed,
    delta,
    drop,
    event,
    hang,
    head,
    reply,
    reset,
    send,
    stream,
)

import nexusai
from nexusai import error as errors
from nexusai._internal._download import Download
from nexusai._internal._runtime import in_thread

TASK = {"task_id": "t", "status": "queued"}
BODY = json.dumps(TASK).encode()
WHOLE = head(200, {"content-type": "application/json", "content-length": str(len(BODY))}) + BODY
CHUNKED = (
    head(200, {"transfer-encoding": "chunked"})
    + b"%x\r\n%s\r\n" % (9, BODY[:9])
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY) - 9, BODY[9:])
)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED])
def test_an_answer_cut_at_every_byte_is_none(
    faults: FaultServer, client: nexusai.NexusAIClient, answer: bytes
) -> None:
    """Every cut is noticed; only the whole is an answer."""
    once = client.with_options(max_retries=0)
    for cut in range(len(answer)):
        faults.plays(drop(answer[:cut]))
        with pytest.raises(errors.NetworkError):
            once.tasks.get("t")
    faults.plays(send(answer))
    assert (once.tasks.get("t")).task_id == "t"


JUNK = {
    "a bad status line": drop(b"GARBAGE\r\n\r\n"),
    "HTTP/0.9": drop(BODY),
    "a status of four digits": drop(b"HTTP/1.1 1000 X\r\n\r\n"),
    "a switch of protocols": drop(b"HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n"),
    "no content, with a body": drop(b"HTTP/1.1 204 X\r\ncontent-length: 5\r\n\r\nhello"),
    "a header of 10 MB": drop(head(200, {"x": "y" * 10_000_000})),
    "a million headers": drop(b"HTTP/1.1 200 X\r\n", b"x: y\r\n" * 1_000_000),
    "NUL in a header": drop(head(200, {"x": "a\0b", "content-length": "2"}), b"{}"),
    "two lengths": drop(b"HTTP/1.1 200 X\r\ncontent-length: 5\r\ncontent-length: 2\r\n\r\n{}"),
    "a negative length": drop(head(200, {"content-length": "-5"}), b"{}"),
    "a length without end": drop(head(200, {"content-length": "9" * 30}), b"{}"),
    "a bad chunk": drop(head(200, {"transfer-encoding": "chunked"}), b"zz\r\n"),
    "an endless chunk's extension": drop(
        head(200, {"transfer-encoding": "chunked"}), b"5;" + b"a" * 9_000_000
    ),
    "an encoding unknown": drop(head(200, {"transfer-encoding": "gzip, chunked"}), b"0\r\n\r\n"),
}


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_an_error_of_ours(faults: FaultServer, client: nexusai.NexusAIClient, junk: str) -> None:
    """Whatever breaks the protocol; and the next call is not harmed."""
    faults.plays(JUNK[junk], send(WHOLE))
    with pytest.raises((errors.NetworkError, errors.InvalidResponseError)) as caught:
        client.with_options(max_retries=0).tasks.get("t")
    assert len(str(caught.value)) < 1000
    assert (client.tasks.get("t")).task_id == "t"


@pytest.mark.parametrize("before", [b"HTTP/1.1 100 X\r\n\r\n" * 50, b"HTTP/1.1 103 X\r\nlink: x\r\n\r\n"])
def test_what_comes_before_an_answer_is_none(
    faults: FaultServer, client: nexusai.NexusAIClient, before: bytes
) -> None:
    """Interim answers are skipped."""
    faults.plays(drop(before + WHOLE))
    assert (client.tasks.get("t")).task_id == "t"


def test_a_folded_header_harms_nothing(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """It is read, or the whole answer is refused: no line of it becomes another header."""
    faults.plays(drop(WHOLE.replace(b"\r\n", b"\r\nx: a\r\n  location: b\r\n", 1)), send(WHOLE))
    with suppress(errors.NetworkError):
        assert (client.with_options(max_retries=0).tasks.get("t")).task_id == "t"
    faults._script.clear()
    faults.plays(send(WHOLE))
    assert (client.tasks.get("t")).task_id == "t"


def test_more_than_an_answer_answers_nothing(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """What a server says beyond its answer is never taken for the next one."""
    for _ in range(3):
        faults.plays(send(WHOLE + WHOLE.replace(b'"t"', b'"u"')), send(WHOLE + b"trash"))
        for _ in range(2):
            assert (client.tasks.get("t")).task_id == "t"


def test_a_connection_that_is_closed_just_before_it_is_used(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """A server may close what is idle at any moment: no call fails of it, and none is made twice."""
    for _ in range(100):
        faults.plays(drop(WHOLE))
        assert (client.tasks.get("t")).task_id == "t"
    assert len(faults.requests) == 100


HOSTILE_JSON = {
    "NaN": b'{"task_id": "t", "status": "queued", "progress": NaN}',
    "NaN deep inside": b'{"task_id": "t", "status": "queued", "more": {"x": [NaN]}}',
    "Infinity": b'{"task_id": "t", "status": "queued", "more": -Infinity}',
    "a number beyond all": b'{"task_id": "t", "status": "queued", "progress": 1e999}',
    "a million digits": b'{"task_id": "t", "status": "queued", "more": ' + b"9" * 1_000_000 + b"}",
    "depth": b'{"task_id": "t", "status": "queued", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "GBK": '{"task_id": "任务", "status": "queued"}'.encode("gbk"),
    "UTF-16": BODY.decode().encode("utf-16"),
    "half a surrogate": b'{"task_id": "\\ud800", "status": "queued"}',
    "a number": b"17",
    "null": b"null",
    "a list": b"[7]",
    "events": b"data: {}\n\n",
    "HTML": b"<html>sign in</html>",
    "nothing": b"",
    "the wrong type": b'{"task_id": "t", "status": 5}',
    "another wrong type": b'{"task_id": "t", "status": "completed", "output": 7}',
}


@pytest.mark.parametrize("kind", HOSTILE_JSON)
def test_hostile_json_is_an_error_of_ours(
    faults: FaultServer, client: nexusai.NexusAIClient, kind: str
) -> None:
    """Whether it comes with 200, with an error, in a stream or in place of one."""
    raw = HOSTILE_JSON[kind]
    faults.plays(*[reply(200, raw=raw)] * 3, reply(400, raw=raw), stream(b"data: " + raw + b"\n\n", DONE))
    with pytest.raises(errors.InvalidResponseError) as caught:
        client.text.generate("hi")
    assert len(str(caught.value)) < 1000
    assert len(str(caught.value.response_body)) <= 2048
    with pytest.raises(errors.InvalidResponseError):
        client.models.list()
    with pytest.raises(errors.InvalidResponseError, match="Expected an event stream"):
        client.text.stream("hi").read()
    with pytest.raises(errors.InvalidRequestError) as refused:
        client.tasks.get("t")
    assert len(str(refused.value)) < 1000
    with suppress(errors.APIError):
        client.text.stream("hi").read()


def test_random_mutations_of_an_answer(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Hundreds of answers with a few bytes changed or cut out: a task or an error, never a crash."""
    whole = json.dumps({**completed(), "progress": 1.5, "error": {"code": "X", "message": "m"}}).encode()
    eager = client.with_options(max_retries=0, poll_timeout=0.01)
    for seed in seeds(300):
        dice = random.Random(seed)
        raw = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(raw))
            raw[place : place + dice.randrange(3)] = dice.choice(
                [b"", b"\xff", b"[", b'"', b"{}", b"null", b"-1"]
            )
        faults.plays(reply(200, raw=bytes(raw)))
        with suppress(errors.APIError):
            assert isinstance((eager.text.generate("hi")).text, str), hint(seed)


def test_what_is_new_is_tolerated(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Fields and statuses that this client has never heard of; what is required and missing is named."""
    new = {**TASK, "status": "paused", "colour": "blue", "nested": {"a": [1]}, "created_at": None}
    faults.plays(reply(200, new), reply(200, {"status": "queued"}))
    task = client.tasks.get("t")
    assert (task.status, task.has_ended) == ("paused", False)
    with pytest.raises(errors.InvalidResponseError, match="task_id"):
        client.tasks.get("t")


CHUNKS: Dict[str, Any] = {
    "a delta that is a text": {"delta": "x"},
    "a delta that is a list": {"delta": ["x"]},
    "a text that is a number": {"delta": {"content": 5}},
    "a text that is a list": {"delta": {"content": ["x"]}},
    "a usage that is a text": {"usage": "x"},
    "a reason that is a number": {"finish_reason": 5},
}


@pytest.mark.parametrize("chunk", CHUNKS)
def test_chunks_of_the_wrong_type(faults: FaultServer, client: nexusai.NexusAIClient, chunk: str) -> None:
    """No TypeError comes out of a stream; the text so far is on the error."""
    faults.plays(stream(delta("so far"), event(CHUNKS[chunk]), DONE))
    with pytest.raises(errors.InvalidResponseError) as caught:
        client.text.stream("hi").read()
    assert caught.value.partial_text == "so far"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (event({"error": "gone"}), "gone"),
        (event({"error": {"message": "x" * 100_000}}), "x" * 500),
        (b'event: error\ndata: {"message": "gone"}\n\n', "gone"),
        (b"event: error\ndata: gone\n\n", "gone"),
        (event({"error": {}}), "reported an error"),
    ],
)
def test_errors_in_a_stream_have_many_shapes(
    faults: FaultServer, client: nexusai.NexusAIClient, failure: bytes, message: str
) -> None:
    """All are told, at a bearable length."""
    faults.plays(stream(delta("so far"), failure))
    with pytest.raises(errors.StreamError, match=message) as caught:
        client.text.stream("hi").read()
    assert caught.value.partial_text == "so far"
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("end", [DONE, b"data:[DONE]\n\n", b"data:  [DONE] \r\n\r\n", b"data: [DONE]\r\r"])
def test_the_end_has_many_shapes(faults: FaultServer, client: nexusai.NexusAIClient, end: bytes) -> None:
    """What upstreams write into every chunk is no error; bytes that are no UTF-8 become U+FFFD."""
    chunk = b'data: {"error": null, "delta": {"content": "a\xffb"}}\n\n'
    faults.plays(stream(b"retry: 99999999999999999999\n", chunk, end))
    assert (client.text.stream("hi").read()).text == "a\ufffdb"


def test_a_stream_cut_at_every_byte(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """It is never taken for a whole one; what was whole of it is told."""
    pieces = [delta("你"), delta("好"), event({"usage": {"total_tokens": 3}}), DONE]
    whole, once = b"".join(pieces), client.with_options(resume_streams=False)
    ends = [len(b"".join(pieces[: count + 1])) for count in range(3)]
    for cut in range(len(whole) - 1):
        faults.plays(stream(whole[:cut]))
        with pytest.raises(errors.StreamInterruptedError) as caught:
            once.text.stream("hi").read()
        assert caught.value.partial_text == "你好"[: sum(cut >= end for end in ends[:2])]


RESUMABLE = head(
    200, {"content-type": "text/event-stream", "x-task-id": "task_s", "preference-applied": "resumable"}
)


def test_a_stream_cut_anywhere_is_told_once(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Streams cut at random bytes, again and again; the server tells some events twice."""
    texts = [f"<{number}>" for number in range(20)]
    events = [f"id: {number + 1}\n".encode() + delta(text) for number, text in enumerate(texts)]
    eager = client.with_options(max_retries=9)

    def play(dice: random.Random) -> Act:
        def act(connection: Connection) -> None:
            known = int(faults.requests[-1].headers.get("last-event-id", "0"))
            start = max(0, known - dice.randrange(3))
            rest = b"".join(events[start:]) + DONE
            near = known > len(texts) - 3  # what breaks off without news is waited for longer each time
            cut = len(rest) if near or dice.random() < 0.3 else dice.randrange(len(rest) // 2, len(rest))
            connection.send(RESUMABLE + b"retry: 0\n\n" + rest[:cut])
            connection.close()

        return act

    for seed in seeds(30):
        faults._script.clear()
        faults.plays(*[play(random.Random(seed * 100 + turn)) for turn in range(60)])
        got: List[str] = []
        for text in eager.text.stream("hi").text_deltas:
            got.append(text)
        assert got == texts, hint(seed)


def test_a_role_is_not_told_twice(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """A stream that is asked for anew before its first text begins as it had begun."""
    role = event({"delta": {"role": "assistant"}})
    faults.plays(drop(STREAM_HEAD, role), stream(role, delta("a"), DONE))
    chunks = [chunk for chunk in client.text.stream("hi")]
    assert chunks == [{"delta": {"role": "assistant"}}, {"delta": {"content": "a"}}]


def test_the_pause_that_a_stream_asks_for_is_kept(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """One that is too long is none: the stream counts as interrupted."""
    first = drop(RESUMABLE, b"retry: 3600000\n", b"id: 1\n" + delta("a"))
    faults.plays(first)
    with pytest.raises(errors.StreamInterruptedError):
        client.text.stream("hi").read()
    assert len(faults.requests) == 1


@pytest.mark.parametrize("seen", ["你好", " 7", "a\x01b"])
def test_ids_that_no_header_can_hold(faults: FaultServer, client: nexusai.NexusAIClient, seen: str) -> None:
    """Text goes as UTF-8; without its place in the stream the task is asked for the rest."""
    first = drop(RESUMABLE, f"id: {seen}\n".encode() + delta("half"))
    lost = [reply(409, {"detail": "no stream"})] if seen == "你好" else []
    faults.plays(first, *lost, reply(200, completed("half of it", "task_s")))
    assert (client.text.stream("hi").read()).text == "half of it"


def test_the_total_timeout_bounds_a_call_with_its_task(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """Sending and waiting together; the task's id is on the error."""
    queued = reply(202, TASK)
    faults.plays(queued, *[reply(200, TASK)] * 60)
    with pytest.raises(errors.TaskTimeoutError, match="`total_timeout`") as caught:
        client.with_options(total_timeout=2, poll_interval=0.1).text.generate("hi")
    assert caught.value.task_id == "t"


def test_an_answer_that_was_lost_is_given_once(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Whatever broke on the way: one effect for each call, and each call gets its own."""
    effects: Dict[str, int] = {}
    cuts: List[Any] = [drop(), reset(), drop(WHOLE[:20]), drop(WHOLE[:-1])]

    def lost(cut: Act) -> Act:
        def act(connection: Connection) -> None:
            effects.setdefault(faults.requests[-1].headers["idempotency-key"], len(effects))
            cut(connection)

        return act

    def given(connection: Connection) -> None:
        number = effects.setdefault(faults.requests[-1].headers["idempotency-key"], len(effects))
        reply(200, completed(str(number)))(connection)

    for turn in range(8):
        faults.plays(lost(cuts[turn % 4]), given)
        assert (client.text.generate("hi")).text == str(turn)
    assert len(effects) == 8


LOCATIONS = [
    "http://{}/x",
    "https://{}/x",
    "//{}/x",
    "\\\\{}\\x",
    "/\\{}",
    "http:\\\\{}",
    "http://u:p@{}/",
    "http://{}#",
]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_nothing_follows_a_redirect(faults: FaultServer, client: nexusai.NexusAIClient, status: int) -> None:
    """No byte of a call leaves the origin, whatever it is told, and nothing is asked in a circle."""
    elsewhere = FaultServer()
    try:
        place = elsewhere.base_url.split("/")[2]
        told = [location.format(place) for location in LOCATIONS] + [
            "/api/v1/tasks/t",
            "",
            "x" * 5000,
            "\xff",
        ]
        for location in told:
            faults.plays(*[reply(status, {}, location=location)] * 3)
            with pytest.raises(errors.InvalidResponseError, match="redirects"):
                client.text.generate("hi")
            with pytest.raises(errors.InvalidResponseError, match="redirects"):
                client.text.stream("hi").read()
            with pytest.raises(errors.InvalidResponseError, match="redirects"):
                client.files.upload(b"x", "a.txt")
        assert len(faults.requests) == 3 * len(told)
        assert elsewhere.connections == 0
    finally:
        elsewhere.stop()


IDS = [
    "../x",
    "%2e%2e",
    "a/b",
    "a?b",
    "#",
    "a\0b",
    "a b",
    "a;b",
    "\uff0e\uff0e",
    "\u2215x",
    "..\\x",
    "x" * 10_000,
    "a\r\nX: y",
]


def _takers(client: nexusai.NexusAIClient) -> Dict[str, Any]:
    """Every public method of a resource that takes an id in its path, and is awaited."""
    found: Dict[str, Any] = {}
    for name in ("files", "sessions", "knowledge_bases", "tasks"):
        resource = getattr(client, name)
        for method in dir(type(resource)):
            taker = getattr(resource, method)
            if method.startswith("_") or not callable(taker) or method in ("search", "ask", "ask_stream"):
                continue
            names = inspect.signature(taker).parameters
            if any(each.endswith("_id") for each in names):
                found[f"{name}.{method}"] = taker
    return found


def test_no_id_reaches_another_address(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """For every method that takes one: refused, or one segment, as the server sees it."""
    plain = client.with_options(max_retries=0)
    takers = _takers(plain)
    assert len(takers) >= 12
    seen: Set[int] = set()
    for name, taker in takers.items():
        for hostile in [*IDS, "", ".", ".."]:
            ids = {each: hostile for each in inspect.signature(taker).parameters if each.endswith("_id")}
            if "file" in inspect.signature(taker).parameters:
                ids["file"] = (b"x", b"y")[:1][0]  # type: ignore[assignment]
            if "files" in inspect.signature(taker).parameters:
                continue
            faults._script.clear()
            faults.plays(reply(200, {"file_id": "f"}), reply(404, {}), reply(404, {}))
            faults.requests.clear()
            with suppress(ValueError, errors.APIError):
                found = taker(**ids)
                if isinstance(found, Download):
                    found.close()
            for request in faults.requests:
                depth = request.target.count("/")
                seen.add(depth)
                assert depth <= 6, (name, hostile, request.target)
                assert not {"..", "."} & set(request.target.split("/")), (name, hostile)
                assert "x" not in request.headers, (name, hostile)
                assert not any(sign in request.target.partition("?")[0] for sign in "# \\"), (name, hostile)
    assert seen


@pytest.mark.parametrize("name", ["a b", "a:b", "a\r\nb", "", "é"])
def test_a_header_s_name_cannot_inject(faults: FaultServer, client: nexusai.NexusAIClient, name: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(ValueError, match="no name of a header"):
        client.with_options(default_headers={name: "x"})


NAMES = ["测试.pdf", 'a"b.txt', "a;b.txt", "\u202egpj.exe", "🎉.png", "x" * 5000, 'a"\r\nX: y', "a\\b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_s_name_stays_in_its_place(
    faults: FaultServer, client: nexusai.NexusAIClient, name: str
) -> None:
    """One part, two header lines; an independent reader finds the name that was given."""
    faults.plays(reply(201, {"file_id": "f", "filename": "x"}))
    client.files.upload(b"content", name)
    seen = faults.requests[0]
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    parts = seen.body.split(b"--" + boundary)
    assert len(parts) == 3
    lines, _, content = parts[1].partition(b"\r\n\r\n")
    assert content == b"content\r\n"
    disposition, kind = lines.strip().decode().split("\r\n")
    assert kind.startswith("Content-Type: ")
    told = disposition.partition('filename="')[2][:-1]
    read = told.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    assert read == name.rpartition("\\")[2]


def test_an_early_refusal_of_an_upload_is_what_it_says(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """A server that has seen enough answers and hangs up: the answer is told, not the broken pipe."""
    listener = FaultServer()

    def refuse(connection: Connection) -> None:
        connection.send(
            head(413, {"content-length": "27", "content-type": "application/json", "connection": "close"})
            + b'{"detail": "far too large"}'
        )

    try:
        listener._serve = _refusing(listener, refuse)  # type: ignore[method-assign]
        client = nexusai.NexusAIClient("k", listener.base_url, timeout=10, max_retries=0)
        with pytest.raises(errors.InvalidRequestError, match="far too large") as caught:
            client.files.upload(b"x" * 30_000_000, "a.bin")
        assert caught.value.status_code == 413
        assert caught.value.hint
    finally:
        listener.stop()


def _refusing(server: FaultServer, act: Act) -> Any:
    def serve(sock: Any) -> None:
        sock.recv(65536)
        act(Connection(sock, server))
        with suppress(OSError):
            sock.shutdown(1)
            while sock.recv(65536):
                pass
        sock.close()

    return serve


BODIES: List[bytes] = [
    b'{"detail": "no"}',
    b'{"detail": [{"loc": 5, "msg": {}}, 7, null]}',
    b'{"detail": {"a": "b"}}',
    b'{"error": {"message": "no", "code": ["x"]}}',
    b"no",
    b"",
    "错误".encode("gbk"),
    b"x" * 5_000_000,
]
STATUSES = [
    *range(400, 419),
    421,
    422,
    423,
    424,
    425,
    426,
    428,
    429,
    431,
    451,
    499,
    *range(500, 512),
    520,
    529,
    599,
]


def test_every_status_with_every_body(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The right kind of error, at a bearable length, on every one of them."""
    kinds = {401: errors.AuthenticationError, 403: errors.PermissionError, 404: errors.NotFoundError}
    kinds.update({408: errors.APITimeoutError, 409: errors.ConflictError, 422: errors.ValidationError})
    kinds[429] = errors.RateLimitError
    once = client.with_options(max_retries=0)
    for status in STATUSES:
        for body in BODIES if status in (400, 422, 500) else BODIES[:7]:
            faults.plays(reply(status, raw=body))
            with pytest.raises(errors.APIError) as caught:
                once.tasks.get("t")
            fallback = errors.InvalidRequestError if status < 500 else errors.ServerError
            assert type(caught.value) is kinds.get(status, fallback)
            assert len(str(caught.value)) < 1200


TYPES = [
    "application/json",
    "text/html",
    "text/event-stream",
    "image/png",
    "application/json; charset=gbk",
    "",
    "é",
]
WAITS = ["0", "1.5", "-3", "1e9", "1e999", "nan", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "²", ""]
TOLD: Dict[str, List[str]] = {
    "retry-after": WAITS,
    "retry-after-ms": WAITS,
    "x-ratelimit-reset": [*WAITS, "2015-10-21T07:28:00Z", "99999999999"],
    "x-ratelimit-remaining": WAITS,
    "x-request-id": ["req_1", "x" * 9000, "\x80"],
    "x-task-id": ["t", "../../x", ""],
    "preference-applied": ["resumable", "wait=5", "=;,"],
    "content-encoding": ["identity", "gzip", "br", "x"],
    "content-disposition": ["attachment; filename*=gbk''%ff", "x" * 5000],
    "content-range": ["bytes 0-1/2", "bytes */*"],
    "location": ["//elsewhere.example", "x"],
    "etag": ['"x"', '"' + "0" * 64 + '"'],
}
FOUND = [*HOSTILE_JSON.values(), *BODIES[:7], json.dumps(completed()).encode(), delta("a"), delta("a") + DONE]


def _anything(dice: random.Random) -> Act:
    """An answer of any status, type and body, with any headers."""
    body = dice.choice(FOUND)
    lines = {name: dice.choice(TOLD[name]) for name in dice.sample(sorted(TOLD), dice.randrange(5))}
    lines["content-type"] = dice.choice(TYPES)
    if dice.random() < 0.9:
        lines["content-length"] = str(len(body))
    status = dice.choice([200, 200, 200, 201, 202, 204, 206, dice.randrange(200, 600), dice.choice(STATUSES)])
    return drop(head(status, lines) + body)


def test_an_answer_made_of_anything(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Comes out as what was asked for, or as an error of ours of bearable length; for every kind of call."""
    once = client.with_options(max_retries=0, poll_timeout=0.01)
    asks: List[Any] = [
        lambda: once.text.generate("hi"),
        lambda: once.text.stream("hi").read(),
        lambda: once.tasks.get("t"),
        once.models.list,
        lambda: once.files.upload(b"x", "a.txt"),
        lambda: once.files.download("f"),
        lambda: once.embeddings.create("hi"),
    ]
    for seed in seeds(40):
        answer = _anything(random.Random(seed))
        for number, ask in enumerate(asks):
            faults._script.clear()
            faults.plays(*[answer] * 3)
            again = f"{hint(seed)}, call {number}"
            try:
                result = ask()
                if isinstance(result, Download):
                    result = result.read()
            except errors.APIError as error:
                result = error
            except Exception as error:
                raise AssertionError(again) from error
            assert result is not None, again
            if isinstance(result, errors.APIError):
                assert len(str(result)) < 2000, again
                assert result.retry_after is None or 0 <= result.retry_after < float("inf"), again


def test_how_much_of_a_limit_is_left(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """It is on the error, with what to do."""
    limit = {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "90"}
    faults.plays(reply(429, {"detail": "slow down"}, retry_after="90", **limit))
    with pytest.raises(errors.RateLimitError, match="fewer calls at once") as caught:
        client.models.list()
    assert caught.value.rate_limit == (60, 0, 90.0)


def test_a_stream_closed_before_it_was_begun(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Nothing is sent; and one that is dropped in the middle of a failing loop is hung up."""
    client.text.stream("hi").close()
    assert not faults.requests
    faults.plays(hang(STREAM_HEAD, delta("a"), delta("b")))

    def fail() -> None:
        with client.text.stream("hi") as reading:
            for _ in reading:
                raise LookupError("the caller's own")

    with pytest.raises(LookupError):
        fail()
    assert in_thread(lambda: faults.hung_up.wait(PATIENCE))
    assert threading.active_count() < 50


def test_very_many_small_events(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Heartbeats without end cost no memory, and what comes among them is found."""
    import tracemalloc

    faults.plays(drop(STREAM_HEAD, *[b": ping\n\n" * 10_000] * 30 * RUNS, delta("a"), DONE))
    tracemalloc.start()
    answer = client.text.stream("hi").read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.text == "a"
    assert peak < 2 * 2**20


def test_a_body_without_end_is_hung_up_on(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """An error's body is read as far as it is shown, in bounded memory; then nobody listens."""
    import tracemalloc

    def flood(connection: Connection) -> None:
        connection.send(head(400, {"content-type": "text/plain"}))
        while not faults.stopping.is_set():
            connection.send(b"x" * 2**16)

    faults.plays(flood)
    tracemalloc.start()
    with pytest.raises(errors.InvalidRequestError):
        client.tasks.get("t")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert in_thread(lambda: faults.hung_up.wait(PATIENCE))
    assert peak < 16 * 2**20
