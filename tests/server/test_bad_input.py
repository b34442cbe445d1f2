"""Bad input, call by call: a clear error, and nothing done."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from server.bad_input import LIMIT, ROWS, Row
from server.local_models import link_speech
from server.process import ServerProcess, text
from server.upstream import FakeUpstream


@pytest.fixture(scope="module")
def strict(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A platform with small limits and every kind of model."""
    directory = tmp_path_factory.mktemp("strict")
    link_speech(directory / "models")
    limits = {"max_file_bytes": LIMIT, "max_body_bytes": LIMIT // 2}
    with ServerProcess(
        directory / "data", upstream.base_url, local=True, models_dir=str(directory / "models"), **limits
    ) as running:
        yield running


@pytest.fixture(scope="module")
def ids(strict: ServerProcess) -> dict[str, str]:
    """Things that are there, and things that were."""

    def make(path: str, field: str, **request: Any) -> str:
        answer = strict.client.post(path, **request)
        assert answer.status_code == 201, answer.text
        return str(answer.json()[field])

    note, gone = ({"file": ("note.txt", content)} for content in (b"hello", b"gone"))
    recording = {"file": ("silence.wav", silence())}
    task = strict.invoke(text("hi", fake={"tokens": 1})).json()["task_id"]
    found = {
        "file": make("/files", "file_id", files=note),
        "recording": make("/files", "file_id", files=recording),
        "gone_file": make("/files", "file_id", files=gone),
        "session": make("/sessions", "session_id", json={}),
        "gone_session": make("/sessions", "session_id", json={}),
        "kb": make("/knowledge-bases", "kb_id", json={"name": "here"}),
        "gone_kb": make("/knowledge-bases", "kb_id", json={"name": "gone"}),
        "task": task,
    }
    for path in ("files/{gone_file}", "sessions/{gone_session}", "knowledge-bases/{gone_kb}"):
        assert strict.client.delete("/" + path.format(**found)).is_success
    return found


def silence() -> bytes:
    """A second of it."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))
    return buffer.getvalue()


def ask(server: ServerProcess, row: Row, ids: dict[str, str]) -> Any:
    """The answer to a row's request; a task's end counts as its answer."""
    method, path = row.call.partition(" (")[0].split(" ")
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    if isinstance(row.body, bytes):
        return server.client.request(method, path, files={"file": (row.name, row.body)})
    if row.body is None:
        return server.client.request(method, path)
    body = json.dumps(row.body)
    for name, value in ids.items():
        body = body.replace(f'"{{{name}}}"', f'"{value}"')
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    return server.client.request(method, path, content=body, headers=headers)


def counts(server: ServerProcess) -> list[int]:
    """How many things there are."""
    listings = ("/files", "/sessions")
    return [server.client.get(path).json()["total"] for path in listings] + [
        len(server.client.get("/knowledge-bases").json())
    ]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.call}: {row.what}" for row in ROWS])
def test_refused(strict: ServerProcess, ids: dict[str, str], row: Row) -> None:
    """With its status and code, a sentence, and nothing changed."""
    before = counts(strict)
    answer = ask(strict, row, ids)
    told = answer.json()
    assert (answer.status_code, told["error_code"]) == (row.status, row.code), told
    assert told["detail"]
    assert counts(strict) == before
