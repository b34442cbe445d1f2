"""What is accepted is done, once, whatever happens to the process."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.process import ServerProcess, text
from server.upstream import FakeUpstream

ENDS = {"completed", "failed", "cancelled"}


def rows(server: ServerProcess, query: str) -> list[tuple[Any, ...]]:
    """What the database says."""
    database = sqlite3.connect(server.data_dir / "nexus.db")
    found = database.execute(query).fetchall()
    database.close()
    return found


def wait_for_ends(server: ServerProcess, count: int) -> None:
    """Until so many tasks have ended."""
    deadline = time.monotonic() + 60
    query = "SELECT count(*) FROM tasks WHERE status NOT IN ('queued', 'running')"
    while rows(server, query)[0][0] < count:
        assert time.monotonic() < deadline, rows(server, "SELECT status, count(*) FROM tasks GROUP BY 1")
        time.sleep(0.05)


def test_kill_9_loses_nothing(upstream: FakeUpstream, tmp_path: Path) -> None:
    """200 tasks are accepted, the server is killed twice on the way, and 200 end, each once."""
    accepted, at_once = 200, 16
    with ServerProcess(tmp_path / "data", upstream.base_url, worker_concurrency=at_once) as server:
        upstream.gate.clear()
        before = len(upstream.chats())
        body = text(fake={"tokens": 2, "delay": 0.05, "gated": True})
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda _: server.submit(body), range(accepted)))
        upstream.wait_for_chats(before + at_once)
        server.kill()
        upstream.gate.set()
        server.start()
        wait_for_ends(server, accepted // 2)
        server.kill()
        server.start()
        wait_for_ends(server, accepted)
        found = dict(rows(server, "SELECT id, status FROM tasks"))
        assert found == dict.fromkeys(ids, "completed")
        lines: dict[str, list[str]] = {task_id: [] for task_id in ids}
        for task_id, status in rows(server, "SELECT task_id, status FROM task_history ORDER BY id"):
            lines[task_id].append(status)
        again = sum(statuses.count("running") > 1 for statuses in lines.values())
        for statuses in lines.values():
            assert statuses[0] == "queued"
            assert statuses[-1] == "completed"
            assert set(statuses[1:-1]) == {"running"}
        assert at_once <= again <= 2 * at_once  # what ran at a kill, and nothing else
        outputs = rows(server, "SELECT count(*) FROM tasks WHERE output ->> 'text' = 'w0 w1 '")
        assert outputs == [(accepted,)]


def test_kill_9_while_accepting(upstream: FakeUpstream, tmp_path: Path) -> None:
    """What was answered 202 is there after the crash; what was not may be there, and then ends."""
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        answered: list[str] = []

        def submit(_: int) -> None:
            with suppress(httpx.HTTPError):
                answered.append(server.submit(text()))

        with ThreadPoolExecutor(9) as pool:
            for number in range(200):
                pool.submit(submit, number)
            while len(answered) < 30:
                time.sleep(0.01)
            server.popen.kill()
        server.kill()
        server.start()
        there = {task_id for (task_id,) in rows(server, "SELECT id FROM tasks")}
        assert set(answered) <= there
        wait_for_ends(server, len(there))
        assert rows(server, "SELECT DISTINCT status FROM tasks") == [("completed",)]


def test_kill_9_during_a_stream(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Its reader sees it break off, and its task has failed after the restart."""
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        body = text(stream=True, fake={"tokens": 2, "delay": 30})
        with server.client.stream("POST", "/invoke", json=body) as response:
            pieces = response.iter_raw()
            next(pieces)
            server.popen.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                next(pieces)
        server.kill()
        server.start()
        task = server.finished(response.headers["x-task-id"])
        assert (task["status"], task["error"]["code"]) == ("failed", "SERVER_RESTARTED")


def test_stopping_leaves_tasks_for_the_next_start(upstream: FakeUpstream, tmp_path: Path) -> None:
    """What does not end within the grace is neither failed nor cancelled, but run again."""
    directory = tmp_path / "data"
    with ServerProcess(directory, upstream.base_url, shutdown_grace=0.5) as server:
        before = len(upstream.chats())
        running = server.submit(text(fake={"tokens": 2, "delay": 4}))
        upstream.wait_for_chats(before + 1)
        server.stop()
        assert server.popen.returncode == 0
        assert rows(server, "SELECT status FROM tasks") == [("running",)]
        server.start()
        assert server.finished(running)["status"] == "completed"
        statuses = [status for (status,) in rows(server, "SELECT status FROM task_history")]
        assert statuses == ["queued", "running", "running", "completed"]


def test_stopping_lets_tasks_end(upstream: FakeUpstream, tmp_path: Path) -> None:
    """What ends within the grace is done, and nothing waits any longer than that."""
    with ServerProcess(tmp_path / "data", upstream.base_url, shutdown_grace=20) as server:
        before = len(upstream.chats())
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(server.invoke, text(fake={"tokens": 2, "delay": 1}))
            upstream.wait_for_chats(before + 1)
            assert server.stop() < 15
            assert held.result().json()["status"] == "completed"
        assert rows(server, "SELECT status FROM tasks") == [("completed",)]


def test_a_task_whose_work_is_gone(upstream: FakeUpstream, tmp_path: Path) -> None:
    """A queued task without its queue entry is queued again; one whose work has ended, fails."""
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        forgotten, ended = server.submit(text()), server.submit(text())
        server.finished(forgotten)
        server.finished(ended)
        server.stop()
        with sqlite3.connect(server.data_dir / "nexus.db") as database:
            database.execute("UPDATE tasks SET status = 'queued', finished_at = NULL")
            database.execute("DELETE FROM workflow_status WHERE workflow_uuid = ?", [forgotten])
        database.close()
        server.start()
        assert server.finished(forgotten)["status"] == "completed"
        assert server.finished(ended)["error"]["code"] == "INTERNAL_ERROR"
