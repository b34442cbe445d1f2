"""`/tasks`: looking, waiting, cancelling."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server.process import ServerProcess, text
from server.upstream import FakeUpstream


def history(server: ServerProcess, task_id: str) -> list[str]:
    """Every status that the task had."""
    database = sqlite3.connect(server.data_dir / "nexus.db")
    query = "SELECT status FROM task_history WHERE task_id = ? ORDER BY id"
    rows = [status for (status,) in database.execute(query, [task_id])]
    database.close()
    return rows


def test_a_task(server: ServerProcess) -> None:
    """What is not there yet is left out."""
    task_id = server.submit(text(fake={"tokens": 2, "delay": 0.5}))
    answer = server.client.get(f"/tasks/{task_id}")
    assert answer.status_code == 200
    assert answer.json()["status"] in {"queued", "running"}
    assert answer.json()["task_type"] == "text_generation"
    assert not answer.json().keys() & {"finished_at", "output", "error", "progress"}
    assert "preference-applied" not in answer.headers
    assert server.finished(task_id)["output"]["text"] == "w0 w1 "
    assert history(server, task_id) == ["queued", "running", "completed"]


def test_no_such_task(server: ServerProcess) -> None:
    """An unknown id is not found, whatever is done with it."""
    for path in ("/tasks/task_0", "/tasks/..%2f..%2fhealth", "/tasks/%00"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")
    assert server.client.post("/tasks/task_0/cancel").status_code == 404


def test_waiting(server: ServerProcess) -> None:
    """A long-poll ends as soon as the task does."""
    task_id = server.submit(text(fake={"tokens": 2, "delay": 0.6}))
    began = time.monotonic()
    answer = server.client.get(f"/tasks/{task_id}", headers={"Prefer": "wait=20"})
    assert time.monotonic() - began < 15
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.json()["status"] == "completed"


def test_waiting_in_vain(server: ServerProcess) -> None:
    """After N seconds the task is told as it stands."""
    task_id = server.submit(text(fake={"tokens": 2, "delay": 3}))
    began = time.monotonic()
    answer = server.client.get(f"/tasks/{task_id}", headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 2.9
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.json()["status"] == "running"
    assert server.finished(task_id)["status"] == "completed"


def test_many_wait(server: ServerProcess) -> None:
    """All who wait for a task are told."""
    task_id = server.submit(text(fake={"tokens": 2, "delay": 0.6}))
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(server.finished, [task_id] * 20))
    assert {task["status"] for task in told} == {"completed"}


def test_pages(server: ServerProcess) -> None:
    """Tasks come newest first, in pages."""
    ids = [server.submit(text()) for _ in range(5)]
    for task_id in ids:
        server.finished(task_id)
    first = server.client.get("/tasks?per_page=3").json()
    second = server.client.get("/tasks?per_page=3&page=2").json()
    assert [task["task_id"] for task in first["tasks"]] == ids[:1:-1]
    assert [task["task_id"] for task in second["tasks"]][:2] == ids[1::-1]
    assert (first["page"], first["per_page"], second["page"]) == (1, 3, 2)
    assert first["pages"] == -(-first["total"] // 3)
    beyond = server.client.get("/tasks?page=1000000000").json()
    assert (beyond["tasks"], beyond["total"]) == ([], first["total"])


def test_filters(server: ServerProcess) -> None:
    """Tasks can be asked for by status and type."""
    failed = server.submit(text(fake={"status": 400}))
    server.finished(failed)
    page = server.client.get("/tasks?status=failed&task_type=text_generation").json()
    assert page["tasks"][0]["task_id"] == failed
    assert {task["status"] for task in page["tasks"]} == {"failed"}
    assert server.client.get("/tasks?task_type=text_to_speech").json()["total"] == 0


@pytest.mark.parametrize(
    "query", ["status=lost", "task_type=tea", "page=0", "per_page=101", "page=x", "page=9e99"]
)
def test_bad_filters(server: ServerProcess, query: str) -> None:
    """What cannot be asked for is told."""
    answer = server.client.get(f"/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_cancelling_a_running_task(server: ServerProcess, upstream: FakeUpstream) -> None:
    """It is cancelled at once, its upstream stopped, and those who wait are told."""
    before = len(upstream.chats())
    task_id = server.submit(text(fake={"tokens": 2, "delay": 30}))
    seen = upstream.wait_for_chats(before + 1)[-1]
    assert seen.began.wait(5)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.finished, task_id)
        began = time.monotonic()
        answer = server.client.post(f"/tasks/{task_id}/cancel")
        assert answer.status_code == 200
        assert answer.json()["status"] == "cancelled"
        assert answer.json()["finished_at"]
        assert waiting.result()["status"] == "cancelled"
        assert time.monotonic() - began < 15
    assert seen.ended.wait(10)
    assert seen.state == "disconnected"
    assert history(server, task_id) == ["queued", "running", "cancelled"]


def test_cancelling_twice(server: ServerProcess) -> None:
    """What has ended cannot be cancelled."""
    task_id = server.submit(text())
    server.finished(task_id)
    answer = server.client.post(f"/tasks/{task_id}/cancel")
    assert answer.status_code == 409
    assert "completed" in answer.json()["detail"]


def test_cancelling_again_with_the_same_key(server: ServerProcess) -> None:
    """Who did not hear the answer asks again, and gets it; anybody else is told that it has ended."""
    task_id = server.submit(text(fake={"delay": 30}))
    first, again = (
        server.client.post(f"/tasks/{task_id}/cancel", headers={"Idempotency-Key": "mine"}) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert first.json()["status"] == "cancelled"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for headers in ({}, {"Idempotency-Key": "another"}):
        assert server.client.post(f"/tasks/{task_id}/cancel", headers=headers).status_code == 409


def test_a_held_call_hears_of_the_cancellation(server: ServerProcess) -> None:
    """It cannot be answered with an output."""
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(server.invoke, text("held", fake={"tokens": 2, "delay": 30}))
        running: list[dict[str, str]] = []
        while not running:
            running = server.client.get("/tasks?status=running").json()["tasks"]
        server.client.post(f"/tasks/{running[0]['task_id']}/cancel")
        answer = held.result()
    assert answer.status_code == 409
    assert answer.json()["error_code"] == "TASK_CANCELLED"
    assert answer.json()["task_id"] == running[0]["task_id"]


def test_a_narrow_server(upstream: FakeUpstream, tmp_path: Path) -> None:
    """With room for one task the others queue, can be cancelled there, and start without delay."""
    with ServerProcess(tmp_path / "data", upstream.base_url, worker_concurrency=1) as server:
        before = len(upstream.chats())
        first = server.submit(text(fake={"tokens": 2, "delay": 1}))
        upstream.wait_for_chats(before + 1)
        queued, *others = [server.submit(text()) for _ in range(8)]
        assert server.client.get(f"/tasks/{queued}").json()["status"] == "queued"
        answer = server.client.post(f"/tasks/{queued}/cancel")
        assert answer.json()["status"] == "cancelled"
        assert server.finished(first)["status"] == "completed"
        began = time.monotonic()
        for task_id in others:
            assert server.finished(task_id)["status"] == "completed"
        assert time.monotonic() - began < 6  # eight polls would take eight seconds
        assert history(server, queued) == ["queued", "cancelled"]
        assert len(upstream.chats()) == before + 8
