"""`POST /invoke` with `stream: true`."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.inside import Scripted, serving
from server.process import ServerProcess, text
from server.upstream import FakeUpstream

from nexus_server.providers.base import TextChunk, TextRequest
from nexus_server.services.platform import open_platform
from nexus_server.services.tasks import NewTask
from nexus_server.settings import ServerSettings


@contextmanager
def streaming(server: ServerProcess, fake: dict[str, Any]) -> Iterator[httpx.Response]:
    body = text(stream=True, fake=fake)
    with server.client.stream("POST", "/invoke", json=body) as response:
        yield response


def events(raw: str) -> list[Any]:
    """The data of each event, comments left out."""
    assert raw.endswith("\n\n")
    blocks = [block for block in raw.split("\n\n")[:-1] if not block.startswith(":")]
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    data = [block.removeprefix("data: ") for block in blocks]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def record(server: ServerProcess, response: httpx.Response) -> dict[str, Any]:
    """The task that a stream left behind."""
    return server.finished(response.headers["x-task-id"])


def test_framing(server: ServerProcess) -> None:
    """Deltas, then one event with what is known at the end, then `[DONE]`."""
    with streaming(server, {"tokens": 2}) as response:
        raw = response.read().decode()
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-length" not in response.headers
    task_id = response.headers["x-task-id"]
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert events(raw) == [
        {"delta": {"content": "w0 "}},
        {"delta": {"content": "w1 "}},
        {"usage": usage, "finish_reason": "stop", "model": "fake-small", "task_id": task_id},
        "[DONE]",
    ]
    assert 'data: {"delta":{"content":"w0 "}}\n\n' in raw
    task = record(server, response)
    assert task["status"] == "completed"
    assert task["output"]["text"] == "w0 w1 "
    assert task["output"]["usage"] == usage


def test_text_is_utf8(server: ServerProcess) -> None:
    """Text is sent as it is, not escaped."""
    with streaming(server, {"text": "你好 🌍\n\n"}) as response:
        raw = response.read()
    assert "你好 🌍".encode() in raw
    assert events(raw.decode())[0] == {"delta": {"content": "你好 🌍\n\n"}}


def test_pieces_come_as_they_are_made(server: ServerProcess) -> None:
    """A piece is not kept back until the next one."""
    arrivals = []
    with streaming(server, {"tokens": 4, "delay": 0.15}) as response:
        for chunk in response.iter_raw():
            arrivals.append((time.monotonic(), chunk))
    pieces = [moment for moment, chunk in arrivals if b"delta" in chunk]
    assert len(pieces) == 4
    assert pieces[-1] - pieces[0] > 0.35


def test_heartbeats(server: ServerProcess) -> None:
    """Silence is filled with comments, before the first piece too."""
    with streaming(server, {"tokens": 2, "silent": 1.2, "delay": 1.0}) as response:
        raw = response.read().decode()
    before, after = raw.split('{"delta":{"content":"w0 "}}')
    assert before.count(": ping\n\n") >= 2
    assert after.count(": ping\n\n") >= 1
    assert events(raw)[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("fake", "status", "code"),
    [
        ({"status": 500}, 503, "SERVICE_UNAVAILABLE"),
        ({"status": 400, "error": {"message": "no"}}, 400, "INVALID_REQUEST"),
        ({"error_after": 0}, 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_failure_before_the_first_piece(
    server: ServerProcess, fake: dict[str, Any], status: int, code: str
) -> None:
    """It is a real error status, with the contract's body."""
    with streaming(server, fake) as response:
        body = json.loads(response.read())
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert body["error_code"] == code
    assert body["task_id"] == response.headers["x-task-id"]
    assert record(server, response)["status"] == "failed"


@pytest.mark.parametrize("fake", [{"error_after": 2}, {"break_after": 2}])
def test_failure_after_the_first_piece(server: ServerProcess, fake: dict[str, Any]) -> None:
    """It is an error event, and no `[DONE]`."""
    with streaming(server, fake) as response:
        told = events(response.read().decode())
    assert response.status_code == 200
    assert [event["delta"]["content"] for event in told[:-1]] == ["w0 ", "w1 "]
    assert told[-1].keys() == {"error"}
    assert told[-1]["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert record(server, response)["error"]["code"] == "SERVICE_UNAVAILABLE"


@pytest.mark.parametrize(
    "fake",
    [
        {"tokens": 1000, "delay": 0.02},
        {"tokens": 2, "delay": 30},
        {"silent": 30},
        {"first_delay": 30},
    ],
    ids=["between pieces", "in a pause", "before the first piece", "before the head"],
)
def test_a_reader_that_leaves(server: ServerProcess, upstream: FakeUpstream, fake: dict[str, Any]) -> None:
    """The generation stops long before its end, and the task is cancelled."""
    before = len(upstream.chats())
    began = time.monotonic()
    with suppress(httpx.ReadTimeout), httpx.Client(timeout=0.3) as client:
        headers = {"Authorization": f"Bearer {server.key}"}
        url = f"{server.url}/invoke"
        with client.stream("POST", url, json=text(stream=True, fake=fake), headers=headers) as it:
            for _ in it.iter_raw():
                if time.monotonic() - began > 0.5:
                    break
    left = time.monotonic()
    seen = upstream.wait_for_chats(before + 1)[-1]
    assert seen.ended.wait(10)
    assert seen.state == "disconnected"
    assert seen.ended_at - left < 10
    newest = server.client.get("/tasks?per_page=1").json()["tasks"][0]
    assert server.finished(newest["task_id"])["status"] == "cancelled"


def test_cancelling_a_stream(server: ServerProcess, upstream: FakeUpstream) -> None:
    """Its reader is told, and its upstream stopped."""
    with streaming(server, {"tokens": 2, "delay": 30}) as response:
        pieces = response.iter_raw()
        next(pieces)
        task_id = response.headers["x-task-id"]
        with server.client_with(server.key) as client:
            cancelled = client.post(f"/tasks/{task_id}/cancel")
        assert cancelled.json()["status"] == "cancelled"
        rest = events(b"".join(pieces).decode())
    assert rest[-1]["error"]["code"] == "TASK_CANCELLED"
    seen = upstream.chats()[-1]
    assert seen.ended.wait(1)
    assert seen.state == "disconnected"


def test_a_slow_reader_loses_nothing(server: ServerProcess) -> None:
    """A reader that is behind slows the generation down, and gets all of it in the end."""
    with streaming(server, {"tokens": 5_000}) as response:
        pieces = response.iter_raw()
        chunks = [next(pieces)]
        task_id = response.headers["x-task-id"]
        with server.client_with(server.key) as client:
            waiting = client.get(f"/tasks/{task_id}").json()
        chunks.extend(pieces)
    assert waiting["status"] in {"running", "completed"}
    told = events(b"".join(chunks).decode())
    assert told[-1] == "[DONE]"
    assert len(told) == 5_002
    assert len(record(server, response)["output"]["text"].split()) == 5_000


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    """A provider may send what no UTF-8 can carry; the rest of its answer is not lost."""
    settings = ServerSettings(data_dir=tmp_path)
    with serving(settings, [Scripted("ok ", "\ud83d", " end")]) as client:
        streamed = client.post("/invoke", json=text(stream=True))
        whole = client.post("/invoke", json=text())
    told = events(streamed.text)
    assert [event["delta"]["content"] for event in told[:-2]] == ["ok ", "?", " end"]
    assert told[-1] == "[DONE]"
    assert whole.json()["output"]["text"] == "ok ? end"


class _Saboteur(Scripted):
    """A provider during whose work the platform's table of tasks goes away."""

    def __init__(self, database: Path) -> None:
        super().__init__()
        self.database = database

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        yield TextChunk("first")
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("ALTER TABLE tasks RENAME TO gone")


def test_an_end_that_cannot_be_recorded(tmp_path: Path) -> None:
    """The reader hears of an end whatever happens, and the next start settles the task."""
    settings = ServerSettings(data_dir=tmp_path)
    database = tmp_path / "nexus.db"
    headers = {"Idempotency-Key": "one"}
    with serving(settings, [_Saboteur(database)]) as client:
        streamed = client.post("/invoke", json=text(stream=True), headers=headers)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("ALTER TABLE gone RENAME TO tasks")
    told = events(streamed.text)
    assert told[0] == {"delta": {"content": "first"}}
    assert told[-1]["error"]["code"] == "INTERNAL_ERROR"
    with serving(settings, [Scripted("second")]) as client:
        task = client.get(f"/tasks/{streamed.headers['x-task-id']}").json()
        assert task["error"]["code"] == "SERVER_RESTARTED"
        again = client.post("/invoke", json=text(stream=True), headers=headers)
        assert events(again.text)[0] == {"delta": {"content": "second"}}


def test_a_stream_that_begins_after_the_end_has_begun(tmp_path: Path) -> None:
    """Accepted just before a shutdown, started just after: it is ended like the others."""

    async def scenario() -> str | None:
        settings = ServerSettings(data_dir=tmp_path)
        async with open_platform(settings, [Scripted("never told")]) as platform:
            key = (tmp_path / "api_key").read_text().strip()
            caller = await platform.keys.authenticate(f"Bearer {key}")
            new = NewTask(caller.api_key_id, "text_generation", "scripted", "script", {"prompt": "hi"}, {})
            accepted = await platform.tasks.accept_stream(new)
            await platform.drained()
            stream = platform.streams.start(accepted.task)
            async with asyncio.timeout(10):
                (item,) = [item for item in await stream.follow().next(10) if not isinstance(item, str)]
            await stream.ended
        return item.error.code if item.error else None

    assert asyncio.run(scenario()) == "SERVER_SHUTDOWN"


def follow(server: ServerProcess, task_id: str, seen: int) -> httpx.Response:
    return server.client.get(f"/tasks/{task_id}/events", headers={"Last-Event-ID": str(seen)})


def test_a_stream_can_be_taken_up_again(server: ServerProcess) -> None:
    """Its generation waits a while for a reader; events have ids, and none is told twice."""
    body = text(stream=True, fake={"tokens": 6, "delay": 0.15})
    with server.client.stream("POST", "/invoke", json=body, headers={"Prefer": "resumable"}) as response:
        assert response.headers["preference-applied"] == "resumable"
        first = next(response.iter_text())
    assert first == 'id: 3\ndata: {"delta":{"content":"w0 "}}\n\n'
    task_id = response.headers["x-task-id"]
    rest = follow(server, task_id, 3).text.split("\n\n")
    assert [block.split("\n")[0] for block in rest[:-2]] == [f"id: {n}" for n in (6, 9, 12, 15, 18, 18)]
    assert rest[-2:] == ["data: [DONE]", ""]
    assert server.finished(task_id)["output"]["text"] == "w0 w1 w2 w3 w4 w5 "
    again = follow(server, task_id, 15).text  # from what was recorded
    assert again.startswith('id: 18\ndata: {"delta":{"content":"w5 "}}\n\n')
    assert again.endswith("data: [DONE]\n\n")


def test_what_cannot_be_taken_up(server: ServerProcess) -> None:
    """A stream that was not asked to wait, a task without a stream, a bad position."""
    with streaming(server, {"tokens": 3, "delay": 0.1}) as response:
        task_id = response.headers["x-task-id"]
        assert follow(server, task_id, 0).status_code == 409
        response.read()
    assert follow(server, task_id, 0).status_code == 200
    task = server.client.post("/invoke", json=text()).json()
    assert follow(server, task["task_id"], 0).status_code == 409
    assert follow(server, "task_none", 0).status_code == 404
    assert follow(server, task_id, -1).status_code == 422


def test_a_second_reader_takes_the_first_one_s_place(server: ServerProcess) -> None:
    """A connection that only seems to be alive holds nobody up."""
    body = text(stream=True, fake={"tokens": 5, "delay": 0.2})
    with server.client.stream("POST", "/invoke", json=body, headers={"Prefer": "resumable"}) as response:
        pieces = response.iter_text()
        assert "w0 " in next(pieces)
        whole = follow(server, response.headers["x-task-id"], 0).text
        assert "read elsewhere" in "".join(pieces)
    assert whole.count("delta") >= 1
    assert '"content":"w0 ' in whole
    assert whole.endswith("data: [DONE]\n\n")
