"""Who is asked when another cannot answer, over the wire."""

from __future__ import annotations

import pickle
import time
from typing import Any, List

import pytest
from faults.server import DONE, STREAM_HEAD, FaultServer, completed, delta, drop, event, hang, reply, stream

import nexusai
from nexusai import error as errors
from nexusai.models import Route

pytestmark = pytest.mark.anyio
OTHERS = [{"provider": "b", "model": "n"}, {"model": "o"}]
DOWN = reply(503, {"detail": "down", "error_code": "SERVICE_UNAVAILABLE"}, retry_after="30")


def failed(code: str, task_id: str = "task_1") -> Any:
    return {"task_id": task_id, "status": "failed", "error": {"code": code, "message": "it broke"}}


def asked(faults: FaultServer) -> List[Any]:
    """Provider and model of each invoke."""
    bodies = [seen.json for seen in faults.requests if seen.method == "POST"]
    return [(body.get("provider"), body.get("model")) for body in bodies]


@pytest.fixture
async def async_client(faults: FaultServer) -> Any:
    async with nexusai.AsyncNexusAIClient("nxs_x", faults.base_url, timeout=5, max_retries=2) as made:
        yield made


@pytest.mark.parametrize(
    "outage",
    [
        DOWN,
        reply(500, {"detail": "broken"}, retry_after="30"),
        reply(429, {"detail": "busy"}, retry_after="30"),
        reply(429, {"detail": "busy"}, retry_after="3600"),
        reply(200, failed("RATE_LIMIT_EXCEEDED")),
    ],
)
async def test_the_next_is_asked_at_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, outage: Any
) -> None:
    """Nobody waits for half a minute where there is somebody else; the rest of the call stays the same."""
    faults.plays(outage, reply(200, completed()))
    began = time.monotonic()
    answer = await async_client.text.generate("hi", "a", "m", seed=7, fallbacks=OTHERS)
    assert time.monotonic() - began < 20
    assert (answer.text, answer.route) == ("hello", Route(1, "b", "n"))
    first, second = faults.requests
    assert first.json == {**second.json, "provider": "a", "model": "m"}
    assert "fallbacks" not in second.body.decode()
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


async def test_who_is_asked_first_says_so_too(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A short pause is made: only what lasts is somebody else's turn. Without fallbacks there is no route."""
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed()), reply(200, completed()))
    answer = await async_client.text.generate("hi", fallbacks=OTHERS)
    assert answer.route == Route(0, None, None)
    keys = [seen.headers["idempotency-key"] for seen in faults.requests]
    assert keys[0] == keys[1]
    assert (await async_client.text.generate("hi", fallbacks=[])).route is None


async def test_the_last_one_is_tried_as_often_as_any_call(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """There is nobody else to ask."""
    busy = reply(503, {}, retry_after="0")
    faults.plays(DOWN, DOWN, busy, busy, reply(200, completed()))
    answer = await async_client.text.generate("hi", "a", fallbacks=OTHERS)
    assert answer.route == Route(2, None, "o")
    assert asked(faults) == [("a", None), ("b", "n"), *[(None, "o")] * 3]


async def test_a_connection_that_breaks_and_silence(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Are outages, too."""
    faults.plays(drop(), hang(), reply(200, completed()))
    quick = async_client.with_options(timeout=0.4, max_retries=0)
    assert (await quick.text.generate("hi", fallbacks=OTHERS)).route == Route(2, None, "o")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
async def test_a_mistake_of_the_caller_s_is_nobody_else_s_turn(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, status: int
) -> None:
    """It is told at once."""
    faults.plays(reply(status, {"detail": "wrong"}))
    with pytest.raises(errors.APIError) as caught:
        await async_client.text.generate("hi", fallbacks=OTHERS)
    assert (caught.value.status_code, caught.value.route) == (status, Route(0, None, None))
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [reply(200, raw=b"<html>"), reply(200, failed("CONTENT_POLICY")), reply(200, failed("TASK_FAILED"))],
)
async def test_neither_is_what_would_fail_everywhere(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, answer: Any
) -> None:
    """Nonsense, and a task that failed for its own reasons."""
    faults.plays(answer)
    with pytest.raises((errors.InvalidResponseError, errors.TaskFailedError)):
        await async_client.text.generate("hi", fallbacks=OTHERS)
    assert len(faults.requests) == 1


async def test_when_all_fail_the_error_tells_what_became_of_each(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """It is that of the last; a fallback that is a mistake ends the search as well."""
    faults.plays(DOWN, drop(), reply(429, {"detail": "busy"}, retry_after="3600"))
    once = async_client.with_options(max_retries=0)
    with pytest.raises(
        errors.RateLimitError, match=r"This was o. Asked before: a/m: down \(\d+\); b/n: No answer"
    ) as caught:
        await once.text.generate("hi", "a", "m", fallbacks=OTHERS)
    error: errors.APIError = caught.value
    assert (error.retry_after, error.route) == (3600, Route(2, None, "o"))
    assert [type(before) for before in error.fallback_errors] == [errors.ServerError, errors.NetworkError]
    faults.plays(DOWN, reply(400, {"detail": "no such model"}))
    with pytest.raises(
        errors.InvalidRequestError, match="no such model. This was b/n. Asked before"
    ) as caught:
        await once.text.generate("hi", fallbacks=OTHERS)
    assert len(caught.value.fallback_errors) == 1
    assert len(faults.requests) == 5


async def test_all_of_them_have_one_total_timeout(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """However many there are."""
    faults.plays(*[hang()] * 20)
    slow = async_client.with_options(timeout=0.5, total_timeout=1.2, max_retries=0)
    began = time.monotonic()
    with pytest.raises(errors.APITimeoutError, match="`total_timeout`") as caught:
        await slow.text.generate("hi", fallbacks=[{"model": f"m{number}"} for number in range(19)])
    assert time.monotonic() - began < 5
    assert 1 <= len(caught.value.fallback_errors) <= 2
    assert len(faults.requests) <= 3


async def test_a_task_that_fails_by_an_outage_is_followed_by_another(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """While it is waited for within the call."""
    faults.plays(
        reply(202, {"task_id": "task_1", "status": "running"}),
        reply(200, failed("SERVICE_UNAVAILABLE")),
        reply(202, {"task_id": "task_2", "status": "running"}),
        reply(200, completed(task_id="task_2")),
    )
    answer = await async_client.text.generate("hi", fallbacks=OTHERS)
    assert (answer.text, answer.route) == ("hello", Route(1, "b", "n"))


async def test_a_task_that_goes_on_is_not_left(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """It would be paid for twice."""
    running = {"task_id": "task_1", "status": "running"}
    faults.plays(reply(202, running), *[reply(200, running)] * 50)
    with pytest.raises(errors.TaskTimeoutError):
        await async_client.with_options(poll_timeout=0.2).text.generate("hi", fallbacks=OTHERS)
    assert asked(faults) == [(None, None)]


async def test_a_handle_goes_on_with_the_next_task(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """It is then that one's: id, fields and route. What the first had told is not told of the second."""
    faults.plays(DOWN, reply(202, {"task_id": "task_1", "status": "queued"}))
    handle = await async_client.text.generate_async("hi", "a", fallbacks=OTHERS)
    assert (handle.task_id, handle.route) == ("task_1", Route(1, "b", "n"))
    faults.plays(
        reply(200, {**failed("SERVICE_UNAVAILABLE"), "progress": 50}),
        reply(202, {"task_id": "task_2", "status": "queued"}),
        reply(200, completed(task_id="task_2")),
    )
    answer = await handle.wait()
    assert (answer.text, answer.route) == ("hello", Route(2, None, "o"))
    assert (handle.task_id, handle.status, handle.error, handle.progress) == (
        "task_2",
        "completed",
        None,
        None,
    )
    assert (await handle.wait()).text == "hello"
    assert asked(faults) == [("a", None), ("b", "n"), (None, "o")]


async def test_a_handle_whose_last_task_failed_says_so(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Each time it is waited for."""
    faults.plays(
        reply(202, {"task_id": "task_1", "status": "queued"}),
        reply(200, failed("SERVICE_UNAVAILABLE")),
        reply(202, {"task_id": "task_2", "status": "queued"}),
        reply(200, failed("SERVICE_UNAVAILABLE", "task_2")),
    )
    handle = await async_client.text.generate_async("hi", "a", fallbacks=OTHERS[:1])
    for _ in range(2):
        with pytest.raises(errors.TaskFailedError, match="it broke. This was b/n. Asked before: a: it broke"):
            await handle.wait()
    assert len(faults.requests) == 4


@pytest.mark.parametrize(
    "trouble",
    [
        DOWN,
        stream(event({"error": {"code": "SERVICE_UNAVAILABLE", "message": "it broke"}})),
        stream(
            event({"delta": {"role": "assistant"}}), event({"error": {"code": "TIMEOUT", "message": "late"}})
        ),
        stream(),
        drop(),
        hang(STREAM_HEAD),
    ],
)
async def test_a_stream_before_its_first_text(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, trouble: Any
) -> None:
    """The next is asked, as if nothing had been."""
    end = event({"finish_reason": "stop", "model": "n"})
    faults.plays(trouble, stream(delta("hel"), delta("lo"), end, DONE))
    quick = async_client.with_options(timeout=0.5, max_retries=0)
    reading = quick.text.stream("hi", "a", fallbacks=OTHERS)
    assert [text async for text in reading.text_deltas] == ["hel", "lo"]
    assert (reading.text, reading.response.text, reading.response.model) == ("hello", "hello", "n")
    assert reading.response.route == Route(1, "b", "n")
    assert asked(faults) == [("a", None), ("b", "n")]


@pytest.mark.parametrize(
    "trouble",
    [drop(STREAM_HEAD, delta("hel")), drop(STREAM_HEAD, delta("hel"), event({"error": {"code": "TIMEOUT"}}))],
)
async def test_a_stream_after_its_first_text(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, trouble: Any
) -> None:
    """Nobody else could go on with it: it is an error, with the text so far."""
    faults.plays(trouble)
    once = async_client.with_options(max_retries=0, resume_streams=False)
    reading = once.text.stream("hi", "a", fallbacks=OTHERS)
    with pytest.raises(errors.StreamError) as caught:
        await reading.read()
    assert caught.value.partial_text == reading.text == "hel"
    assert asked(faults) == [("a", None)]


async def test_a_stream_after_another_piece(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """What one has begun to call or to think is no part of another's answer."""
    thought = {"delta": {"reasoning": "let me"}}
    faults.plays(stream(event(thought), event({"error": {"code": "TIMEOUT", "message": "late"}})))
    reading = async_client.with_options(max_retries=0).text.stream("hi", "a", fallbacks=OTHERS)
    assert await reading.__anext__() == thought
    with pytest.raises(errors.StreamError, match="late"):
        await reading.__anext__()
    assert asked(faults) == [("a", None)]


async def test_a_stream_that_nobody_can_give(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Tells what became of each."""
    faults.plays(DOWN, DOWN, reply(400, {"detail": "no such model"}))
    with pytest.raises(
        errors.InvalidRequestError, match=r"no such model. This was o. Asked before: a: down.*; b/n: d"
    ):
        await async_client.text.stream("hi", "a", fallbacks=OTHERS).read()


async def test_leaving_such_a_stream_hangs_up(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """As with any other."""
    faults.plays(DOWN, hang(STREAM_HEAD, delta("hel")))
    async with async_client.text.stream("hi", fallbacks=OTHERS) as reading:
        async for chunk in reading:
            assert chunk == {"delta": {"content": "hel"}}
            break
    assert faults.hung_up.wait(5)


async def test_everything_that_asks_a_model_has_fallbacks(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Pictures, recordings, typed answers, vectors, any task, and each call of a batch."""

    def done(output: Any) -> Any:
        return reply(200, {"task_id": "task_1", "status": "completed", "output": output})

    picture = {"image_url": "data:,x", "width": 8, "height": 8}
    faults.plays(DOWN, done(picture))
    assert (await async_client.images.generate("a house", fallbacks=OTHERS)).route == Route(1, "b", "n")
    faults.plays(DOWN, done(picture))
    handle = await async_client.images.generate_async("a house", fallbacks=OTHERS)
    assert (await handle.wait()).route == Route(1, "b", "n")
    faults.plays(DOWN, done({"text": "said"}))
    transcript = await async_client.audio.transcribe(file_id="file_1", fallbacks=OTHERS)
    assert transcript.route == Route(1, "b", "n")
    faults.plays(DOWN, done({"audio_url": "data:,x"}))
    assert (await async_client.audio.synthesize("你好", fallbacks=OTHERS)).route == Route(1, "b", "n")
    faults.plays(DOWN, done({"any": 1}))
    task = await async_client.invoke("weather", {"place": "here"}, fallbacks=OTHERS)
    assert (task.output, task.route) == ({"any": 1}, Route(1, "b", "n"))
    faults.plays(DOWN, done({"text": "[1, 2]"}))
    assert await async_client.text.parse("two numbers", List[int], fallbacks=OTHERS) == [1, 2]
    faults.plays(DOWN, reply(200, {"data": [{"embedding": [1.0]}]}))
    vectors = await async_client.embeddings.create("tea", fallbacks=[{"model": "n"}])
    assert (vectors.vectors, vectors.route) == ([[1.0]], Route(1, None, "n"))
    faults.plays(DOWN, reply(200, completed()))
    (item,) = await async_client.batch.run([("text.generate", {"prompt": "hi", "fallbacks": OTHERS})])
    assert item.result.route == Route(1, "b", "n")


async def test_what_cannot_be_compared_is_not_mixed(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The vectors of one answer are one model's."""
    with pytest.raises(ValueError, match="cannot be compared"):
        await async_client.embeddings.create_batch(["tea"], fallbacks=[{"model": "n"}])
    assert not faults.requests


async def test_a_cache_keeps_what_each_has_said(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Under the name of who said it: the next call asks the first again, and finds the other's answer."""
    caching = async_client.with_options(cache=nexusai.Cache())
    faults.plays(DOWN, reply(200, completed()), DOWN)
    for from_cache in (False, True):
        answer = await caching.text.generate("hi", "a", temperature=0, seed=7, fallbacks=OTHERS)
        assert (answer.route, answer.from_cache) == (Route(1, "b", "n"), from_cache)
    assert asked(faults) == [("a", None), ("b", "n"), ("a", None)]


async def test_a_handle_that_was_pickled_goes_on_as_well(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Whom else it may ask travels with it."""
    faults.plays(
        reply(202, {"task_id": "task_1", "status": "queued"}),
        reply(200, failed("SERVICE_UNAVAILABLE")),
        reply(202, {"task_id": "task_2", "status": "queued"}),
        reply(200, completed(task_id="task_2")),
    )
    handle = await async_client.text.generate_async("hi", "a", fallbacks=OTHERS[:1])
    nexusai.config.api_key = "nxs_x"
    twin = pickle.loads(pickle.dumps(handle))
    assert (await twin.wait()).route == Route(1, "b", "n")
    assert (handle.task_id, twin.task_id) == ("task_1", "task_2")
