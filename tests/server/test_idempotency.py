"""`Idempotency-Key` on `POST /invoke`."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from server.process import ServerProcess, text
from server.upstream import FakeUpstream


def test_the_same_answer_again(server: ServerProcess, upstream: FakeUpstream) -> None:
    """The same key and body get the first answer, and nothing is done twice."""
    key, prompt = str(uuid4()), str(uuid4())
    first = server.invoke(text(prompt), Idempotency_Key=key)
    again = server.invoke(text(prompt), Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert sum(prompt in str(seen.body) for seen in upstream.chats()) == 1


def test_in_another_mode(server: ServerProcess) -> None:
    """The same task is answered in the mode that is asked for now."""
    key = str(uuid4())
    task_id = server.invoke(text(), Idempotency_Key=key, Prefer="respond-async").json()["task_id"]
    answer = server.invoke(text(), Idempotency_Key=key)
    assert (answer.status_code, answer.json()["task_id"]) == (200, task_id)
    later = server.invoke(text(), Idempotency_Key=key, Prefer="respond-async")
    assert (later.status_code, later.json()["task_id"]) == (202, task_id)
    assert later.json()["status"] == "completed"


def test_another_body(server: ServerProcess) -> None:
    """The same key for another request is a mistake."""
    key = str(uuid4())
    assert server.invoke(text("one"), Idempotency_Key=key).status_code == 200
    for body in (text("two"), text("one", stream=True), text("one", model="fake-large")):
        answer = server.invoke(body, Idempotency_Key=key)
        assert answer.status_code == 409
        assert answer.json()["error_code"] == "CONFLICT"


def test_at_the_same_time(server: ServerProcess, upstream: FakeUpstream) -> None:
    """Duplicates that come while the first still runs wait for the same task."""
    key, prompt = str(uuid4()), str(uuid4())
    body = text(prompt, fake={"delay": 0.1})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.invoke(body, Idempotency_Key=key), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert sum(prompt in str(seen.body) for seen in upstream.chats()) == 1


@pytest.mark.parametrize("key", ["a b", "", "é".encode("latin-1").decode("latin-1"), "k" * 256])
def test_a_key_that_is_none(server: ServerProcess, key: str) -> None:
    """A key has 1 to 255 visible ASCII characters."""
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    answer = server.client.post("/invoke", json=text(), headers=headers)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["detail"]


def test_a_failure_is_replayed(server: ServerProcess) -> None:
    """A refusal stays one."""
    key = str(uuid4())
    body = text(fake={"status": 400, "error": {"message": "no"}})
    first = server.invoke(body, Idempotency_Key=key)
    again = server.invoke(body, Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (400, 400)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["task_id"] == first.json()["task_id"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_passing_failure_is_not(server: ServerProcess, status: int) -> None:
    """A client that retries because the upstream was busy must not be told so for a day."""
    key = str(uuid4())
    body = text(fake={"status": status})
    first = server.invoke(body, Idempotency_Key=key)
    again = server.invoke(body, Idempotency_Key=key)
    assert (first.status_code, again.status_code) == (status, status)
    assert again.json()["task_id"] != first.json()["task_id"]


def test_a_completed_stream_again(server: ServerProcess, upstream: FakeUpstream) -> None:
    """It is told from the record, its text in one piece."""
    key, prompt = str(uuid4()), str(uuid4())
    body = text(prompt, stream=True, fake={"tokens": 3})
    first = server.invoke(body, Idempotency_Key=key)
    again = server.invoke(body, Idempotency_Key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-task-id"] == first.headers["x-task-id"]
    assert again.text.startswith('data: {"delta":{"content":"w0 w1 w2 "}}\n\n')
    assert again.text.split("\n\n")[1:] == first.text.split("\n\n")[3:]
    assert sum(prompt in str(seen.body) for seen in upstream.chats()) == 1


def test_a_failed_stream_runs_anew(server: ServerProcess) -> None:
    """A stream that broke off can be asked for again under the same key."""
    key = str(uuid4())
    body = text(stream=True, fake={"break_after": 1})
    first = server.invoke(body, Idempotency_Key=key)
    again = server.invoke(body, Idempotency_Key=key)
    assert again.status_code == 200
    assert "idempotent-replayed" not in again.headers
    assert again.headers["x-task-id"] != first.headers["x-task-id"]


def test_a_running_stream(server: ServerProcess) -> None:
    """A second reader is asked to come back."""
    key = str(uuid4())
    body = text(stream=True, fake={"tokens": 2, "delay": 30})
    headers = {"Idempotency-Key": key}
    with server.client.stream("POST", "/invoke", json=body, headers=headers) as response:
        pieces = response.iter_raw()
        next(pieces)
        with server.client_with(server.key) as client:
            answer = client.post("/invoke", json=body, headers=headers)
    assert answer.status_code == 409
    assert answer.headers["retry-after"] == "1"


def test_after_a_day(server: ServerProcess) -> None:
    """A key that is older than 24 hours is forgotten."""
    key = str(uuid4())
    first = server.invoke(text(), Idempotency_Key=key)
    with sqlite3.connect(server.data_dir / "nexus.db") as database:
        database.execute("UPDATE idempotency_keys SET created_at = created_at - 86400001")
    database.close()
    again = server.invoke(text(), Idempotency_Key=key)
    assert again.json()["task_id"] != first.json()["task_id"]
