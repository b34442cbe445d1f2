"""Keys, and what they open."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from server.process import ServerProcess, text

from nexus_server.auth import new_key


def store_key(server: ServerProcess) -> str:
    """Another key of the same server."""
    key = new_key()
    digest = hashlib.sha256(key.encode()).hexdigest()
    with sqlite3.connect(server.data_dir / "nexus.db") as database:
        database.execute(
            "INSERT INTO api_keys (id, name, hash, created_at) VALUES (?, 'test', ?, 0)",
            [key.split("_")[1], digest],
        )
    database.close()
    return key


@pytest.fixture
def other_key(server: ServerProcess) -> Iterator[str]:
    """A second caller."""
    return store_key(server)


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "Missing Authorization header"),
        ("", "Missing Authorization header"),
        ("Bearer", "Invalid API key"),
        ("Bearer nxs_canary", "Invalid API key"),
        ("Basic {key}", "Invalid API key"),
        ("{key}", "Invalid API key"),
        ("Bearer {key}x", "Invalid API key"),
        ("Bearer {other}", "Invalid API key"),
        ("Bearer nxs_\u0661", "Invalid API key"),
    ],
)
def test_refusals(server: ServerProcess, header: str | None, detail: str) -> None:
    """A refusal says one of the contract's sentences, and never what was sent."""
    other = new_key().replace(new_key().split("_")[1], server.key.split("_")[1])
    headers = {}
    if header is not None:
        headers = {"Authorization": header.format(key=server.key, other=other).encode()}
    with server.client_with(None) as client:
        answer = client.get("/models", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"] == detail
    assert answer.json()["error_code"] == "UNAUTHORIZED"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "nxs_" not in answer.text


def test_scheme_in_any_case(server: ServerProcess) -> None:
    """`Bearer` is a word in any case."""
    with server.client_with(None) as client:
        answer = client.get("/models", headers={"Authorization": f"bearer {server.key}"})
    assert answer.status_code == 200


def test_a_key_that_is_disabled(server: ServerProcess, other_key: str) -> None:
    """It stops working within seconds, though it was used a moment ago."""
    with server.client_with(other_key) as client:
        assert client.get("/models").status_code == 200
        with sqlite3.connect(server.data_dir / "nexus.db") as database:
            query = "UPDATE api_keys SET disabled_at = 1 WHERE id = ?"
            database.execute(query, [other_key.split("_")[1]])
        database.close()
        deadline = time.monotonic() + 3
        while (answer := client.get("/models")).status_code == 200:
            assert time.monotonic() < deadline
    assert answer.status_code == 401
    assert answer.json()["detail"] == "API key is disabled"


def test_every_route_asks_for_a_key(server: ServerProcess) -> None:
    """Whatever the API document lists, but for the health, is closed without one."""
    origin = server.url.removesuffix("/api/v1")
    with server.client_with(None) as client:
        paths = client.get(f"{origin}/openapi.json").json()["paths"]
        routes = [(method, path) for path, methods in paths.items() for method in methods]
        opened = []
        for method, path in routes:
            answer = client.request(method, origin + re.sub(r"\{\w+\}", "x_0", path), json={})
            if answer.status_code != 401:
                opened.append(path)
    assert len(routes) >= 6
    assert opened == ["/health"]


def test_tasks_are_their_makers(server: ServerProcess, other_key: str) -> None:
    """Another key's task is not found, not listed, not cancelled, and shares no idempotency."""
    headers = {"Idempotency-Key": "shared"}
    mine = server.client.post("/invoke", json=text(), headers=headers).json()["task_id"]
    with server.client_with(other_key) as client:
        assert client.get(f"/tasks/{mine}").status_code == 404
        assert client.get(f"/tasks/{mine}", headers={"Prefer": "wait=5"}).status_code == 404
        assert client.post(f"/tasks/{mine}/cancel").status_code == 404
        assert client.get("/tasks").json()["total"] == 0
        theirs = client.post("/invoke", json=text("other"), headers=headers)
    assert theirs.status_code == 200
    assert theirs.json()["task_id"] != mine


def test_the_first_key(tmp_path: Path) -> None:
    """It is made once, for its owner's eyes only, and outlives the database."""
    directory = tmp_path / "data"
    with ServerProcess(directory) as server:
        key = server.key
        assert (directory.stat().st_mode & 0o777) == 0o700
        for name in ("api_key", "webhook_secret", "nexus.db", "nexus.db-wal", "lock", "server.json"):
            assert (directory / name).stat().st_mode & 0o077 == 0
        for file in filter(Path.is_file, directory.rglob("*")):
            if file.name != "api_key":
                assert key.encode() not in file.read_bytes()
        server.stop()
        assert key not in server.stderr()
        for file in directory.glob("nexus.db*"):
            file.unlink()
        server.start()
        assert server.key == key
        assert server.client.get("/models").status_code == 200
        server.stop()
        (directory / "api_key").unlink()
        server.start()
        assert server.key != key
        assert server.client.get("/models").status_code == 200
