"""Every endpoint of the contract, and every field that it promises, on a platform with real models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator

import httpx
import pytest
from server.process import ServerProcess, text

FILE = {"file_id", "filename", "content_type", "size", "created_at"}
PAGE = {"total", "page", "per_page", "pages"}
SESSION = {"session_id", "agent_type", "agent_config", "name", "is_active", "created_at"}
BASE = {"kb_id", "name", "description", "embedding_model", "document_count", "created_at"}
SIZES = {"chunk_size", "chunk_overlap"}
TASK = {"task_id", "status", "task_type", "created_at"}
ENDED = {*TASK, "started_at", "finished_at"}
ACCEPTED = {"task_id", "status", "message", "status_poll_url"}
USAGE = {"prompt_tokens", "completion_tokens", "total_tokens"}
ERROR = {"detail", "error_code", "timestamp"}


class Walk:
    """Asks, and remembers which endpoints it has been to."""

    def __init__(self, server: ServerProcess) -> None:
        self._client = server.client
        self.seen: set[tuple[str, str]] = set()

    def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The body of an answer with this status; `{…}` in the path are filled from `ids`."""
        ids = more.pop("ids", {})
        self.seen.add((method, path))
        answer = self._client.request(method, path.format(**ids), **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["x-request-id"]
        if not answer.headers.get("content-type", "").startswith("application/json"):
            return answer
        return answer.json()

    def invoke(self, task_type: str, given: dict[str, Any], **config: Any) -> dict[str, Any]:
        """The output of a task."""
        body = {"task_type": task_type, "input": given, "config": config}
        answer = self.ask("POST", "/invoke", json=body, headers={"Prefer": "wait=60"})
        assert set(answer) >= {"task_id", "status", "output"}
        return dict(answer["output"])


@pytest.fixture(scope="module")
def walk(platform: ServerProcess) -> Iterator[Walk]:
    """One walk for all of these tests, which goes everywhere."""
    walk = Walk(platform)
    yield walk
    document = platform.client.get(platform.url.replace("/api/v1", "/openapi.json")).json()
    routes = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        if path.startswith("/api/v1")
        for method in methods
    }
    assert walk.seen == routes


def test_files(walk: Walk, tmp_path: Path) -> None:
    """Kept, told, listed, ranged, deleted."""
    form = {"file": ("报告.txt", "第一章".encode())}
    uploaded = walk.ask("POST", "/files", 201, files=form)
    assert set(uploaded) >= {*FILE, "message", "mime_type"}
    ids = {"file_id": uploaded["file_id"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", uploaded["created_at"])
    assert set(walk.ask("GET", "/files/{file_id}", ids=ids)) >= FILE
    page = walk.ask("GET", "/files", params={"page": 1, "per_page": 1})
    assert set(page) >= {"files", *PAGE}
    assert set(page["files"][0]) >= FILE
    content = walk.ask("GET", "/files/{file_id}/content", 206, ids=ids, headers={"Range": "bytes=0-2"})
    assert content.content == "第".encode()
    for header in ("content-type", "content-length", "content-disposition", "etag"):
        assert content.headers[header]
    assert set(walk.ask("DELETE", "/files/{file_id}", ids=ids)) >= {"message", "deleted_count"}
    assert set(walk.ask("GET", "/files/{file_id}", 404, ids=ids)) >= ERROR


def test_invoke(walk: Walk) -> None:
    """Every type of task, and what it promises to put out."""
    generated = walk.invoke("text_generation", {"prompt": "hi"}, max_tokens=2)
    assert set(generated) >= {"text", "usage", "model", "finish_reason"}
    assert set(generated["usage"]) == USAGE
    drawn = walk.invoke("image_generation", {"prompt": "a cat"}, size="256x256", num_images=2)
    assert set(drawn) >= {"image_url", "width", "height", "revised_prompt", "images"}
    assert [set(image) for image in drawn["images"]] == [{"url", "width", "height", "index"}] * 2
    spoken = walk.invoke("text_to_speech", {"text": "Good morning."}, format="wav", voice="af_heart")
    assert set(spoken) >= {"audio_url", "duration"}
    file_id = spoken["audio_url"].split("/")[-2]
    heard = walk.invoke("speech_to_text", {"file_id": file_id}, language="en")
    assert set(heard) >= {"text", "language", "duration", "segments"}
    assert set(heard["segments"][0]) == {"start", "end", "text"}
    note = walk.ask("POST", "/files", 201, files={"file": ("note.md", b"# Leave\n\nTwenty-five days.")})
    read = walk.invoke("document_processing", {"file_id": note["file_id"]})
    assert set(read) >= {"text", "chunk_count"}


def test_streams(walk: Walk) -> None:
    """Pieces, then the usage, then the end."""
    body = text("hi", stream=True, config={"max_tokens": 2})
    answer = walk.ask("POST", "/invoke", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.removeprefix("data: ") for event in answer.text.strip().split("\n\n")]
    assert events[-1] == "[DONE]"
    assert '"delta"' in events[0]
    assert '"usage"' in events[-2]
    ids = {"task_id": answer.headers["x-task-id"]}
    again = walk.ask("GET", "/tasks/{task_id}/events", ids=ids, headers={"Last-Event-ID": "1"})
    assert again.text.startswith("id: ")
    assert again.text.endswith("data: [DONE]\n\n")


def test_tasks(walk: Walk) -> None:
    """Accepted, told, listed, cancelled."""
    body = text("hi", config={"max_tokens": 2})
    accepted = walk.ask("POST", "/invoke", 202, json=body, headers={"Prefer": "respond-async"})
    assert set(accepted) >= ACCEPTED
    ids = {"task_id": accepted["task_id"]}
    ended = walk.ask("GET", "/tasks/{task_id}", ids=ids, headers={"Prefer": "wait=60"})
    assert set(ended) >= {*ENDED, "output"}
    page = walk.ask("GET", "/tasks", params={"status": "completed", "task_type": "text_generation"})
    assert set(page) >= {"tasks", *PAGE}
    assert set(page["tasks"][0]) >= TASK
    assert walk.ask("POST", "/tasks/{task_id}/cancel", 409, ids=ids)["error_code"] == "CONFLICT"
    long = text("Count to a thousand.", config={"max_tokens": 1000}, provider="fake", fake={"delay": 0.1})
    again = walk.ask("POST", "/invoke", 202, json=long, headers={"Prefer": "respond-async"})
    cancelled = walk.ask("POST", "/tasks/{task_id}/cancel", ids={"task_id": again["task_id"]})
    assert (cancelled["status"], set(cancelled) >= TASK) == ("cancelled", True)


def test_sessions(walk: Walk) -> None:
    """Both shapes of a question, and the memory of it."""
    body = {"name": "旅行", "agent_config": {"max_tokens": 4, "system_prompt": "Be short."}}
    made = walk.ask("POST", "/sessions", 201, json=body)
    assert set(made) >= SESSION
    ids = {"session_id": made["session_id"]}
    assert set(walk.ask("GET", "/sessions/{session_id}", ids=ids)) >= {
        *SESSION,
        "updated_at",
        "message_count",
    }
    assert set(walk.ask("GET", "/sessions")) >= {"sessions", *PAGE}
    for question in ({"prompt": "hi"}, {"input": {"prompt": "hi"}}):
        reply = walk.ask("POST", "/sessions/{session_id}/invoke", ids=ids, json=question)
        assert set(reply) >= {"session_id", "response", "usage"}
        assert set(reply["response"]) >= {"role", "content"}
    history = walk.ask("GET", "/sessions/{session_id}/history", ids=ids, params={"limit": 3, "offset": 0})
    assert set(history) >= {"session_id", "messages", "total"}
    assert (len(history["messages"]), history["total"]) == (3, 4)
    assert set(history["messages"][0]) >= {"role", "content", "timestamp"}
    gone = walk.ask("DELETE", "/sessions/{session_id}", 204, ids=ids)
    assert gone.content == b""
    walk.ask("POST", "/sessions/{session_id}/invoke", 404, ids=ids, json={"prompt": "hi"})


def test_knowledge_bases(walk: Walk) -> None:
    """Made, filled, searched, emptied."""
    made = walk.ask("POST", "/knowledge-bases", 201, json={"name": "手册", "description": "…"})
    assert set(made) >= {*BASE, *SIZES}
    assert (made["chunk_size"], made["chunk_overlap"]) == (1000, 200)
    ids = {"kb_id": made["kb_id"]}
    assert set(walk.ask("GET", "/knowledge-bases")[0]) >= BASE
    assert set(walk.ask("GET", "/knowledge-bases/{kb_id}", ids=ids)) >= {
        *BASE,
        *SIZES,
        "total_chunks",
        "updated_at",
    }
    note = ("handbook.md", b"Every employee has twenty-five days of paid leave a year.")
    accepted = walk.ask("POST", "/knowledge-bases/{kb_id}/documents", 202, ids=ids, files={"file": note})
    assert set(accepted) >= {*ACCEPTED, "doc_id"}
    walk.ask("GET", "/tasks/{task_id}", ids={"task_id": accepted["task_id"]}, headers={"Prefer": "wait=60"})
    documents = walk.ask("GET", "/knowledge-bases/{kb_id}/documents", ids=ids)
    fields = {"doc_id", "filename", "file_type", "file_size", "processing_status", "chunk_count"}
    assert set(documents[0]) >= {*fields, "uploaded_at", "processed_at", "content_preview"}
    search = {"query": "How many days of paid leave?", "knowledge_base_ids": [made["kb_id"]]}
    found = walk.ask("POST", "/knowledge-bases/search", json=search)
    assert set(found) >= {"query", "results", "total_results"}
    passage = found["results"][0]
    assert set(passage) >= {"chunk_id", "doc_id", "kb_id", "content", "similarity_score", "metadata"}
    assert set(passage["metadata"]) >= {"filename", "chunk_index"}
    of_document = {**ids, "doc_id": documents[0]["doc_id"]}
    gone = walk.ask("DELETE", "/knowledge-bases/{kb_id}/documents/{doc_id}", ids=of_document)
    assert set(gone) == {"message"}
    assert set(walk.ask("DELETE", "/knowledge-bases/{kb_id}", ids=ids)) == {"message"}


def test_embeddings(walk: Walk) -> None:
    """OpenAI's shape, and the older one of batches."""
    made = walk.ask("POST", "/embeddings", json={"input": ["a", "b"], "user": "me"})
    assert set(made) >= {"object", "data", "model", "usage"}
    assert set(made["data"][0]) == {"object", "embedding", "index"}
    assert set(made["usage"]) == {"prompt_tokens", "total_tokens"}
    batch = walk.ask("POST", "/embeddings/batch", json={"texts": ["a", "b"], "batch_size": 100})
    assert set(batch) >= {"vectors", "model", "usage"}
    models = walk.ask("GET", "/embeddings/models")["data"]
    fields = {"id", "object", "created", "owned_by", "dimensions", "max_input", "description"}
    assert set(models[0]) >= fields
    health = walk.ask("GET", "/embeddings/health")
    assert set(health) == {"status", "service", "embedding_service", "model_dimension", "timestamp"}


def test_models(walk: Walk) -> None:
    """Each kind of work has one model that is its default."""
    models = walk.ask("GET", "/models")["data"]
    assert set(models[0]) >= {"id", "object", "owned_by", "task_types", "default_for"}
    defaults = [task_type for model in models for task_type in model["default_for"]]
    assert len(defaults) == len(set(defaults))
    assert set(defaults) >= {"text_generation", "image_generation", "speech_to_text", "text_to_speech"}


def test_usage(walk: Walk) -> None:
    """What was done for the key: by kind of work and model, and the files that are kept."""
    before = walk.ask("GET", "/usage")
    assert set(before) == {"key", "since", "tasks", "files"}
    assert set(before["key"]) == {"id", "name", "created_at"}
    assert (before["since"], set(before["files"])) == (None, {"count", "bytes"})
    made = walk.ask("POST", "/invoke", json=text("hi", config={"max_tokens": 3}))["output"]
    walk.ask("POST", "/files", 201, files={"file": ("a.txt", b"12345")})
    after = walk.ask("GET", "/usage", params={"days": 1})
    assert after["since"] > "2024"
    assert after["files"] == {
        "count": before["files"]["count"] + 1,
        "bytes": before["files"]["bytes"] + 5,
    }

    def row(usage: dict[str, Any]) -> dict[str, Any]:
        rows = [row for row in usage["tasks"] if (row["model"], row["task_type"]) == named]
        return rows[0] if rows else dict.fromkeys(("completed", *USAGE), 0)

    named = (made["model"], "text_generation")
    grown = {name: row(after)[name] - row(before)[name] for name in ("completed", *USAGE)}
    assert grown == {"completed": 1, **made["usage"]}
    assert set(after["tasks"][0]) == {
        *("task_type", "provider", "model", "completed", "failed", "cancelled", "open"),
        *USAGE,
    }
    assert walk.ask("GET", "/usage", 422, params={"days": 0})["error_code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("PUT", "/invoke", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/invoke", 422, "VALIDATION_ERROR"),
        ("GET", "/tasks/task_none", 404, "NOT_FOUND"),
    ],
)
def test_errors(platform: ServerProcess, method: str, path: str, status: int, code: str) -> None:
    """One body for all of them."""
    answer: httpx.Response = platform.client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) >= ERROR
    assert answer.json()["error_code"] == code
