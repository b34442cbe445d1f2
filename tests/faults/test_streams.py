# Generated from tests/aio/faults/test_streams.py by scripts/unasync.py: edit that file.

"""Streams from a server that misbehaves."""

from __future__ import annotations

import json

import pytest
from faults.server import (
    DONE,
    PATIENCE,
    STREAM_HEAD,
    FaultServer,
    delta,
    drop,
    event,
    hang,
    repeat,
    reply,
    reset,
    stream,
)

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import in_thread

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
LAST = event({"usage": USAGE, "finish_reason": "stop", "model": "m"})


def test_chunks_and_the_whole(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Chunks are dicts; afterwards the stream knows the whole answer."""
    faults.plays(stream(b": ping\n\n", delta("你"), delta("好\u2028!"), LAST, DONE))
    reading = client.text.stream("hi", max_tokens=5)
    chunks = [chunk for chunk in reading]
    assert chunks[0] == {"delta": {"content": "你"}}
    assert (reading.response.text, reading.response.finish_reason) == ("你好\u2028!", "stop")
    assert reading.response.usage is not None
    assert reading.response.usage.total_tokens == 3
    assert (reading.request_id, reading.task_id) == ("req_s", "task_s")
    assert faults.requests[0].json["stream"] is True
    assert faults.requests[0].json["config"] == {"max_tokens": 5}


def test_deltas(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Only the text."""
    faults.plays(stream(event({"delta": {"role": "assistant"}}), delta("a"), delta("b"), LAST, DONE))
    reading = client.text.stream("hi")
    assert [text for text in reading.text_deltas] == ["a", "b"]
    assert reading.response.text == "ab"


def test_the_rest_can_be_read_at_once(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """`response` before the end says what to do."""
    faults.plays(stream(delta("a"), delta("b"), DONE))
    with client.text.stream("hi") as reading:
        reading.__next__()
        with pytest.raises(errors.StreamError, match="has not been read to its end") as caught:
            reading.response  # noqa: B018
        assert caught.value.partial_text == "a"
        assert (reading.read()).text == "ab"


@pytest.mark.parametrize("end", [drop, reset])
def test_a_cut_stream_never_passes_for_a_whole_one(
    faults: FaultServer, client: nexusai.NexusAIClient, end: type
) -> None:
    """Without [DONE] the answer is not whole, however politely it ends."""
    faults.plays(end(STREAM_HEAD, delta("half of"), LAST))
    reading = client.text.stream("hi")
    with pytest.raises(errors.StreamInterruptedError) as caught:
        reading.read()
    assert (caught.value.task_id, caught.value.request_id) == ("task_s", "req_s")
    assert caught.value.partial_text in ("half of", "")  # a reset may overtake what was sent before
    assert reading.text == caught.value.partial_text


def test_an_error_event(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The platform's own word for it, and the text so far."""
    failure = {"error": {"code": "MODEL_CRASHED", "message": "the model is gone"}}
    faults.plays(stream(delta("a"), event(failure)))
    with pytest.raises(errors.StreamError, match="the model is gone") as caught:
        client.text.stream("hi").read()
    assert (caught.value.error_code, caught.value.partial_text) == ("MODEL_CRASHED", "a")
    assert not isinstance(caught.value, errors.StreamInterruptedError)


@pytest.mark.parametrize("data", ["not json", "[1]", "17"])
def test_a_chunk_that_is_none(faults: FaultServer, client: nexusai.NexusAIClient, data: str) -> None:
    """Nothing is skipped silently."""
    faults.plays(stream(event(data), DONE))
    with pytest.raises(errors.InvalidResponseError, match="Expected a JSON object"):
        client.text.stream("hi").read()


def test_a_refusal_is_the_error_it_is(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """What is wrong before the first byte has its status; what may pass is tried again."""
    faults.plays(reply(503, {"detail": "busy"}, retry_after="0"), reply(401, {"detail": "Invalid API key"}))
    with pytest.raises(errors.AuthenticationError, match="Invalid API key"):
        client.text.stream("hi").read()
    first, second = faults.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_leaving_early_hangs_up(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The platform sees it, and can stop generating."""
    faults.plays(hang(STREAM_HEAD, delta("a"), delta("b")))
    with client.text.stream("hi") as reading:
        for chunk in reading:
            assert json.dumps(chunk)
            break
    assert faults.hung_up.wait(PATIENCE)
    faults.plays(stream(DONE))
    assert (client.text.stream("again").read()).text == ""


def test_leaving_a_loop_is_enough(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Without `with` the connection is closed as soon as nothing refers to the stream."""
    faults.plays(hang(STREAM_HEAD, delta("a"), delta("b")))
    for _ in client.text.stream("hi"):
        break
    assert in_thread(lambda: faults.hung_up.wait(PATIENCE))


def test_silence(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """`timeout` bounds each silence on the wire."""
    faults.plays(hang(STREAM_HEAD, delta("a")))
    with pytest.raises(errors.APITimeoutError, match="within 0.4 s"):
        client.with_options(timeout=0.4).text.stream("hi").read()
    assert faults.hung_up.wait(PATIENCE)


def test_heartbeats_are_no_content(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """A stream that is only kept warm is given up after `content_timeout`."""
    faults.plays(repeat(b": ping\n\n", 0.05, first=STREAM_HEAD + delta("a")))
    patient = client.with_options(timeout=5, content_timeout=0.4)
    with pytest.raises(errors.APITimeoutError, match="Only heartbeats") as caught:
        patient.text.stream("hi").read()
    assert caught.value.partial_text == "a"  # type: ignore[attr-defined]
    assert faults.hung_up.wait(PATIENCE)


def test_the_total_timeout_bounds_a_stream(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """However lively it is."""
    faults.plays(repeat(delta("a"), 0.05, first=STREAM_HEAD))
    with pytest.raises(errors.APITimeoutError, match="`total_timeout`"):
        client.with_options(total_timeout=0.5).text.stream("hi").read()


def test_the_plan_s_stream_still_works(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """`InternalClient.stream(method, endpoint, json)` iterates over the chunks."""
    faults.plays(stream(delta("a"), DONE))
    body = {"task_type": "text_generation", "input": {"prompt": "hi"}, "stream": True}
    chunks = [chunk for chunk in client._internal_client.stream("POST", "/invoke", body)]
    assert chunks == [{"delta": {"content": "a"}}]


def test_an_endless_line_is_cut(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Memory is bounded whatever comes."""
    faults.plays(drop(STREAM_HEAD, b"data: ", *[b"x" * 2**20] * 9))
    with pytest.raises(errors.InvalidResponseError, match="longer than"):
        client.text.stream("hi").read()
