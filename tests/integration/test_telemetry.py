# Generated from tests/aio/integration/test_telemetry.py by scripts/unasync.py: edit that file.

"""OpenTelemetry and the platform, with real models: what a program is told of real calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator

import pytest
from faults.recording import Recorder
from opentelemetry import trace

import nexusai

if TYPE_CHECKING:
    from server.process import ServerProcess


@pytest.fixture
def traced(told: Recorder, platform: ServerProcess) -> Iterator[nexusai.NexusAIClient]:
    """A client of the platform that tells OpenTelemetry of its calls."""
    with nexusai.NexusAIClient(platform.key, platform.url) as made:
        yield made


def about(span: Any) -> Dict[str, Any]:
    return dict(span.attributes)


def test_text(traced: nexusai.NexusAIClient, told: Recorder) -> None:
    """Tokens, model and finish reason are the answer's own, at once and as a stream."""
    answer = traced.text.generate("Say hello.", temperature=0, max_tokens=8)
    stream = traced.text.stream("Say hello.", model="smollm2-135m", temperature=0, max_tokens=8)
    streamed = stream.read()
    whole, read = told.spans
    assert (whole.name, read.name) == ("chat", "chat smollm2-135m")
    for span, result in ((whole, answer), (read, streamed)):
        assert result.usage is not None
        assert about(span)["gen_ai.usage.input_tokens"] == result.usage.prompt_tokens
        assert about(span)["gen_ai.usage.output_tokens"] == result.usage.completion_tokens
        assert about(span)["gen_ai.response.model"] == "smollm2-135m"
        assert about(span)["gen_ai.response.finish_reasons"] == (result.finish_reason,)
        assert about(span)["nexusai.request_id"] == result.request_id
    assert about(read)["gen_ai.response.time_to_first_chunk"] > 0
    measured = told.measured()
    counted = sum(point.sum for _, point in measured["gen_ai.client.token.usage"])
    assert answer.usage is not None
    assert streamed.usage is not None
    assert counted == answer.usage.total_tokens + streamed.usage.total_tokens
    assert sum(point.count for _, point in measured["gen_ai.client.operation.duration"]) == 2
    assert "hello" not in told.everything().lower()


def test_work_that_is_waited_for(traced: nexusai.NexusAIClient, told: Recorder) -> None:
    """However the platform answers, a call that waits for its end is one span; a handle's wait is another."""
    spoken = traced.audio.synthesize("Good morning.", format="wav")
    assert [span.name for span in told.spans] == ["generate_content"]
    spoken.read()
    assert told.spans[1].name == "GET /files/{file_id}/content"
    handle = traced.text.generate_async("Say hello.", max_tokens=8)
    answer = handle.wait()
    submitted, waited = told.spans[2:]
    assert answer.usage is not None
    assert about(waited)["gen_ai.usage.output_tokens"] == answer.usage.completion_tokens
    assert about(waited)["nexusai.task.id"] == about(submitted)["nexusai.task.id"] == handle.task_id
    assert [link.context for link in waited.links] == [submitted.context]


def test_embeddings_and_what_is_built_on_them(traced: nexusai.NexusAIClient, told: Recorder) -> None:
    """Documents are searched and asked, each step with a span of its own below the question's."""
    base = traced.knowledge_bases.create("Handbook")
    note = ("handbook.md", b"Every employee has twenty-five days of paid leave a year.")
    traced.knowledge_bases.upload_document(base.kb_id, note, wait=True)
    vectors = traced.embeddings.create("tea")
    assert vectors.usage is not None
    assert about(told.spans[-1])["gen_ai.usage.input_tokens"] == vectors.usage.prompt_tokens
    question = "How many days of leave are there?"
    answer = traced.knowledge_bases.ask(question, base.kb_id, max_tokens=8)
    assert answer.found
    search, chat, whole = told.spans[-3:]
    assert [span.name for span in told.spans] == [
        "POST /knowledge-bases",
        "POST /files",
        "POST /knowledge-bases/{kb_id}/documents",
        "GET /tasks/{task_id}",
        "embeddings",
        "retrieval",
        "chat",
        "invoke_workflow knowledge_bases.ask",
    ]
    assert about(search)["gen_ai.data_source.id"] == base.kb_id
    assert [search.parent, chat.parent] == [whole.context, whole.context]
    assert question not in told.everything()
    traced.knowledge_bases.delete(base.kb_id)


def test_a_conversation(traced: nexusai.NexusAIClient, told: Recorder) -> None:
    """Both ways of saying something belong to it."""
    session = traced.sessions.create(agent_config={"max_tokens": 8})
    session.invoke("Hello!")
    session.stream("Hello again!").read()
    _, said, streamed = told.spans
    assert (said.name, streamed.name) == ("chat", "chat")
    for span in (said, streamed):
        assert about(span)["gen_ai.conversation.id"] == session.id
        assert about(span)["gen_ai.usage.output_tokens"] > 0
    assert about(streamed)["gen_ai.request.stream"] is True
    session.delete()
    assert told.spans[-1].name == "DELETE /sessions/{session_id}"


def test_an_error(traced: nexusai.NexusAIClient, told: Recorder) -> None:
    """The platform's code, and a failed span below the program's."""
    program = told.tracer.start_span("program")
    with trace.use_span(program), pytest.raises(nexusai.InvalidRequestError):
        traced.text.generate("hi", model="no-such-model")
    assert told.span.parent == program.get_span_context()
    assert about(told.span)["error.type"] == "InvalidRequestError"
    assert about(told.span)["nexusai.error.code"] == "INVALID_REQUEST"
    assert told.span.status.status_code is trace.StatusCode.ERROR
