"""OpenTelemetry: what a program is told of its calls, by the SDK of OpenTelemetry itself."""

from __future__ import annotations

import gc
import hashlib
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, AsyncIterator, Dict, List, Tuple

import pytest
from conftest import KEY
from faults.recording import Recorder
from faults.server import (
    DONE,
    STREAM_HEAD,
    Connection,
    FaultServer,
    completed,
    delta,
    drop,
    event,
    hang,
    head,
    reply,
    stream,
)
from opentelemetry import trace

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import async_each, async_in_thread

pytestmark = pytest.mark.anyio
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
FACTS = event({"finish_reason": "stop", "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
QUEUED = reply(202, {"task_id": "task_1", "status": "queued"})
RUNNING = reply(200, {"task_id": "task_1", "status": "running", "progress": 40})


def made(faults: FaultServer, **options: Any) -> nexusai.AsyncNexusAIClient:
    """A client that was made after the program had imported OpenTelemetry."""
    return nexusai.AsyncNexusAIClient(KEY, faults.base_url, **{"timeout": 5, "max_retries": 2, **options})


@pytest.fixture
async def async_client(faults: FaultServer, told: Recorder) -> AsyncIterator[nexusai.AsyncNexusAIClient]:
    """One that tells OpenTelemetry of its calls."""
    async with made(faults) as client:
        yield client


def about(span: Any) -> Dict[str, Any]:
    return dict(span.attributes)


def traced_by(seen: Any) -> Tuple[int, int]:
    """Trace and span that a request says it belongs to."""
    _, trace_id, span_id, _ = seen.headers["traceparent"].split("-")
    return int(trace_id, 16), int(span_id, 16)


def identity(span: Any) -> Tuple[int, int]:
    return span.context.trace_id, span.context.span_id


def heard(points: List[Tuple[Dict[str, Any], Any]], **wanted: Any) -> List[Any]:
    """The points whose attributes are these; names are written with `__` for `.`."""
    pairs = {(name.replace("__", "."), value) for name, value in wanted.items()}
    return [point for attributes, point in points if pairs <= set(attributes.items())]


async def test_one_span_for_a_call_with_its_retries(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Each retry is an event in it, and each attempt tells the platform which span it belongs to."""
    faults.plays(
        reply(503, {"error_code": "SERVICE_UNAVAILABLE"}, retry_after="0"),
        reply(200, completed(), x_request_id="req_1"),
    )
    await async_client.text.generate("hi", model="m1", provider="p", temperature=0.5, max_tokens=7, stop="X")
    span = told.span
    assert span.name == "chat m1"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.status.status_code is trace.StatusCode.UNSET
    host, port = faults.base_url.split("/")[2].split(":")
    assert about(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.model": "m1",
        "gen_ai.request.stop_sequences": ("X",),
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "nexusai.request_id": "req_1",
        "nexusai.task.id": "task_1",
        "nexusai.task.type": "text_generation",
        "server.address": host,
        "server.port": int(port),
    }
    (retry,) = span.events
    assert retry.name == "retry"
    assert retry.attributes is not None
    assert retry.attributes["error.type"] == "ServerError"
    assert retry.attributes["http.response.status_code"] == 503
    assert retry.attributes["nexusai.error.code"] == "SERVICE_UNAVAILABLE"
    assert [traced_by(seen) for seen in faults.requests] == [identity(span)] * 2


async def test_a_hook_takes_nothing_from_a_span(faults: FaultServer, told: Recorder) -> None:
    """Nor a span from a hook: both are told of each attempt."""
    faults.plays(
        reply(503, {"error_code": "SERVICE_UNAVAILABLE"}, retry_after="0"),
        reply(200, completed(), x_request_id="req_1"),
    )
    answers: List[nexusai.ResponseInfo] = []
    async with made(faults, on_response=answers.append) as client:
        await client.text.generate("hi")
    assert [answer.status_code for answer in answers] == [503, 200]
    span = told.span
    assert about(span)["http.response.status_code"] == 200
    assert about(span)["nexusai.request_id"] == "req_1"
    (retry,) = span.events
    assert retry.attributes is not None
    assert retry.attributes["nexusai.error.code"] == "SERVICE_UNAVAILABLE"
    assert retry.attributes["nexusai.retry.delay"] == 0


async def test_the_metrics_of_a_call(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """How long it took, its tokens, its retries, in the buckets that the conventions advise."""
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed()))
    await async_client.text.generate("hi", model="m1")
    measured = told.measured()
    (duration,) = heard(
        measured["gen_ai.client.operation.duration"],
        gen_ai__operation__name="chat",
        gen_ai__provider__name="nexus_ai",
        gen_ai__request__model="m1",
        gen_ai__response__model="m",
    )
    assert (duration.count, duration.sum > 0) == (1, True)
    assert duration.explicit_bounds[:4] == (0.01, 0.02, 0.04, 0.08)
    assert duration.explicit_bounds[-1] == 81.92
    tokens = measured["gen_ai.client.token.usage"]
    assert [point.sum for point in heard(tokens, gen_ai__token__type="input")] == [3]
    (output,) = heard(tokens, gen_ai__token__type="output")
    assert (output.sum, output.explicit_bounds[-1]) == (2, 4**13)
    (retries,) = heard(measured["nexusai.client.retries"], http__response__status_code=503)
    assert retries.value == 1
    assert "gen_ai.client.operation.time_to_first_chunk" not in measured


async def test_a_streams_span_ends_with_the_stream(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """It tells when the first chunk came. Between two chunks the program's own span is current."""
    faults.plays(stream(delta("a"), delta("b"), FACTS, DONE))
    with told.tracer.start_as_current_span("program") as program:
        answer = async_client.text.stream("hi", model="m1")
        async for _ in answer:
            assert trace.get_current_span() is program
            assert told.spans == []
    span = told.span
    assert (span.name, span.parent) == ("chat m1", program.get_span_context())
    assert about(span)["gen_ai.request.stream"] is True
    assert about(span)["gen_ai.response.finish_reasons"] == ("stop",)
    assert about(span)["gen_ai.usage.output_tokens"] == 2
    assert about(span)["gen_ai.response.model"] == "m"
    assert about(span)["nexusai.request_id"] == "req_s"
    assert about(span)["nexusai.task.id"] == "task_s"
    first = about(span)["gen_ai.response.time_to_first_chunk"]
    assert traced_by(faults.requests[0]) == identity(span)
    measured = told.measured()
    (point,) = heard(measured["gen_ai.client.operation.time_to_first_chunk"], gen_ai__request__model="m1")
    assert point.sum == first
    (whole,) = heard(measured["gen_ai.client.operation.duration"], gen_ai__request__model="m1")
    assert 0 < first <= whole.sum
    assert point.explicit_bounds[-1] == 81.92


async def test_a_stream_that_is_left(faults: FaultServer, told: Recorder) -> None:
    """Its span ends then, and is no failure."""
    faults.plays(hang(STREAM_HEAD, delta("a")), reply(200, {"task_id": "task_s", "status": "cancelled"}))
    async with made(faults) as client, client.text.stream("hi") as answer:
        async for _ in answer:
            break
    span = told.span
    assert about(span)["nexusai.stream.left"] is True
    assert span.status.status_code is trace.StatusCode.UNSET
    assert "error.type" not in about(span)


async def test_a_stream_that_is_dropped(faults: FaultServer, told: Recorder) -> None:
    """Nobody closes it and nobody refers to it: its span ends all the same."""
    faults.plays(hang(STREAM_HEAD, delta("a")))
    client = made(faults)
    answer = client.text.stream("hi")
    async for _ in answer:
        break
    del answer, _
    gc.collect()
    (span,) = await async_in_thread(lambda: told.wait_for(1))
    assert about(span)["nexusai.stream.left"] is True
    await client.aclose()


async def test_a_stream_that_was_never_read_has_no_span(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Nothing was sent."""
    await async_client.text.stream("hi").aclose()
    assert told.spans == []


async def test_a_stream_that_is_cut(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Taken up again it is one span with an event; for good, it has failed."""
    taken_up = head(
        200,
        {
            "content-type": "text/event-stream",
            "x-task-id": "task_s",
            "preference-applied": "resumable",
        },
    )
    faults.plays(
        drop(taken_up, b"id: 1\n" + delta("a")),
        drop(taken_up, b"id: 2\n" + delta("b"), FACTS, DONE),
        stream(delta("a")),
    )
    assert (await async_client.text.stream("hi").read()).text == "ab"
    (retry,) = told.span.events
    assert (retry.name, dict(retry.attributes or {})["error.type"]) == ("retry", "StreamInterruptedError")
    assert [traced_by(seen) for seen in faults.requests] == [identity(told.span)] * 2
    with pytest.raises(errors.StreamInterruptedError):
        await async_client.with_options(resume_streams=False).text.stream("hi").read()
    span = told.spans[1]
    assert about(span)["error.type"] == "StreamInterruptedError"
    assert span.status.status_code is trace.StatusCode.ERROR


async def test_the_span_of_an_error(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Its class, status and code; not its message, which may quote what was sent."""
    body = {"error_code": "CONTEXT_LENGTH_EXCEEDED", "detail": "too long: my private words"}
    faults.plays(reply(400, body, x_request_id="req_9"))
    with pytest.raises(errors.InvalidRequestError):
        await async_client.text.generate("my private words", model="m1")
    span = told.span
    assert about(span)["error.type"] == "InvalidRequestError"
    assert about(span)["http.response.status_code"] == 400
    assert about(span)["nexusai.error.code"] == "CONTEXT_LENGTH_EXCEEDED"
    assert (span.status.status_code, span.status.description) == (
        trace.StatusCode.ERROR,
        "InvalidRequestError",
    )
    assert "private" not in span.to_json()
    (point,) = heard(told.measured()["gen_ai.client.operation.duration"], error__type="InvalidRequestError")
    assert point.count == 1


async def test_an_answer_that_is_none_fails_the_span(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Though its status was good."""
    faults.plays(reply(200, raw=b"<html>"))
    with pytest.raises(errors.InvalidResponseError):
        await async_client.embeddings.create("tea")
    assert about(told.span)["error.type"] == "InvalidResponseError"


async def test_a_task_that_failed(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """The call came to an answer, and the work to none."""
    failure = {"code": "OUT_OF_MEMORY", "message": "no memory for: my private words"}
    faults.plays(reply(200, {"task_id": "task_1", "status": "failed", "error": failure}))
    with pytest.raises(errors.TaskFailedError):
        await async_client.images.generate("my private words")
    assert told.span.name == "generate_content"
    assert about(told.span)["gen_ai.output.type"] == "image"
    assert about(told.span)["error.type"] == "TaskFailedError"
    assert about(told.span)["nexusai.error.code"] == "OUT_OF_MEMORY"
    assert "private" not in told.everything()


async def test_waiting_for_its_task_belongs_to_the_call(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """However often it is looked at."""
    faults.plays(QUEUED, RUNNING, reply(503, {}, retry_after="0"), RUNNING, reply(200, completed("late")))
    assert (await async_client.text.generate("hi", model="m1")).text == "late"
    span = told.span
    assert span.name == "chat m1"
    assert about(span)["gen_ai.usage.output_tokens"] == 2
    assert about(span)["http.request.resend_count"] == 1
    assert [traced_by(seen) for seen in faults.requests] == [identity(span)] * 5


async def test_a_task_that_is_waited_for_later(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Handing it over is one span, waiting another, which is linked to it and counts the tokens."""
    begun = {"task_id": "task_begun", "status": "queued"}
    faults.plays(reply(202, begun), reply(200, begun), reply(200, completed("done", "task_begun")))
    task = await async_client.text.generate_async("hi", model="m1")
    assert told.span.name == "chat m1"
    assert about(told.span)["nexusai.task.id"] == "task_begun"
    assert told.measured() == {}
    await task.wait()
    span = told.spans[1]
    assert span.name == "GET /tasks/{task_id}"
    assert about(span)["nexusai.task.id"] == "task_begun"
    assert about(span)["gen_ai.usage.output_tokens"] == 2
    assert [link.context for link in span.links] == [told.spans[0].context]
    measured = told.measured()
    (point,) = heard(
        measured["gen_ai.client.token.usage"],
        gen_ai__operation__name="chat",
        gen_ai__request__model="m1",
        gen_ai__token__type="output",
    )
    assert point.sum == 2
    assert "gen_ai.client.operation.duration" not in measured


async def test_a_task_that_somebody_else_began(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Looking at it and waiting for it counts nothing: whoever began it does."""
    task = {"task_id": "task_elsewhere", "status": "running"}
    faults.plays(reply(200, task), reply(200, completed("done", "task_elsewhere")))
    handle = await async_client.tasks.get("task_elsewhere")
    await handle.wait()
    assert [span.name for span in told.spans] == ["GET /tasks/{task_id}"] * 2
    assert [list(span.links) for span in told.spans] == [[], []]
    assert told.measured() == {}


async def test_a_callers_function_has_spans_of_its_own(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """What `on_progress` does is below the call that it is told of, and no part of it."""
    faults.plays(QUEUED, RUNNING, reply(200, completed("done")))
    seen: List[Any] = []

    def on_progress(task: nexusai.Task) -> None:
        with told.tracer.start_as_current_span("progress") as span:
            seen.append(span)

    handle = await async_client.text.generate_async("hi")
    await handle.wait(on_progress=on_progress)
    waiting = told.spans[1]
    assert [span.parent for span in seen] == [waiting.context] * 2


async def test_calls_at_the_same_time_keep_their_parents(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Each under the span that was current where it was made, across tasks and threads."""
    together = threading.Barrier(8)

    def answer(connection: Connection) -> None:
        together.wait(20)
        reply(200, completed())(connection)

    faults.plays(*[answer] * 8)
    parents: Dict[str, Any] = {}

    async def ask(name: str) -> None:
        with told.tracer.start_as_current_span(name) as span:
            parents[f"chat {name}"] = span
            await async_client.text.generate("hi", model=name)

    with told.tracer.start_as_current_span("program") as program:
        await async_each(ask, [f"m{number}" for number in range(8)], 8, lambda index, outcome: None)
    assert len(told.spans) == 8
    for span in told.spans:
        assert span.parent == parents[span.name].get_span_context()
        assert parents[span.name].parent == program.get_span_context()


async def test_a_batch_is_below_its_caller(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """In threads, too."""
    faults.plays(*[reply(200, completed())] * 4)
    with told.tracer.start_as_current_span("program") as program:
        await async_client.batch.run([("text.generate", {"prompt": "hi"})] * 4, concurrency=2)
    assert [span.parent for span in told.spans] == [program.get_span_context()] * 4


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/files/file_1", "GET /files/{file_id}"),
        ("/knowledge-bases/kb_1/documents/doc_1", "GET /knowledge-bases/{kb_id}/documents/{doc_id}"),
        ("/models", "GET /models"),
        ("/something/new", "GET /{id}/{id}"),
    ],
)
async def test_other_calls_are_named_by_their_route(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder, path: str, name: str
) -> None:
    """An id is never part of a name."""
    faults.plays(reply(200, {}))
    await async_client._internal_client.request("GET", path, params={"secret": "s"})
    assert told.span.name == name
    assert about(told.span)["http.request.method"] == "GET"
    assert about(told.span)["url.template"] == name[4:]
    assert told.measured() == {}


async def test_a_request_by_hand_is_named_by_what_it_asks_for(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Like the same call of a resource."""
    faults.plays(reply(200, completed()))
    body = {"task_type": "text_generation", "model": "m1", "input": {"prompt": "hi"}}
    await async_client._internal_client.request("POST", "/invoke", body)
    assert told.span.name == "chat m1"


async def test_every_kind_of_generation(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """By the conventions' names."""
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    session = {"session_id": "sess_1", "is_active": True}
    said = {"session_id": "sess_1", "response": {"role": "assistant", "content": "Ada"}, "usage": usage}

    def done(task_type: str, output: Any) -> Any:
        return {"task_id": "t", "status": "completed", "task_type": task_type, "output": output}

    faults.plays(
        reply(200, {"data": [{"embedding": [1.0]}], "model": "e", "usage": usage}),
        reply(200, done("image_generation", {"image_url": "data:,x"})),
        reply(200, done("text_to_speech", {"audio_url": "data:,x"})),
        reply(200, done("speech_to_text", {"text": "hello"})),
        reply(201, session),
        reply(200, said),
        reply(200, {"results": []}),
        reply(200, done("document_processing", {})),
    )
    await async_client.embeddings.create("tea", "e1", dimensions=1)
    await async_client.images.generate("a house", model="i1", num_images=2)
    await async_client.audio.synthesize("hello", model="v1")
    await async_client.audio.transcribe(file_id="file_1", model="w1")
    await (await async_client.sessions.create()).invoke("Who am I?")
    await async_client.knowledge_bases.search("leave?", "kb_1", top_k=2)
    await async_client.invoke("document_processing", {"file_id": "f"})
    assert [span.name for span in told.spans] == [
        "embeddings e1",
        "generate_content i1",
        "generate_content v1",
        "generate_content w1",
        "POST /sessions",
        "chat",
        "retrieval",
        "POST /invoke",
    ]
    embeddings, image, speech, transcription, _, chat, retrieval, other = map(about, told.spans)
    assert embeddings["gen_ai.embeddings.dimension.count"] == 1
    assert embeddings["gen_ai.request.encoding_formats"] == ("base64",)
    assert (embeddings["gen_ai.response.model"], embeddings["gen_ai.usage.input_tokens"]) == ("e", 3)
    assert (image["gen_ai.output.type"], image["gen_ai.request.choice.count"]) == ("image", 2)
    assert speech["gen_ai.output.type"] == "speech"
    assert transcription["gen_ai.output.type"] == "text"
    assert (chat["gen_ai.conversation.id"], chat["gen_ai.usage.input_tokens"]) == ("sess_1", 3)
    assert (retrieval["gen_ai.data_source.id"], retrieval["gen_ai.retrieval.top_k"]) == ("kb_1", 2)
    assert other["nexusai.task.type"] == "document_processing"


async def test_a_question_is_two_calls_below_one_span(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """What is looked up, and what is made of it."""
    hit = {"chunk_id": "c", "doc_id": "d", "content": "25 days", "similarity_score": 0.9}
    faults.plays(reply(200, {"results": [hit]}), reply(200, completed("25 [1]")))
    await async_client.knowledge_bases.ask("How many days?", "kb_1", model="m1")
    search, chat, whole = told.spans
    assert (search.name, chat.name, whole.name) == (
        "retrieval",
        "chat m1",
        "invoke_workflow knowledge_bases.ask",
    )
    assert whole.kind is trace.SpanKind.INTERNAL
    assert (search.parent, chat.parent) == (whole.context, whole.context)
    assert len(heard(told.measured()["gen_ai.client.operation.duration"])) == 2


async def test_an_upload_and_a_download(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder, tmp_path: Path
) -> None:
    """A download's span ends when its content has been read."""
    data = b"abc" * 1000
    lines = {"content-length": str(len(data)), "etag": f'"{hashlib.sha256(data).hexdigest()}"'}
    rest = {**lines, "content-range": "bytes 1500-2999/3000", "content-length": "1500"}
    faults.plays(
        reply(201, {"file_id": "file_1"}),
        drop(head(200, lines) + data[:1500]),
        drop(head(206, rest) + data[1500:]),
        reply(404, {"detail": "gone"}),
    )
    await async_client.files.upload(("a.txt", data))
    download = await async_client.files.download("file_1")
    assert [span.name for span in told.spans] == ["POST /files"]
    assert await download.read() == data
    assert [span.name for span in told.spans] == ["POST /files", "GET /files/{file_id}/content"]
    with pytest.raises(errors.NotFoundError):
        await async_client.files.download("file_2", tmp_path)
    assert about(told.spans[2])["error.type"] == "NotFoundError"
    assert [traced_by(seen) for seen in faults.requests[1:3]] == [identity(told.spans[1])] * 2


async def test_content_at_the_platforms_own_address(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """It is named by its route, and belongs to the span, like a download by its id."""
    output = {"audio_url": "/api/v1/files/file_1/content"}
    done = {"task_id": "t", "status": "completed", "task_type": "text_to_speech", "output": output}
    faults.plays(reply(200, done), reply(200, raw=b"abc"))
    sound = await async_client.audio.synthesize("hi")
    assert await sound.read() == b"abc"
    assert told.spans[1].name == "GET /files/{file_id}/content"
    assert traced_by(faults.requests[1]) == identity(told.spans[1])


async def test_a_download_that_nobody_reads(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """Its span ends when nobody refers to it any more."""
    faults.plays(hang(head(200, {"content-length": "5"})))
    download = await async_client.files.download("file_1")
    exchange = download._exchange  # which holds the connection, and is closed below
    assert told.spans == []
    del download
    gc.collect()
    assert told.span.name == "GET /files/{file_id}/content"
    await exchange.aclose()


async def test_what_the_cache_had_costs_nothing(faults: FaultServer, told: Recorder) -> None:
    """The call has a span, which says so; no time and no tokens of a model are measured."""
    faults.plays(reply(200, {"data": [{"embedding": [1.0]}], "usage": {"prompt_tokens": 3}}))
    async with made(faults, cache=nexusai.Cache()) as client:
        await client.embeddings.create("tea")
        assert set(told.measured()) == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
        await client.embeddings.create("tea")
    assert "nexusai.from_cache" not in about(told.spans[0])
    assert about(told.spans[1])["nexusai.from_cache"] is True
    assert told.measured() == {}


async def test_nobody_else_learns_of_the_trace(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """A file that is kept elsewhere is fetched from there without it."""
    elsewhere = FaultServer()
    try:
        output = {"image_url": f"{elsewhere.base_url}/picture.png"}
        done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
        faults.plays(reply(200, done))
        elsewhere.plays(reply(200, raw=b"png"))
        image = await async_client.images.generate("a house")
        assert await image.read() == b"png"
        assert "traceparent" in faults.requests[0].headers
        assert "traceparent" not in elsewhere.requests[0].headers
        assert told.spans[1].name == "GET"
        assert about(told.spans[1])["server.port"] == int(elsewhere.base_url.split("/")[2].split(":")[1])
    finally:
        elsewhere.stop()


async def test_the_callers_own_trace_header_stays(faults: FaultServer, told: Recorder) -> None:
    """Who passes a trace on by hand knows why."""
    faults.plays(reply(200, completed()))
    mine = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with made(faults, default_headers={"traceparent": mine}) as client:
        await client.text.generate("hi")
    assert faults.requests[0].headers["traceparent"] == mine


async def test_content_is_told_only_where_it_is_asked_for(
    faults: FaultServer, told: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the conventions' own variable."""
    turns: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]
    faults.plays(*[reply(200, completed("hello"))] * 2, stream(delta("str"), delta("eam"), DONE))
    async with made(faults) as client:
        await client.text.generate(messages=turns)
    assert "brief" not in told.everything()
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    async with made(faults) as client:
        await client.text.generate(messages=turns)
        await client.text.stream("hi").read()
    _, whole, streamed = map(about, told.spans)
    assert whole["gen_ai.input.messages"] == (
        '[{"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}, '
        '{"role": "user", "parts": [{"type": "text", "content": "你好"}]}]'
    )
    assert whole["gen_ai.output.messages"] == (
        '[{"role": "assistant", "parts": [{"type": "text", "content": "hello"}], "finish_reason": "stop"}]'
    )
    assert '"content": "stream"' in streamed["gen_ai.output.messages"]


@pytest.mark.parametrize("status", [200, 400, 503])
async def test_no_key_is_ever_told(
    faults: FaultServer, told: Recorder, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Not where the caller puts it into a prompt or a model's name, nor where the platform echoes it."""
    monkeypatch.setenv(CAPTURE, "true")
    echo = {**completed(f"your key is {KEY}"), "detail": f"bad key {KEY}", "error_code": f"E_{KEY}"}
    faults.plays(*[reply(status, echo, x_request_id=f"req-{KEY}")] * 2)
    async with nexusai.AsyncNexusAIClient(KEY, f"{faults.base_url}/{KEY}", max_retries=0) as client:
        for call in (client.text.generate, client.images.generate):
            with suppress(errors.APIError):
                await call(f"I am {KEY}", model=f"m-{KEY}", stop=[KEY])
    assert len(told.spans) == 2
    assert "I am ***" in told.everything()
    assert KEY not in told.everything()


@pytest.mark.parametrize("otel", [False, "off"])
async def test_it_can_be_switched_off(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder, otel: Any
) -> None:
    """By the client, or by `NEXUS_OTEL`; then the platform is told of no trace either."""
    faults.plays(reply(200, completed()))
    with told.tracer.start_as_current_span("program"):
        await async_client.with_options(otel=otel).text.generate("hi")
    assert told.spans == []
    assert "traceparent" not in faults.requests[0].headers


async def test_what_a_cache_had_has_cost_no_tokens(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Recorder
) -> None:
    """The span of such a call says so, and counts none."""
    faults.plays(reply(200, completed()))
    caching = async_client.with_options(cache=nexusai.Cache())
    for _ in range(2):
        await caching.text.generate("hi", temperature=0, seed=7)
    first, second = (about(span) for span in told.spans)
    assert (first["gen_ai.usage.input_tokens"], first.get("nexusai.from_cache")) == (3, None)
    assert "gen_ai.usage.input_tokens" not in second
    assert second["nexusai.from_cache"] is True
