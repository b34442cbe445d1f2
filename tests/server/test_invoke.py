"""`POST /invoke`, answered at once or as a task."""

from __future__ import annotations

import re
import socket
import time
from typing import Any

import pytest
from server.process import ServerProcess, text
from server.upstream import FakeUpstream

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_sync(server: ServerProcess) -> None:
    """The answer is held until the task has ended, and has its output."""
    answer = server.invoke(text(fake={"tokens": 3}))
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"task_id", "status", "output"}
    assert re.fullmatch(r"task_[0-9a-f]{32}", body["task_id"])
    assert body["status"] == "completed"
    assert body["output"] == {
        "text": "w0 w1 w2 ",
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "model": "fake-small",
        "finish_reason": "stop",
    }
    assert "preference-applied" not in answer.headers
    assert "idempotent-replayed" not in answer.headers


def test_async(server: ServerProcess) -> None:
    """`Prefer: respond-async` answers at once, and the task goes on."""
    answer = server.invoke(text(fake={"delay": 0.05}), Prefer="respond-async")
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    body = answer.json()
    assert body["status"] == "queued"
    assert body["message"]
    assert body["status_poll_url"] == f"/api/v1/tasks/{body['task_id']}"
    task = server.finished(body["task_id"])
    assert task["status"] == "completed"
    assert task["output"]["text"] == "w0 w1 w2 w3 w4 "
    for moment in ("created_at", "started_at", "finished_at"):
        assert re.fullmatch(ISO, task[moment])


def test_waiting_long_enough(server: ServerProcess) -> None:
    """`Prefer: wait=N` answers 200 when the task ends within N seconds."""
    answer = server.invoke(text(), Prefer="wait=20")
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=20"


@pytest.mark.parametrize("prefer", ["wait=1", "respond-async, wait=1"])
def test_waiting_not_long_enough(server: ServerProcess, prefer: str) -> None:
    """After N seconds the task is answered as it stands, and goes on."""
    began = time.monotonic()
    answer = server.invoke(text(fake={"tokens": 2, "delay": 3}), Prefer=prefer)
    assert 0.9 < time.monotonic() - began < 2.9
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.json()["status"] == "running"
    assert server.finished(answer.json()["task_id"])["status"] == "completed"


def test_messages_and_options_reach_the_upstream(server: ServerProcess, upstream: FakeUpstream) -> None:
    """Messages and options go through untouched; what the platform decides does not."""
    messages = [{"role": "system", "content": "短く"}, {"role": "user", "content": "안녕"}]
    config = {"temperature": 0.5, "max_tokens": 9, "new_knob": [1], "n": 3, "stream": False}
    body = text(input={"messages": messages}, config=config, model="fake-large")
    assert server.invoke(body).status_code == 200
    sent = upstream.chats()[-1].body
    assert sent["messages"] == messages
    assert sent["model"] == "fake-large"
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert (sent["temperature"], sent["max_tokens"], sent["new_knob"]) == (0.5, 9, [1])
    assert "n" not in sent


def test_unknown_fields_are_ignored(server: ServerProcess) -> None:
    """A newer client may send more than this server knows."""
    body = text(input={"prompt": "hi", "tone": "kind"}, from_the_future=True)
    assert server.invoke(body).status_code == 200


@pytest.mark.parametrize(
    ("task_input", "where"),
    [
        ({}, ["body", "input"]),
        ({"prompt": ""}, ["body", "input", "prompt"]),
        ({"prompt": 5}, ["body", "input", "prompt"]),
        ({"messages": []}, ["body", "input", "messages"]),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, ["body", "input"]),
        (
            {"messages": [{"role": "robot", "content": "b"}]},
            ["body", "input", "messages", 0, "role"],
        ),
        ({"messages": [{"role": "user"}]}, ["body", "input", "messages", 0, "content"]),
        (None, ["body", "input"]),
        ("hi", ["body", "input"]),
    ],
)
def test_bad_input(server: ServerProcess, task_input: Any, where: list[Any]) -> None:
    """What is wrong with the input is told, and where."""
    answer = server.invoke(text(input=task_input))
    assert answer.status_code == 422
    assert answer.json()["error_code"] == "VALIDATION_ERROR"
    (fault,) = answer.json()["detail"]
    assert fault["loc"] == where
    assert fault.keys() == {"loc", "msg", "type"}


def test_unknown_task_type(server: ServerProcess) -> None:
    """An unknown type of task is answered with those that there are."""
    answer = server.invoke({"task_type": "tea", "input": {"prompt": "hi"}})
    assert answer.status_code == 422
    assert "'text_generation'" in answer.json()["detail"][0]["msg"]


def test_no_model_for_it(server: ServerProcess) -> None:
    """What nothing here can do is refused with how to change that, and not accepted."""
    before = server.client.get("/tasks").json()["total"]
    answer = server.invoke({"task_type": "image_generation", "input": {"prompt": "hi"}})
    assert answer.status_code == 503
    assert "no model for image_generation" in answer.json()["detail"]
    assert server.client.get("/tasks").json()["total"] == before


@pytest.mark.parametrize(
    "choice",
    [{"model": "nope"}, {"provider": "nope"}, {"provider": "fake", "model": "nope"}],
)
@pytest.mark.parametrize("stream", [False, True])
def test_choosing_what_does_not_exist(server: ServerProcess, choice: dict[str, str], stream: bool) -> None:
    """The refusal lists what exists, and nothing is accepted."""
    before = server.client.get("/tasks").json()["total"]
    answer = server.invoke(text(**choice, stream=stream))
    assert answer.status_code == 400
    body = answer.json()
    assert body["available"] == [
        {"provider": "fake", "model": "fake-small"},
        {"provider": "fake", "model": "fake-large"},
    ]
    assert "nope" in body["detail"]
    assert "fake/fake-large" in body["detail"]
    assert server.client.get("/tasks").json()["total"] == before


@pytest.mark.parametrize(
    ("fake", "status", "code"),
    [
        ({"status": 500}, 503, "SERVICE_UNAVAILABLE"),
        ({"status": 401, "error": {"message": "bad key sk-1"}}, 503, "SERVICE_UNAVAILABLE"),
        ({"status": 400, "error": {"message": "top_p is odd"}}, 400, "INVALID_REQUEST"),
        ({"break_after": 2}, 503, "SERVICE_UNAVAILABLE"),
        ({"error_after": 2}, 503, "SERVICE_UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("asked", ["sync", "as a task"])
def test_failures(server: ServerProcess, fake: dict[str, Any], status: int, code: str, asked: str) -> None:
    """A failed task answers with an error status, and says the same when it is asked for."""
    if asked == "sync":
        answer = server.invoke(text(fake=fake))
        assert answer.status_code == status
        body = answer.json()
        assert body["error_code"] == code
        assert "sk-1" not in answer.text
        task_id = body["task_id"]
    else:
        task_id = server.submit(text(fake=fake))
    task = server.finished(task_id)
    assert task["status"] == "failed"
    assert task["error"]["code"] == code
    assert task["error"]["message"]
    assert "output" not in task


def test_context_overflow(server: ServerProcess) -> None:
    """A prompt that is too long is the caller's to shorten, who is told both numbers."""
    error = {"type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
    answer = server.invoke(text(fake={"status": 400, "error": error}))
    assert answer.status_code == 400
    body = answer.json()
    assert body["error_code"] == "CONTEXT_LENGTH_EXCEEDED"
    assert (body["limit"], body["size"]) == (4096, 5000)
    told = server.finished(body["task_id"])["error"]
    assert (told["limit"], told["size"]) == (4096, 5000)


def test_a_busy_upstream(server: ServerProcess) -> None:
    """The upstream's wish to be left alone is passed on."""
    fake = {"status": 429, "headers": {"Retry-After": "7"}}
    answer = server.invoke(text(fake=fake))
    assert answer.status_code == 429
    assert answer.json()["error_code"] == "RATE_LIMIT_EXCEEDED"
    assert answer.json()["retry_after"] == 7
    assert answer.headers["retry-after"] == "7"


def test_a_task_outlives_its_caller(server: ServerProcess, upstream: FakeUpstream) -> None:
    """A caller that goes away while it is held does not stop its task."""
    before = len(upstream.chats())
    host, port = server.url.removeprefix("http://").removesuffix("/api/v1").split(":")
    body = b'{"task_type":"text_generation","input":{"prompt":"hi"},'
    body += b'"config":{"fake":{"delay":0.1}}}'
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /api/v1/invoke HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        seen = upstream.wait_for_chats(before + 1)[-1]
    assert seen.ended.wait(5)
    assert seen.state == "finished"
    newest = server.client.get("/tasks?per_page=1").json()["tasks"][0]
    assert server.finished(newest["task_id"])["status"] == "completed"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"task_type":"text_generation","input":{"prompt":"\\ud800"}}',
        b'{"task_type":"text_generation","input":{"prompt":"hi"},"config":{"top_p":NaN}}',
        b'{"task_type":"text_generation","input":{"prompt":"hi"},"config":{"x":1e999}}',
        b'{"task_type":"text_generation","input":{"prompt":"hi"},"config":{"x":%b%b}}'
        % (b"[" * 300, b"]" * 300),
    ],
)
def test_what_json_cannot_carry(server: ServerProcess, raw: bytes) -> None:
    """Half characters, numbers that are none, and endless nests are refused before they do harm."""
    headers = {"Content-Type": "application/json"}
    answer = server.client.post("/invoke", content=raw, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_REQUEST"
