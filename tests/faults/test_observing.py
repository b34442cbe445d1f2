# Generated from tests/aio/faults/test_observing.py by scripts/unasync.py: edit that file.

"""Hooks and the log: what goes over the wire, told to whoever wants to know."""

from __future__ import annotations

import logging
import re
from typing import Any, List, Tuple

import pytest
from conftest import KEY
from faults.server import DONE, STREAM_HEAD, FaultServer, completed, delta, drop, hang, reply, stream

import nexusai
from nexusai import error as errors


def records(caplog: pytest.LogCaptureFixture) -> List[Tuple[str, str]]:
    """Levels and messages of our log."""
    return [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "nexusai"]


def test_hooks_are_told_each_attempt(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Before it is made, and what it came to."""
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed(), x_request_id="req_1"))
    requests: List[Any] = []
    responses: List[Any] = []
    watched = client.with_options(on_request=requests.append, on_response=responses.append)
    watched.text.generate("hi")
    url = f"{faults.base_url}/invoke"
    assert requests == [("POST", url, 1), ("POST", url, 2)]
    assert [(each.request.attempt, each.status_code, each.request_id) for each in responses] == [
        (1, 503, None),
        (2, 200, "req_1"),
    ]
    assert isinstance(responses[0].error, errors.ServerError)
    assert all(each.seconds > 0 for each in responses)


def test_a_hook_that_fails_breaks_nothing(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log."""

    def broken(_: Any) -> None:
        raise RuntimeError("the hook is broken")

    faults.plays(reply(200, completed()))
    watched = client.with_options(on_request=broken, on_response=broken)
    assert (watched.text.generate("hi")).text == "hello"
    assert caplog.text.count("A hook failed") == 2


def test_hooks_are_told_of_what_never_came(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """No status, no request id, but the error, as often as it was tried."""
    responses: List[Any] = []
    faults.plays(drop(), drop())
    watched = client.with_options(max_retries=1, on_response=responses.append)
    with pytest.raises(errors.NetworkError) as caught:
        watched.tasks.get("task_1")
    assert [(each.request.attempt, each.status_code, each.request_id) for each in responses] == [
        (1, None, None),
        (2, None, None),
    ]
    assert responses[1].error is caught.value


def test_hooks_are_told_of_what_was_interrupted(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """By the caller's own code, as by a cancellation: neither a status nor an error. None is left open."""
    caplog.set_level(logging.INFO, "nexusai")
    requests: List[Any] = []
    responses: List[Any] = []

    def enough(sent: int, total: Any) -> None:
        raise KeyError("enough")

    faults.plays(reply(200, completed()))
    watched = client.with_options(on_request=requests.append, on_response=responses.append)
    with pytest.raises(KeyError, match="enough"):
        watched.files.upload(b"x", "a.txt", on_progress=enough)
    assert [each.request for each in responses] == requests
    assert [(each.status_code, each.request_id, each.error) for each in responses] == [(None, None, None)]
    assert records(caplog)[-1][1].endswith("s: interrupted")


def test_hooks_see_a_stream_begin_and_a_task_looked_at(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """Each request is one, whatever it is a part of; none shows the query."""
    queued = {"task_id": "task_1", "status": "queued"}
    page: Any = {"tasks": []}
    faults.plays(reply(202, queued), reply(200, completed()), stream(delta("a"), DONE), reply(200, page))
    seen: List[Any] = []
    watched = client.with_options(on_request=seen.append)
    watched.text.generate("hi")
    watched.text.stream("hi").read()
    watched.tasks.list(status="completed")
    paths = [(info.method, info.url[len(faults.base_url) :]) for info in seen]
    assert paths == [("POST", "/invoke"), ("GET", "/tasks/task_1"), ("POST", "/invoke"), ("GET", "/tasks")]


def test_the_log(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt and what it came to; no key, no body, no query."""
    caplog.set_level(logging.DEBUG, logger="nexusai")
    page = {"tasks": [], "secret": "s3cret"}
    busy = {"detail": "busy with: s3cret", "error_code": "SERVICE_UNAVAILABLE"}
    faults.plays(reply(503, busy, retry_after="0", x_request_id="req_1"), reply(200, page))
    client.tasks.list(status="completed")
    told = records(caplog)
    assert [level for level, _ in told] == ["DEBUG", "INFO", "DEBUG", "INFO"]
    assert re.search(
        r"/tasks, attempt 1, after \d+\.\d{3} s: "
        r"ServerError \(503, SERVICE_UNAVAILABLE, request id req_1\); again in 0\.0 s$",
        told[1][1],
    )
    assert "/tasks: 200 in" in told[3][1]
    assert not any(word in caplog.text for word in (KEY, "s3cret", "status=completed", "Bearer"))


def test_the_log_of_a_stream(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """How it ended, when, and how much had come: read, left, failed, taken up again."""
    caplog.set_level(logging.INFO, logger="nexusai")
    faults.plays(stream(delta("茶"), delta("b"), DONE))
    client.text.stream("hi").read()
    line = (
        r"/invoke: the stream was {} after \d+\.\d{{3}} s, {} chunks and {} bytes of text, request id req_s"
    )
    assert re.search(line.format("read", 2, 4), records(caplog)[-1][1])

    faults.plays(hang(STREAM_HEAD, delta("a")))
    with client.text.stream("hi") as left:
        for _ in left:
            break
    assert re.search(line.format("left", 1, 1), records(caplog)[-1][1])

    faults.plays(stream(delta("a")))
    with pytest.raises(errors.StreamInterruptedError):
        client.with_options(resume_streams=False).text.stream("hi").read()
    assert re.search(line.format("failed", 1, 1), records(caplog)[-1][1])

    faults.plays(drop(STREAM_HEAD), stream(delta("a"), DONE))
    client.text.stream("hi").read()
    assert "the stream broke off, and is taken up again" in caplog.text


@pytest.mark.parametrize("status", [401, 503])
def test_no_key_is_ever_logged(
    faults: FaultServer,
    client: nexusai.NexusAIClient,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    """Not where the address holds it, nor where the platform echoes it, in whatever place."""
    caplog.set_level(logging.DEBUG)
    seen: List[Any] = []
    address = f"{faults.base_url}/{KEY}"
    careless = client.with_options(base_url=address, max_retries=0, on_request=seen.append)
    echo = {"detail": f"bad key {KEY}", "error_code": f"E_{KEY}"}
    faults.plays(
        reply(200, completed(), x_request_id=f"r-{KEY}"),
        reply(status, echo, x_request_id=f"r-{KEY}"),
        drop(),
        hang(STREAM_HEAD.replace(b"req_s", KEY.encode()), delta("a")),
    )
    careless.text.generate(KEY)
    with pytest.raises(errors.APIError) as refused:
        careless.text.generate(KEY)
    with pytest.raises(errors.NetworkError) as lost:
        careless.tasks.get("task_1")
    with careless.text.stream("hi") as left:
        for _ in left:
            break
    careless.close()
    assert len(records(caplog)) >= 8
    assert "/***/invoke" in caplog.text
    for shown in (caplog.text, str(refused.value), str(lost.value), repr(seen)):
        assert KEY not in shown


def test_a_server_writes_no_lines_of_its_own(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """What it tells stands on the line that tells it."""
    caplog.set_level(logging.INFO, logger="nexusai")
    forged = {"error_code": "E\n2026-01-01 nexusai INFO all is well\x1b[2J"}
    faults.plays(reply(400, forged))
    with pytest.raises(errors.InvalidRequestError):
        client.text.generate("hi")
    (line,) = [message for _, message in records(caplog)]
    assert "all is well" in line
    assert line.isprintable()


def test_the_log_is_silent_by_itself(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """At the level that programs have by default even a retry is no news: metrics count them."""
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed()))
    client.text.generate("hi")
    assert records(caplog) == []
