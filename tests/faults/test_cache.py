# Generated from tests/aio/faults/test_cache.py by scripts/unasync.py: edit that file.

"""A client with a cache: what is asked for once, what again and again."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

import pytest
from conftest import KEY
from faults.server import DONE, FaultServer, completed, delta, drop, reply, stream

import nexusai
from nexusai import error as errors
from nexusai._internal._cache_disk import FILE

VECTORS = {"data": [{"embedding": [0.5, 1.0], "index": 0}], "model": "e5"}
FILE_FACTS = {"file_id": "file_1", "filename": "a.txt", "size": 3}
SURE = {"temperature": 0, "seed": 7}


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> nexusai.Cache:
    return nexusai.Cache(None if request.param == "memory" else tmp_path / "kept")


@pytest.fixture
def caching(client: nexusai.NexusAIClient, cache: nexusai.Cache) -> nexusai.NexusAIClient:
    return client.with_options(cache=cache, max_retries=0)


def test_the_same_vectors_are_asked_for_once(
    faults: FaultServer, caching: nexusai.NexusAIClient, cache: nexusai.Cache
) -> None:
    """The second answer says where it comes from, and keeps the request id of the first."""
    faults.plays(reply(200, VECTORS, x_request_id="req_1"), reply(200, VECTORS, x_request_id="req_2"))
    first = caching.embeddings.create("tea")
    second = caching.embeddings.create("tea")
    other = caching.embeddings.create("coffee")
    assert (first.from_cache, second.from_cache, other.from_cache) == (False, True, False)
    assert first.vectors == second.vectors == [[0.5, 1.0]]
    assert (second.request_id, other.request_id) == ("req_1", "req_2")
    assert len(faults.requests) == 2
    assert cache.stats[:3] == (1, 2, 2)
    cache.clear()
    assert len(cache) == 0


def test_listings_and_what_is_known_of_a_file(faults: FaultServer, caching: nexusai.NexusAIClient) -> None:
    """Are kept, too."""
    faults.plays(
        reply(200, {"data": [{"id": "m"}]}),
        reply(200, {"data": [{"id": "e5", "dimensions": 384}]}),
        reply(200, FILE_FACTS),
        reply(200, {"files": []}),
    )
    for from_cache in (False, True):
        models = caching.models.list()
        assert ([model.id for model in models], models.from_cache) == (["m"], from_cache)
        embedding_models = caching.embeddings.list_models()
        assert (embedding_models[0].dimensions, embedding_models.from_cache) == (384, from_cache)
        file = caching.files.get("file_1")
        assert (file.size, file.from_cache) == (3, from_cache)
    assert len(faults.requests) == 3
    caching.files.list(page=2)  # which changes, and is asked for each time
    assert faults.requests[3].target.endswith("/files?page=2&per_page=20")


def test_a_file_that_is_deleted_is_forgotten(faults: FaultServer, caching: nexusai.NexusAIClient) -> None:
    """Whatever came of the deletion: nobody knows when its answer is lost."""
    faults.plays(reply(200, FILE_FACTS), drop(), reply(404, {"detail": "gone"}))
    caching.files.get("file_1")
    with pytest.raises(errors.NetworkError):
        caching.files.delete("file_1")
    with pytest.raises(errors.NotFoundError):
        caching.files.get("file_1")


def test_a_text_is_kept_where_it_will_be_the_same_again(
    faults: FaultServer, caching: nexusai.NexusAIClient
) -> None:
    """`temperature=0` and a seed say so; nothing else does."""
    faults.plays(*[reply(200, completed(f"answer {number}")) for number in range(5)])
    kept = [caching.text.generate("hi", **SURE) for _ in range(2)]  # type: ignore[arg-type]
    assert [(answer.text, answer.from_cache) for answer in kept] == [("answer 0", False), ("answer 0", True)]
    for options in ({}, {"temperature": 0}, {"seed": 7}, {"temperature": 1, "seed": 7}):
        answer = caching.text.generate("hi", **options)  # type: ignore[arg-type]
        assert not answer.from_cache
    assert len(faults.requests) == 5


def test_a_text_that_took_long_is_kept_as_well(faults: FaultServer, caching: nexusai.NexusAIClient) -> None:
    """What was answered 202 and waited for as a task answers the next call at once."""
    faults.plays(
        reply(202, {"task_id": "task_1", "status": "running"}), reply(200, completed(), x_request_id="req_9")
    )
    first = caching.text.generate("hi", **SURE)  # type: ignore[arg-type]
    second = caching.text.generate("hi", **SURE)  # type: ignore[arg-type]
    assert (first.text, first.from_cache, second.text, second.from_cache) == ("hello", False, "hello", True)
    assert second.request_id == "req_9"
    assert [seen.method for seen in faults.requests] == ["POST", "GET"]


def test_a_task_is_kept_when_it_has_ended(faults: FaultServer, caching: nexusai.NexusAIClient) -> None:
    """Not before. Waiting for one always asks."""
    running = {"task_id": "task_1", "status": "running"}
    faults.plays(reply(200, running), reply(200, completed()), reply(200, completed()))
    states = [caching.tasks.get("task_1") for _ in range(4)]
    assert [task.status for task in states] == ["running", *["completed"] * 3]
    assert [task.from_cache for task in states] == [False, False, True, True]
    assert (states[3].wait()).text == "hello"
    assert len(faults.requests) == 2
    assert not (caching.tasks.wait("task_1")).from_cache
    assert len(faults.requests) == 3


def test_streams_tasks_and_sessions_always_ask(
    faults: FaultServer, caching: nexusai.NexusAIClient, cache: nexusai.Cache
) -> None:
    """However certain their answers are."""
    session = {"session_id": "sess_1", "response": {"role": "assistant", "content": "hello"}}
    for _ in range(2):
        faults.plays(stream(delta("hello"), DONE), reply(200, completed()), reply(200, session))
        assert (caching.text.stream("hi", **SURE).read()).text == "hello"  # type: ignore[arg-type]
        task = caching.text.generate_async("hi", **SURE)  # type: ignore[arg-type]
        assert not task.from_cache
        body = {"prompt": "hi", "config": SURE}
        caching._internal_client.request("POST", "/sessions/sess_1/invoke", body)
    assert len(faults.requests) == 6
    assert len(cache) == 0


@pytest.mark.parametrize(
    "bad",
    [
        reply(500, {"detail": "broken"}),
        reply(429, {"detail": "busy"}, retry_after="0"),
        reply(200, raw=b"<html>"),
        reply(200, {"data": "none"}),
        drop(),
    ],
)
def test_an_error_is_never_kept(
    faults: FaultServer, caching: nexusai.NexusAIClient, cache: nexusai.Cache, bad: Any
) -> None:
    """Nor is a 200 that cannot be read."""
    faults.plays(bad, reply(200, VECTORS))
    with pytest.raises(errors.APIError):
        caching.embeddings.create("tea")
    assert len(cache) == 0
    assert not (caching.embeddings.create("tea")).from_cache


def test_who_asks_makes_a_difference(
    faults: FaultServer, caching: nexusai.NexusAIClient, cache: nexusai.Cache
) -> None:
    """Another key or another header is another asker; another timeout is not. The key itself is not kept."""
    faults.plays(*[reply(200, VECTORS)] * 4)

    def asked(**options: Any) -> bool:
        answer = caching.with_options(**options).embeddings.create("tea")
        return answer.from_cache

    assert not asked()
    assert asked(timeout=3, max_retries=5)
    assert not asked(api_key="nxs_other")
    assert not asked(default_headers={"X-Team": "b"})
    assert not asked(cache=None)
    assert asked(default_headers={"X-Team": "b"})
    assert len(faults.requests) == 4
    if cache.directory is not None:
        assert all(KEY.encode() not in path.read_bytes() for path in Path(cache.directory).iterdir())


def test_an_answer_that_quotes_the_key_is_not_kept(
    faults: FaultServer, caching: nexusai.NexusAIClient, cache: nexusai.Cache
) -> None:
    """However it came there."""
    faults.plays(reply(200, {**VECTORS, "note": f"asked by {KEY}"}), reply(200, VECTORS, x_request_id=KEY))
    caching.embeddings.create("tea")
    caching.embeddings.create("tea")
    assert len(cache) == 0


def test_no_hook_is_told_of_what_was_not_sent(faults: FaultServer, caching: nexusai.NexusAIClient) -> None:
    """A hook tells of requests, and there is none."""
    faults.plays(reply(200, VECTORS))
    told: List[Any] = []
    watched = caching.with_options(on_request=told.append)
    for _ in range(3):
        watched.embeddings.create("tea")
    assert len(told) == 1


def test_what_somebody_else_put_there_is_no_answer(
    faults: FaultServer, client: nexusai.NexusAIClient, tmp_path: Path
) -> None:
    """A row under the right name, with a right digest, whose content is none: the platform is asked."""
    caching = client.with_options(cache=nexusai.Cache(tmp_path))
    for content in (b"junk", b'[200, {}]\n{"data": 7}', b"[200, {}]\n"):
        faults.plays(reply(200, VECTORS))
        caching.embeddings.create("tea")
        database = sqlite3.connect(str(tmp_path / FILE))
        (key,) = database.execute("SELECT key FROM answers").fetchone()
        database.close()
        nexusai.Cache(tmp_path).put(key, content)
        faults.plays(reply(200, VECTORS))
        answer = caching.embeddings.create("tea")
        assert (answer.vectors, answer.from_cache) == ([[0.5, 1.0]], False)
        assert (caching.embeddings.create("tea")).from_cache
        nexusai.Cache(tmp_path).clear()


def test_a_cache_that_cannot_be_used_disturbs_no_call(
    faults: FaultServer, client: nexusai.NexusAIClient, tmp_path: Path
) -> None:
    """Each asks, as if there were none."""
    (tmp_path / "file").write_text("")
    caching = client.with_options(cache=nexusai.Cache(tmp_path / "file" / "kept"))
    faults.plays(*[reply(200, VECTORS)] * 2)
    for _ in range(2):
        assert not (caching.embeddings.create("tea")).from_cache


def test_a_batch_that_is_carried_elsewhere_shares_a_directory(
    faults: FaultServer, client: nexusai.NexusAIClient, tmp_path: Path
) -> None:
    """The client that is made there has the same cache."""
    caching = client.with_options(cache=nexusai.Cache(tmp_path / "kept"))
    faults.plays(reply(200, VECTORS))
    caching.embeddings.create("tea")
    calls = [("embeddings.create", {"input": "tea"})] * 2
    with ThreadPoolExecutor(1) as executor:
        items = caching.batch.run(calls, executor=executor)
    assert [item.result.from_cache for item in items] == [True, True]
