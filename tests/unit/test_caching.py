"""What is kept, and under which name."""

from __future__ import annotations

import json
import random
from typing import Any, Dict, Optional

import pytest

from nexusai._internal import _caching
from nexusai._internal._responses import Answer
from nexusai.models import EmbeddingsResponse, Task

SCOPE = _caching.scope_of("http://here/api/v1", [(b"authorization", b"Bearer nxs_one")])
SURE = {"temperature": 0, "seed": 7}


def text(config: Any = None, **more: Any) -> Dict[str, Any]:
    body = {"task_type": "text_generation", "input": {"prompt": "hi"}, **more}
    return body if config is None else {**body, "config": config}


@pytest.mark.parametrize(
    ("method", "path", "body", "kept"),
    [
        ("GET", "/models", None, True),
        ("GET", "/embeddings/models", None, True),
        ("GET", "/embeddings/health", None, False),
        ("GET", "/files/file_1", None, True),
        ("GET", "/files", None, False),
        ("GET", "/files/file_1/content", None, False),
        ("DELETE", "/files/file_1", None, False),
        ("GET", "/tasks/task_1", None, True),
        ("GET", "/tasks", None, False),
        ("GET", "/tasks/task_1/events", None, False),
        ("POST", "/tasks/task_1/cancel", None, False),
        ("POST", "/embeddings", {"input": "tea"}, True),
        ("GET", "/sessions/sess_1", None, False),
        ("GET", "/sessions/sess_1/history", None, False),
        ("POST", "/sessions/sess_1/invoke", {"prompt": "hi", "config": SURE}, False),
        ("GET", "/knowledge-bases/kb_1", None, False),
        ("POST", "/knowledge-bases/search", {"query": "hi"}, False),
        ("POST", "/invoke", text(SURE), True),
        (
            "POST",
            "/invoke",
            text({**SURE, "temperature": 0.0, "max_tokens": 5}, provider="p", model="m"),
            True,
        ),
        ("POST", "/invoke", text(), False),
        ("POST", "/invoke", text({"temperature": 0}), False),
        ("POST", "/invoke", text({"seed": 7}), False),
        ("POST", "/invoke", text({"temperature": 0.1, "seed": 7}), False),
        ("POST", "/invoke", text({"temperature": False, "seed": 7}), False),
        ("POST", "/invoke", text({"temperature": 0, "seed": "7"}), False),
        ("POST", "/invoke", text("odd"), False),
        ("POST", "/invoke", text(SURE, stream=True), False),
        ("POST", "/invoke", text(SURE, webhook_url="https://there"), False),
        ("POST", "/invoke", {**text(SURE), "task_type": "image_generation"}, False),
        ("POST", "/invoke", None, False),
        ("POST", "/models", None, False),
    ],
)
def test_only_what_will_be_the_same_again_has_a_name(method: str, path: str, body: Any, kept: bool) -> None:
    """The table of the module, row by row."""
    assert (_caching.key_of(SCOPE, method, path, body) is not None) is kept


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        (None, True),
        ({"Prefer": "wait=27"}, True),
        ({"prefer": "respond-async"}, False),
        ({"Prefer": "wait=27, respond-async"}, False),
        ({"Idempotency-Key": "order-7"}, False),
    ],
)
def test_a_call_with_headers_of_its_own_is_like_no_other(
    headers: Optional[Dict[str, str]], kept: bool
) -> None:
    """Only how long the platform may wait makes no difference to the answer."""
    key = _caching.key_of(SCOPE, "POST", "/invoke", text(SURE), headers=headers)
    assert (key is not None) is kept
    assert key in (None, _caching.key_of(SCOPE, "POST", "/invoke", text(SURE)))


def some_json(source: random.Random, depth: int = 3) -> Any:
    kind = source.randrange(7 if depth else 5)
    if kind < 5:
        simple = [None, source.random() < 0.5, source.randrange(-9, 9), source.random(), "é语\u2028\ud83d"]
        return simple[kind]
    if kind == 5:
        return [some_json(source, depth - 1) for _ in range(source.randrange(4))]
    return {f"k{source.randrange(99)}": some_json(source, depth - 1) for _ in range(source.randrange(4))}


def shuffled(value: Any, source: random.Random) -> Any:
    """The same, with the keys of its objects in another order."""
    if isinstance(value, list):
        return [shuffled(item, source) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    source.shuffle(names)
    return {name: shuffled(value[name], source) for name in names}


@pytest.mark.parametrize("seed", range(40))
def test_names_are_equal_exactly_where_bodies_are(seed: int) -> None:
    """Over bodies at random: the order of keys does not count, every value does."""
    source = random.Random(seed)
    bodies = [{"input": some_json(source)} for _ in range(20)]
    for body in bodies:
        assert _caching.key_of(SCOPE, "POST", "/embeddings", body) == _caching.key_of(
            SCOPE, "POST", "/embeddings", shuffled(body, source)
        )
    told = {json.dumps(body, sort_keys=True) for body in bodies}
    assert len({_caching.key_of(SCOPE, "POST", "/embeddings", body) for body in bodies}) == len(told)


def test_every_part_of_a_call_and_of_a_client_counts() -> None:
    """Address, key, headers, method, path, query and body: none can stand for another."""
    headers = [(b"authorization", b"Bearer nxs_one"), (b"x-team", b"a")]
    scopes = [
        _caching.scope_of("http://here/api/v1", headers),
        _caching.scope_of("http://there/api/v1", headers),
        _caching.scope_of("http://here/api/v1", [(b"authorization", b"Bearer nxs_two"), headers[1]]),
        _caching.scope_of("http://here/api/v1", [headers[0], (b"x-team", b"b")]),
        _caching.scope_of("http://here/api/v1", headers[:1]),
    ]
    keys = [_caching.key_of(scope, "GET", "/models") for scope in scopes]
    keys += [_caching.key_of(scopes[0], "GET", path) for path in ("/files/a", "/files/b", "/tasks/a")]
    keys += [_caching.key_of(scopes[0], "GET", "/models", params={"page": page}) for page in (1, 2)]
    keys += [_caching.key_of(scopes[0], "POST", "/embeddings", {"input": text}) for text in ("a", "b", ["a"])]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert scopes[0] == _caching.scope_of("http://here/api/v1", headers[::-1])
    assert not any("nxs_" in str(key) for key in [*keys, *scopes])


@pytest.mark.parametrize("body", [{"input": {1, 2}}, {"input": float("nan")}, {1: "a", "b": "c"}])
def test_what_is_no_json_has_no_name(body: Any) -> None:
    """It is sent, which says what is wrong with it."""
    assert _caching.key_of(SCOPE, "POST", "/embeddings", body) is None


@pytest.mark.parametrize(
    ("method", "status", "kept"),
    [
        ("GET", "completed", True),
        ("GET", "failed", True),
        ("GET", "cancelled", True),
        ("GET", "running", False),
        ("GET", "dreaming", False),
        ("POST", "completed", True),
        ("POST", "failed", False),
        ("POST", "queued", False),
    ],
)
def test_a_task_is_kept_at_its_end(method: str, status: str, kept: bool) -> None:
    """A record that cannot change may be kept; as the answer to an invoke only what succeeded."""
    assert _caching.may_keep(method, Task(task_id="t", status=status)) is kept
    assert _caching.may_keep(method, EmbeddingsResponse(data=[]))


def test_an_answer_outlives_its_packing() -> None:
    """Status, content, and the headers that are told; no other header is kept."""
    content = '{"a": "é\n"}\n\n'.encode()
    headers = {"x-request-id": "req_1", "set-cookie": "secret", "content-type": "application/json"}
    kept = _caching.packed(Answer(200, headers, content))
    assert b"secret" not in kept
    del headers["set-cookie"]
    assert _caching.unpacked(kept) == Answer(200, headers, content)


@pytest.mark.parametrize(
    "kept", [b"", b"\n", b"{}\n{}", b"[1]\n", b"[200, 3]\n{}", b'["x", {}]\n', b"\xff\n"]
)
def test_what_was_never_packed_is_no_answer(kept: bytes) -> None:
    """Whatever it is."""
    assert _caching.unpacked(kept) is None
