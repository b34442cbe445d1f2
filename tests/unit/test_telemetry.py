"""What a span is named, and what it holds: plain functions, without a call."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List

import pytest
import trio
from conftest import KEY
from faults.recording import Recorder
from faults.server import STREAM_HEAD, FaultServer, delta, hang
from opentelemetry import trace

import nexusai
from nexusai._internal._telemetry import (
    Begun,
    Tasks,
    describe,
    inputs,
    messages_json,
    outcome,
    outputs,
    route,
)
from nexusai.models import SearchResult, Usage


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/invoke", "/invoke"),
        ("/files", "/files"),
        ("/files/file_1/content", "/files/{file_id}/content"),
        ("/tasks/task_1/cancel", "/tasks/{task_id}/cancel"),
        ("/tasks/cancel/cancel", "/tasks/{task_id}/cancel"),
        ("/tasks/tasks", "/tasks/{task_id}"),
        ("/sessions/s/history", "/sessions/{session_id}/history"),
        ("/knowledge-bases/search", "/knowledge-bases/search"),
        ("/knowledge-bases/kb/documents/d", "/knowledge-bases/{kb_id}/documents/{doc_id}"),
        ("/embeddings/models", "/embeddings/models"),
        ("/files/a%2Fb?x=secret", "/files/{file_id}"),
        ("/new/42", "/{id}/{id}"),
        ("", "/"),
    ],
)
def test_a_route_has_no_ids(path: str, template: str) -> None:
    """Neither where an id looks like a word of the API, nor where the route is not known."""
    assert route(path) == template


def test_a_description_holds_what_the_conventions_ask_for() -> None:
    """Of the options those that are numbers, as the kind of number that they must be."""
    config = {
        "temperature": 1,
        "top_p": 0.5,
        "top_k": 3.0,
        "seed": 7,
        "frequency_penalty": "high",
        "presence_penalty": True,
        "n": 2,
        "stop": ["a", "b"],
        "response_format": {"type": "json_schema"},
    }
    body = {"task_type": "text_generation", "model": "m", "stream": True, "config": config}
    name, about = describe("POST", "/invoke", body)
    assert name == "chat m"
    assert about == {
        "gen_ai.operation.name": "chat",
        "gen_ai.output.type": "json",
        "gen_ai.provider.name": "nexus_ai",
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.model": "m",
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["a", "b"],
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.top_k": 3,
        "gen_ai.request.top_p": 0.5,
        "nexusai.task.type": "text_generation",
    }
    assert isinstance(about["gen_ai.request.temperature"], float)
    assert isinstance(about["gen_ai.request.top_k"], int)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task_type": 5, "config": "x"},
        {"task_type": ["a"]},
        {"task_type": "text_generation", "model": 5, "config": [1]},
        {"task_type": "text_generation", "config": {"stop": 5, "n": None, "seed": float("nan")}},
        {"task_type": "text_generation", "config": {"max_tokens": float("inf"), "response_format": "x"}},
    ],
)
def test_what_the_platform_will_refuse_breaks_nothing(body: Dict[str, Any]) -> None:
    """Telling of a call must not be what makes it fail."""
    for path in ("/invoke", "/embeddings", "/knowledge-bases/search", "/sessions/s/invoke"):
        name, about = describe("POST", path, body)
        assert name
        assert about
        assert isinstance(inputs(path, body), dict)


def test_one_is_the_number_that_is_not_told() -> None:
    """By the conventions."""
    body = {"task_type": "image_generation", "config": {"num_images": 1, "stop": "x"}}
    _, about = describe("POST", "/invoke", body)
    assert "gen_ai.request.choice.count" not in about
    assert about["gen_ai.request.stop_sequences"] == ["x"]


def test_several_sources_are_no_source() -> None:
    """The conventions have one id, and two in one are none."""
    _, about = describe("POST", "/knowledge-bases/search", {"knowledge_base_ids": ["a", "b"]})
    assert "gen_ai.data_source.id" not in about


@pytest.mark.parametrize("usage", [Usage(prompt_tokens=3), {"prompt_tokens": 3, "completion_tokens": "x"}])
def test_an_outcome_has_the_tokens_that_were_counted(usage: object) -> None:
    """Whoever counted none does not tell of zero."""
    assert outcome({"usage": usage, "model": None}) == {"gen_ai.usage.input_tokens": 3}


def test_pictures_in_a_message_stay_where_they_are() -> None:
    """Of parts that are no text only the kind is told."""
    parts: List[Any] = [{"type": "text", "text": "this?"}, {"type": "image_url", "image_url": "data:…"}, 5]
    body = {"input": {"messages": [{"role": "user", "content": parts}, {"role": "user", "content": None}]}}
    assert json.loads(inputs("/invoke", body)["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "this?"}, {"type": "image_url"}]},
        {"role": "user", "parts": []},
    ]


def test_what_was_found_is_told_by_id_and_score() -> None:
    """Not by its text, which may be long."""
    hit = SearchResult(chunk_id="c", doc_id="d", content="secret", similarity_score=0.5)
    assert outputs({"results": [hit]}) == {"gen_ai.retrieval.documents": '[{"id": "c", "score": 0.5}]'}
    assert inputs("/knowledge-bases/search", {"query": "茶"}) == {"gen_ai.retrieval.query.text": "茶"}


@pytest.mark.parametrize("text", ["a" * 5000, "茶" * 5000, "\n" * 5000, '"' * 5000, "\ud800" * 5000])
@pytest.mark.parametrize("count", [1, 3, 500])
def test_content_has_an_end(text: str, count: int) -> None:
    """It is JSON of at most so many bytes, whatever has to be escaped; the first words are kept."""
    turn = {"role": "user", "parts": [{"type": "text", "content": text}]}
    told = messages_json([turn] * count, 1000)
    assert len(told.encode("utf-8", "replace")) <= 1000
    (first, *_) = json.loads(told)
    assert first["role"] == "user"
    assert len(first["parts"][0]["content"]) > 10


def test_short_content_is_whole() -> None:
    """Nothing is cut that fits."""
    turn = {"role": "user", "parts": [{"type": "text", "content": "你好"}]}
    assert json.loads(messages_json([turn] * 3)) == [turn] * 3


def test_only_the_last_tasks_are_remembered() -> None:
    """And of each the last call that has begun it."""
    tasks = Tasks(2)
    for name in ("a", "b", "a", "c"):
        tasks.put(name, Begun(f"span of {name}", {}))
    tasks.put("c", Begun("another", {}))
    assert tasks.get("a") is None
    assert tasks.get("b") == Begun("span of b", {})
    assert tasks.get("c") == Begun("another", {})


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda main: asyncio.run(main()), id="asyncio"),
        pytest.param(trio.run, id="trio"),
    ],
)
def test_a_call_that_is_cancelled(faults: FaultServer, told: Recorder, run: Any, streaming: bool) -> None:
    """Its span ends then, says so, and nothing stays current."""
    faults.plays(hang(STREAM_HEAD, delta("a")) if streaming else hang())

    async def main() -> None:
        import anyio

        client = nexusai.AsyncNexusAIClient(KEY, faults.base_url)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def call() -> None:
                    if not streaming:
                        await client.text.generate("hi")
                    async for _ in client.text.stream("hi"):
                        pass

                group.start_soon(call)
                while not faults.requests:
                    await anyio.sleep(0.01)
                scope.cancel()
        assert trace.get_current_span() is trace.INVALID_SPAN
        await client.aclose()

    run(main)
    assert told.span.attributes is not None
    assert told.span.attributes["error.type"] in ("CancelledError", "Cancelled")
    assert told.span.status.status_code is trace.StatusCode.ERROR
