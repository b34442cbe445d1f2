# Generated from tests/aio/faults/test_calls.py by scripts/unasync.py: edit that file.

"""Ordinary calls against a server that misbehaves."""

from __future__ import annotations

import gzip
import json
from typing import Any, Dict, List

import pytest
from faults.server import Act, FaultServer, completed, drop, hang, head, reply, reset, send, trickle

import nexusai
from nexusai import error as errors

AGAIN = {"retry_after": "0"}


def test_the_request_says_what_was_asked(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Text in any script, options, provider and model travel unchanged; nothing else is added."""
    faults.plays(reply(200, completed("你好"), x_request_id="req_7"))
    answer = client.text.generate("写一首诗", "ollama", "qwen", temperature=0, seed=7, stop=["。"])
    assert (answer.text, answer.request_id, answer.finish_reason) == ("你好", "req_7", "stop")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    seen = faults.requests[0]
    assert (seen.method, seen.target) == ("POST", "/api/v1/invoke")
    assert seen.json == {
        "task_type": "text_generation",
        "input": {"prompt": "写一首诗"},
        "provider": "ollama",
        "model": "qwen",
        "config": {"temperature": 0, "seed": 7, "stop": ["。"]},
    }
    assert "写一首诗".encode() in seen.body
    assert seen.headers["authorization"].startswith("Bearer nxs_")
    assert seen.headers["prefer"] == "wait=4"
    assert len(seen.headers["idempotency-key"]) == 36


def test_a_call_s_own_headers_take_the_place_of_ours(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """Each is sent once, in whatever case it is written."""
    faults.plays(reply(200, {"ok": True}))
    mine = {"Idempotency-Key": "order-7", "AUTHORIZATION": "Bearer nxs_other", "accept": "text/plain"}
    sent = client._internal_client
    assert sent.request("POST", "/anything", json={}, headers=mine) == {"ok": True}
    lines = faults.requests[0].lines
    for name, value in mine.items():
        assert [v for n, v in lines if n == name.lower()] == [value]


@pytest.mark.parametrize("bad", [" nxs_secret", "nxs_secret\t", "nxs_secret\r\nX: y", "nxs_密"])
def test_a_header_that_cannot_be_sent_is_not_quoted(
    faults: FaultServer, client: nexusai.NexusAIClient, bad: str
) -> None:
    """It may be a secret: the error names the header, not its value."""
    with pytest.raises(ValueError, match="x-token") as caught:
        client._internal_client.request("GET", "/anything", headers={"X-Token": bad})
    assert "nxs_" not in str(caught.value)
    assert not faults.requests


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(
    faults: FaultServer, client: nexusai.NexusAIClient, status: int
) -> None:
    """Every attempt of a call carries the same idempotency key and body."""
    faults.plays(reply(status, {"detail": "busy"}, **AGAIN), reply(200, completed()))
    assert (client.text.generate("hi")).text == "hello"
    first, second = faults.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.InvalidRequestError),
        (415, errors.InvalidRequestError),
        (418, errors.InvalidRequestError),
        (501, errors.ServerError),
        (307, errors.InvalidResponseError),
    ],
)
def test_what_will_not_pass_is_told_at_once(
    faults: FaultServer,
    client: nexusai.NexusAIClient,
    status: int,
    kind: type[errors.APIError],
) -> None:
    """One attempt; the error has all that the answer told."""
    body = {"detail": "no such thing", "error_code": "NOPE", "timestamp": "2026-01-01T00:00:00Z"}
    faults.plays(reply(status, body, x_request_id="req_9", location="http://127.0.0.1:1/evil"))
    with pytest.raises(errors.APIError) as caught:
        client.tasks.get("task_1")
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.error_code, error.request_id) == (status, "NOPE", "req_9")
    assert error.response_body == body
    assert len(error.attempts) == len(faults.requests) == 1


def test_fields_that_are_wrong_are_listed(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """422 names the fields."""
    rows = [{"loc": ["body", "config", "temperature"], "msg": "too hot", "type": "value_error"}]
    faults.plays(reply(422, {"detail": rows, "error_code": "VALIDATION_ERROR"}))
    with pytest.raises(errors.ValidationError, match="config.temperature: too hot") as caught:
        client.text.generate("hi")
    assert caught.value.errors == rows


def test_a_pause_that_is_too_long_is_left_to_the_caller(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """An hour is not slept through: the error says when to come back."""
    faults.plays(reply(429, {"detail": "slow down"}, retry_after="3600"))
    with pytest.raises(errors.RateLimitError) as caught:
        client.text.generate("hi")
    assert caught.value.retry_after == 3600
    assert len(faults.requests) == 1


def test_no_retries_means_one_attempt(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """`max_retries=0` is a value."""
    faults.plays(reply(503, {"detail": "busy"}, **AGAIN))
    with pytest.raises(errors.ServerError):
        client.with_options(max_retries=0).text.generate("hi")
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    "act",
    [
        drop(),
        reset(),
        drop(b"HTTP/1.1 200 OK\r\ncontent-le"),
        drop(head(200, {"content-length": "100"}), b'{"task_id"'),
        reset(head(200, {"transfer-encoding": "chunked"}), b'5\r\n{"tas\r\n'),
        send(b"HTTP/1.1 200\xff\r\nnonsense\r\n\r\n"),
    ],
)
def test_a_broken_connection_is_replaced(
    faults: FaultServer, client: nexusai.NexusAIClient, act: object
) -> None:
    """Half an answer is none."""
    faults.plays(act, reply(200, completed()))  # type: ignore[arg-type]
    assert (client.text.generate("hi")).text == "hello"
    assert faults.connections == 2


STILL_RUNNING: Dict[str, Any] = {"detail": "A request with this Idempotency-Key is still running."}


def test_what_the_first_attempt_began_is_waited_for(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """The connection broke, and the platform is still at it: it says when to come back."""
    faults.plays(drop(), reply(409, STILL_RUNNING, **AGAIN), reply(200, completed()))
    assert (client.text.generate("hi")).text == "hello"
    assert len({seen.headers["idempotency-key"] for seen in faults.requests}) == 1


@pytest.mark.parametrize("acts", [[reply(409, STILL_RUNNING, **AGAIN)], [drop(), reply(409, STILL_RUNNING)]])
def test_another_conflict_will_not_pass(
    faults: FaultServer, client: nexusai.NexusAIClient, acts: List[Act]
) -> None:
    """Of a first attempt, or without a word about when to come back."""
    faults.plays(*acts)
    with pytest.raises(errors.ConflictError):
        client.text.generate("hi")
    assert len(faults.requests) == len(acts)


def test_a_conflict_of_what_is_no_post_is_not_waited_for(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """It has no idempotency key, so that nothing of it can be running."""
    faults.plays(drop(), reply(409, STILL_RUNNING, **AGAIN))
    with pytest.raises(errors.ConflictError):
        client.files.delete("file_1")
    assert len(faults.requests) == 2


def test_all_attempts_are_told(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The error knows what became of each try."""
    busy = reply(503, {"detail": "busy"}, x_request_id="req_1", **AGAIN)
    faults.plays(busy, drop(), reply(502, raw=b"<html>bad gateway</html>", x_request_id="req_3"))
    with pytest.raises(errors.ServerError, match="answered 502 without saying why") as caught:
        client.text.generate("hi")
    outcomes = [attempt.outcome for attempt in caught.value.attempts]
    assert outcomes[0] == "503"
    assert outcomes[2] == "502"
    assert "disconnected" in outcomes[1]
    assert caught.value.attempts[0].request_id == "req_1"
    assert "3 attempts" in str(caught.value)


def test_a_slow_trickle_cannot_outlast_the_timeout(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """`timeout` is a time on the wall, however busy the wire seems."""
    faults.plays(trickle(head(200, {"content-length": "2", "x-padding": "x" * 500}), 0.05))
    with pytest.raises(errors.APITimeoutError, match=r"within 0.5 s \(`timeout`\)"):
        client.with_options(timeout=0.5, max_retries=0).tasks.get("t")


def test_silence_after_a_post_is_not_asked_for_again(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """What takes longer than `timeout` would only be begun a second time."""
    faults.plays(hang())
    with pytest.raises(errors.APITimeoutError):
        client.with_options(timeout=0.3).text.generate("hi")
    assert len(faults.requests) == 1


def test_the_total_timeout_bounds_retries_and_pauses(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """A pause that would end too late is not begun."""
    faults.plays(reply(503, {"detail": "busy"}, retry_after="2"))
    with pytest.raises(errors.ServerError):
        client.with_options(total_timeout=1).text.generate("hi")
    assert len(faults.requests) == 1


def test_a_body_in_tiny_pieces_costs_what_it_weighs(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """Not what an object for each of them would."""
    import tracemalloc

    text = b"x" * 20_000
    lines = {"content-type": "application/json", "transfer-encoding": "chunked"}
    start, end = [b"%x\r\n%s\r\n" % (len(part), part) for part in (b'{"text": "', b'"}')]
    body = head(200, lines) + start + b"1\r\nx\r\n" * len(text) + end + b"0\r\n\r\n"
    faults.plays(reply(200, {}), send(body))
    client._internal_client.request("GET", "/anything")  # what is only made once
    tracemalloc.start()
    answer = client._internal_client.request("GET", "/anything")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer == {"text": text.decode()}
    assert peak < 2**20


def test_the_total_timeout_bounds_a_body(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The error names the limit that was reached."""
    faults.plays(trickle(head(200, {"content-length": "500"}) + b" " * 400, 0.05))
    with pytest.raises(errors.APITimeoutError, match=r"within 0.6 s \(`total_timeout`\)"):
        client.with_options(total_timeout=0.6, max_retries=0).tasks.get("t")


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, raw=b"<html>hello from a proxy</html>", content_type="text/html"),
        reply(200, raw=b""),
        reply(200, ["a", "list"]),
        reply(200, {"status": "completed"}),
        reply(200, raw=b'{"task_id": "\xff"}'),
        reply(200, {"task_id": "t", "status": "completed"}),
        reply(200, {"task_id": "t", "status": "completed", "output": {"no": "text"}}),
    ],
)
def test_an_answer_that_is_none_is_an_error(
    faults: FaultServer, client: nexusai.NexusAIClient, answer: object
) -> None:
    """A result is never made up."""
    faults.plays(answer)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidResponseError):
        client.text.generate("hi")
    assert len(faults.requests) == 1


def test_a_body_that_is_too_long_is_not_sent(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The limit is settable, and its error says so."""
    nexusai.config.max_body_bytes = 1000
    small = client.with_options()
    with pytest.raises(errors.InvalidRequestError, match="limit is 1000") as caught:
        small.text.generate("长" * 400)
    assert caught.value.error_code == "PAYLOAD_TOO_LARGE"
    assert not faults.requests


@pytest.mark.parametrize("given", [{}, {"prompt": "a", "messages": []}, {"prompt": " "}, {"messages": []}])
def test_exactly_one_of_prompt_and_messages(
    faults: FaultServer, client: nexusai.NexusAIClient, given: dict[str, object]
) -> None:
    """Nothing is sent for a call that cannot be meant."""
    with pytest.raises(ValueError, match=r"prompt|messages"):
        client.text.generate(**given)  # type: ignore[arg-type]
    assert not faults.requests


@pytest.mark.parametrize("task_id", ["../../admin", "a/b?c#d", "%2e%2e", "任务", "a b\r\nx: y"])
def test_an_id_is_one_segment(faults: FaultServer, client: nexusai.NexusAIClient, task_id: str) -> None:
    """No id reaches another address."""
    faults.plays(reply(200, {"task_id": "t", "status": "queued"}))
    client.tasks.get(task_id)
    path = faults.requests[0].target[len("/api/v1/tasks/") :]
    assert "/" not in path
    assert "?" not in path
    assert " " not in path


@pytest.mark.parametrize("task_id", ["", ".", "..", None, 7])
def test_what_is_no_id_is_refused(faults: FaultServer, client: nexusai.NexusAIClient, task_id: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match="expected an id"):
        client.tasks.cancel(task_id)
    assert not faults.requests


def test_connections_are_used_again(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Calls one after another share one connection, also those of `with_options`."""
    faults.plays(*[reply(200, completed()) for _ in range(5)])
    for _ in range(4):
        client.text.generate("hi")
    client.with_options(timeout=9).text.generate("hi")
    assert faults.connections == 1


def test_a_full_pool_names_its_limit(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Who finds no connection free is told what holds them."""
    nexusai.config.max_connections = 1
    with nexusai.NexusAIClient("k", faults.base_url, timeout=0.5, max_retries=0) as narrow:
        faults.plays(hang(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {}\n\n"))
        stream = narrow.text.stream("hi")
        assert stream.__next__() == {}
        with pytest.raises(errors.APITimeoutError, match="All 1 connections are busy"):
            narrow.text.generate("hi")
        stream.close()
        faults.plays(reply(200, completed()))
        assert (narrow.text.generate("hi")).text == "hello"


def test_the_plan_s_request_still_works(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """`InternalClient.request(method, endpoint, json, headers)` gives the answer's JSON."""
    internal = client._internal_client
    faults.plays(reply(200, {"a": 1}), reply(204, raw=b""))
    assert internal.request("POST", "/x", {"q": "é"}, {"X-Y": "z"}, params={"p": "ü", "n": None}) == {"a": 1}
    assert internal.request("DELETE", "/x") == {}
    assert faults.requests[0].target == "/api/v1/x?p=%C3%BC"
    assert faults.requests[0].headers["x-y"] == "z"
    with pytest.raises(ValueError, match="expected a path"):
        internal.request("GET", "x")


def test_warming_up_opens_a_connection(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Any answer will do, even that there is no such page."""
    faults.plays(reply(404, {"detail": "Not Found"}), reply(200, {"status": "healthy"}))
    client.warmup()
    client.warmup()
    assert [seen.target for seen in faults.requests] == ["/health", "/health"]
    assert faults.connections == 1


def test_invoke_runs_any_task(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The bare task, with its output as it came."""
    done = {"task_id": "t", "status": "completed", "output": {"x": 1}, "news": [1]}
    faults.plays(reply(200, done))
    task = client.invoke("document_processing", {"file_id": "f"}, config={"a": 1, "b": None})
    assert task.output == {"x": 1}
    assert task.news == [1]  # type: ignore[attr-defined]  # a field that this client has never heard of
    assert faults.requests[0].json["config"] == {"a": 1}


def test_a_storm_is_not_fed(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """While everything fails, retries add a fifth to the load; a new client begins with a little more."""
    faults.plays(*[reply(503, {"detail": "down"}, retry_after="0")] * 700)
    eager = client.with_options(max_retries=3)
    for _ in range(200):
        with pytest.raises(errors.ServerError) as caught:
            eager.models.list()
    assert 200 + 40 <= len(faults.requests) <= 200 + 40 + 20 + 20
    assert "too many of this client's calls fail" in str(caught.value)


@pytest.mark.parametrize("status", [200, 400])
def test_what_is_compressed_unasked_is_not_unpacked(
    faults: FaultServer, client: nexusai.NexusAIClient, status: int
) -> None:
    """Kilobytes cannot become gigabytes; who asks for compression gets it."""
    content = gzip.compress(json.dumps({"data": []}).encode())
    faults.plays(*[reply(status, raw=content, content_encoding="gzip")] * 2)
    with pytest.raises(errors.InvalidResponseError, match="compressed .gzip., which was not asked for"):
        client.models.list()
    asking = client.with_options(default_headers={"Accept-Encoding": "gzip"})
    if status == 200:
        assert asking.models.list() == []
