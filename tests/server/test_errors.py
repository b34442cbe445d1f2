"""Every error has the contract's body, and every answer a request id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from server.inside import Scripted, serving
from server.process import ServerProcess, text

from nexus_server.settings import ServerSettings

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    """The body of an error."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["error_code"] == code
    assert body["detail"]
    assert re.fullmatch(ISO, body["timestamp"])
    assert answer.headers["x-request-id"]


@pytest.fixture
def origin(server: ServerProcess) -> str:
    return server.url.removesuffix("/api/v1")


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v1", "/api/v2/models"])
def test_not_found(server: ServerProcess, origin: str, path: str) -> None:
    assert_error(server.client.get(origin + path), 404, "NOT_FOUND")


def test_method_not_allowed(server: ServerProcess) -> None:
    answer = server.client.delete("/models")
    assert_error(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("raw", [b"{", b"", b'{"a":1}x', b"[" * 100_000])
def test_a_body_that_is_no_json(server: ServerProcess, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = server.client.post("/invoke", content=raw[:99_000], headers=headers)
    assert answer.status_code in {400, 422}
    code = "VALIDATION_ERROR" if answer.status_code == 422 else "INVALID_REQUEST"
    assert_error(answer, answer.status_code, code)
    assert len(answer.content) < 1000


@pytest.mark.parametrize("raw", [b"\xff\xfe{}", b"5", b"null", b"[]", b'"x"'])
def test_a_body_of_another_kind(server: ServerProcess, raw: bytes) -> None:
    answer = server.client.post("/invoke", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}


def test_nothing_is_echoed(server: ServerProcess) -> None:
    """A validation error repeats neither secrets nor long inputs."""
    answer = server.invoke({"task_type": "canary-" * 1000, "input": {}, "provider": 5})
    assert_error(answer, 422, "VALIDATION_ERROR")
    assert "canary" not in answer.text
    assert [fault.keys() for fault in answer.json()["detail"]] == [{"loc", "msg", "type"}] * 2


def test_a_body_that_is_too_large(server: ServerProcess) -> None:
    """It is refused by its length, before it is read."""
    answer = server.invoke(text("x" * 100_001))
    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")
    assert answer.json()["limit"] == 100_000


def test_a_body_that_turns_out_too_large(server: ServerProcess) -> None:
    """One of unknown length is refused while it is read."""

    def pieces() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 10_000

    answer = server.client.post("/invoke", content=pieces(), headers={"Content-Type": "text/json"})
    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("given", ["abc", "A.b-c_9", "x" * 128])
def test_a_request_id_is_echoed(server: ServerProcess, given: str) -> None:
    answer = server.client.get("/models", headers={"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "é", "<x>"])
def test_a_request_id_is_made(server: ServerProcess, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given.encode("latin-1")}
    answers = [server.client.get("/models", headers=headers) for _ in range(2)]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", each) for each in ids)


def test_health(server: ServerProcess, origin: str) -> None:
    """It needs no key."""
    answer = httpx.get(f"{origin}/health")
    assert answer.json() == {"status": "healthy", "pid": server.popen.pid}
    assert answer.headers["x-request-id"]


def test_documentation(server: ServerProcess, origin: str) -> None:
    """The API describes itself as OpenAPI 3.1, errors and security too."""
    document = httpx.get(f"{origin}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPBearer" in document["components"]["securitySchemes"]
    invoke = document["paths"]["/api/v1/invoke"]["post"]
    assert {"200", "202", "default"} <= invoke["responses"].keys()
    assert "InvokeBody" in document["components"]["schemas"]
    openai = httpx.get(f"{origin}/v1/openapi.json").json()
    assert "/chat/completions" in openai["paths"]


def test_a_crash(tmp_path: Path) -> None:
    """It is told without any detail, and the server goes on."""
    provider = Scripted(models=RuntimeError("canary"), stream=ValueError("canary"))
    with serving(ServerSettings(data_dir=tmp_path), [provider]) as client:
        answer = client.get("/models", headers={"X-Request-ID": "mine"})
        assert_error(answer, 500, "INTERNAL_ERROR")
        assert "canary" not in answer.text
        assert answer.headers["x-request-id"] == "mine"
        provider.refuse = None
        for stream in (False, True):
            answer = client.post("/invoke", json=text(stream=stream))
            assert_error(answer, 500, "INTERNAL_ERROR")
            assert "canary" not in answer.text
