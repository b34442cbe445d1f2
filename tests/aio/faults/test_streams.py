"""Streams from a server that misbehaves."""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, List

import pytest
from faults.server import (
    DONE,
    PATIENCE,
    STREAM_HEAD,
    Act,
    Connection,
    FaultServer,
    completed,
    delta,
    drop,
    event,
    hang,
    head,
    repeat,
    reply,
    reset,
    stream,
)

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import async_each, async_in_thread

pytestmark = pytest.mark.anyio
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
LAST = event({"usage": USAGE, "finish_reason": "stop", "model": "m"})


async def test_chunks_and_the_whole(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Chunks are dicts; afterwards the stream knows the whole answer."""
    faults.plays(stream(b": ping\n\n", delta("你"), delta("好\u2028!"), LAST, DONE))
    reading = async_client.text.stream("hi", max_tokens=5)
    chunks = [chunk async for chunk in reading]
    assert chunks[0] == {"delta": {"content": "你"}}
    assert (reading.response.text, reading.response.finish_reason) == ("你好\u2028!", "stop")
    assert reading.response.usage is not None
    assert reading.response.usage.total_tokens == 3
    assert (reading.request_id, reading.task_id) == ("req_s", "task_s")
    assert faults.requests[0].json["stream"] is True
    assert faults.requests[0].json["config"] == {"max_tokens": 5}


async def test_deltas(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Only the text."""
    faults.plays(stream(event({"delta": {"role": "assistant"}}), delta("a"), delta("b"), LAST, DONE))
    reading = async_client.text.stream("hi")
    assert [text async for text in reading.text_deltas] == ["a", "b"]
    assert reading.response.text == "ab"


async def test_the_rest_can_be_read_at_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """`response` before the end says what to do."""
    faults.plays(stream(delta("a"), delta("b"), DONE))
    async with async_client.text.stream("hi") as reading:
        await reading.__anext__()
        with pytest.raises(errors.StreamError, match="has not been read to its end") as caught:
            reading.response  # noqa: B018
        assert caught.value.partial_text == "a"
        assert (await reading.read()).text == "ab"


@pytest.mark.parametrize("end", [drop, reset])
async def test_a_cut_stream_never_passes_for_a_whole_one(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, end: type
) -> None:
    """Without [DONE] the answer is not whole, however politely it ends."""
    faults.plays(end(STREAM_HEAD, delta("half of"), LAST))
    reading = async_client.text.stream("hi")
    with pytest.raises(errors.StreamInterruptedError) as caught:
        await reading.read()
    assert (caught.value.task_id, caught.value.request_id) == ("task_s", "req_s")
    assert caught.value.partial_text in ("half of", "")  # a reset may overtake what was sent before
    assert reading.text == caught.value.partial_text


async def test_an_error_event(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """The platform's own word for it, and the text so far."""
    failure = {"error": {"code": "MODEL_CRASHED", "message": "the model is gone"}}
    faults.plays(stream(delta("a"), event(failure)))
    with pytest.raises(errors.StreamError, match="the model is gone") as caught:
        await async_client.text.stream("hi").read()
    assert (caught.value.error_code, caught.value.partial_text) == ("MODEL_CRASHED", "a")
    assert not isinstance(caught.value, errors.StreamInterruptedError)


@pytest.mark.parametrize("nothing", [None, "", [], 0, False])
async def test_a_delta_that_is_none(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, nothing: Any
) -> None:
    """Some write one into every chunk: the text is read past it, and the chunk comes without it."""
    last = event({"delta": nothing, "usage": USAGE, "finish_reason": "stop", "model": "m"})
    for _ in range(2):
        faults.plays(stream(delta("a"), event({"delta": nothing}), delta("b"), last, DONE))
    reading = async_client.text.stream("hi")
    assert [text async for text in reading.text_deltas] == ["a", "b"]
    assert reading.response.finish_reason == "stop"
    chunks = [chunk async for chunk in async_client.text.stream("hi")]
    assert [chunk.get("delta", {}).get("content") for chunk in chunks] == ["a", None, "b", None]


@pytest.mark.parametrize("data", ["not json", "[1]", "17"])
async def test_a_chunk_that_is_none(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, data: str
) -> None:
    """Nothing is skipped silently."""
    faults.plays(stream(event(data), DONE))
    with pytest.raises(errors.InvalidResponseError, match="Expected a JSON object"):
        await async_client.text.stream("hi").read()


async def test_a_refusal_is_the_error_it_is(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """What is wrong before the first byte has its status; what may pass is tried again."""
    faults.plays(reply(503, {"detail": "busy"}, retry_after="0"), reply(401, {"detail": "Invalid API key"}))
    with pytest.raises(errors.AuthenticationError, match="Invalid API key"):
        await async_client.text.stream("hi").read()
    first, second = faults.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_leaving_early_hangs_up(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """The platform sees it, and can stop generating."""
    faults.plays(hang(STREAM_HEAD, delta("a"), delta("b")))
    async with async_client.text.stream("hi") as reading:
        async for chunk in reading:
            assert json.dumps(chunk)
            break
    assert faults.hung_up.wait(PATIENCE)
    faults.plays(stream(DONE))
    assert (await async_client.text.stream("again").read()).text == ""


async def test_leaving_a_loop_is_enough(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Without `with` the connection is closed as soon as nothing refers to the stream."""
    faults.plays(hang(STREAM_HEAD, delta("a"), delta("b")))
    async for _ in async_client.text.stream("hi"):
        break
    assert await async_in_thread(lambda: faults.hung_up.wait(PATIENCE))


async def test_silence(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """`timeout` bounds each silence on the wire."""
    faults.plays(hang(STREAM_HEAD, delta("a")))
    with pytest.raises(errors.APITimeoutError, match="within 0.4 s"):
        await async_client.with_options(timeout=0.4).text.stream("hi").read()
    assert faults.hung_up.wait(PATIENCE)


async def test_heartbeats_are_no_content(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A stream that is only kept warm is given up after `content_timeout`."""
    faults.plays(repeat(b": ping\n\n", 0.05, first=STREAM_HEAD + delta("a")))
    patient = async_client.with_options(timeout=5, content_timeout=0.4)
    with pytest.raises(errors.APITimeoutError, match="Only heartbeats") as caught:
        await patient.text.stream("hi").read()
    assert caught.value.partial_text == "a"  # type: ignore[attr-defined]
    assert faults.hung_up.wait(PATIENCE)


@pytest.mark.parametrize(
    "beat", [b"data: {}\n\n", b'event: ping\ndata: {"type": "ping"}\n\n', event({"delta": {"content": ""}})]
)
async def test_events_that_tell_nothing_are_no_content(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, beat: bytes
) -> None:
    """They are heartbeats, too."""
    faults.plays(repeat(beat, 0.05, first=STREAM_HEAD + delta("a")))
    patient = async_client.with_options(timeout=5, content_timeout=0.4, total_timeout=4)
    with pytest.raises(errors.APITimeoutError, match="Only heartbeats") as caught:
        await patient.text.stream("hi").read()
    assert caught.value.partial_text == "a"  # type: ignore[attr-defined]


@pytest.mark.parametrize("more", [{"progress": 5}, {"delta": {"reasoning": "so"}}, {"model": "m"}])
async def test_whatever_an_event_tells_is_content(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, more: Any
) -> None:
    """Though it is no text."""
    faults.plays(repeat(event(more), 0.05, first=STREAM_HEAD))
    patient = async_client.with_options(timeout=5, content_timeout=0.2, total_timeout=0.6)
    with pytest.raises(errors.APITimeoutError, match="`total_timeout`"):
        await patient.text.stream("hi").read()


async def test_the_total_timeout_bounds_a_stream(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """However lively it is."""
    faults.plays(repeat(delta("a"), 0.05, first=STREAM_HEAD))
    with pytest.raises(errors.APITimeoutError, match="`total_timeout`"):
        await async_client.with_options(total_timeout=0.5).text.stream("hi").read()


async def test_the_plan_s_stream_still_works(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """`InternalClient.stream(method, endpoint, json)` iterates over the chunks."""
    faults.plays(stream(delta("a"), DONE))
    body = {"task_type": "text_generation", "input": {"prompt": "hi"}, "stream": True}
    chunks = [chunk async for chunk in async_client._internal_client.stream("POST", "/invoke", body)]
    assert chunks == [{"delta": {"content": "a"}}]


async def test_an_endless_line_is_cut(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Memory is bounded whatever comes."""
    faults.plays(drop(STREAM_HEAD, b"data: ", *[b"x" * 2**20] * 9))
    with pytest.raises(errors.InvalidResponseError, match="longer than"):
        await async_client.text.stream("hi").read()


RESUMABLE = head(
    200, {"content-type": "text/event-stream", "x-task-id": "task_s", "preference-applied": "resumable"}
)


def numbered(text: str, seen: int) -> bytes:
    return f"id: {seen}\n".encode() + delta(text)


async def test_a_cut_stream_is_taken_up_where_it_was(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Each piece is told once, in order, whatever was lost on the way."""
    first = drop(RESUMABLE, numbered("你", 1), numbered("好", 2), b"id: 99\ndata: lost")
    faults.plays(first, drop(RESUMABLE, numbered(", ", 4)), drop(RESUMABLE, numbered("world", 9), LAST, DONE))
    reading = async_client.text.stream("hi")
    assert [text async for text in reading.text_deltas] == ["你", "好", ", ", "world"]
    assert (reading.response.text, reading.response.finish_reason) == ("你好, world", "stop")
    assert faults.requests[0].headers["prefer"] == "resumable"
    asked = [(seen.method, seen.target, seen.headers.get("last-event-id")) for seen in faults.requests[1:]]
    path = "/api/v1/tasks/task_s/events"
    assert asked == [("GET", path, "2"), ("GET", path, "4")]


async def test_a_stream_that_is_cut_before_its_first_piece_is_asked_for_anew(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """With the same idempotency key."""
    faults.plays(
        drop(head(200, {"content-type": "text/event-stream"}), b": ping\n\n"), stream(delta("a"), DONE)
    )
    assert (await async_client.text.stream("hi").read()).text == "a"
    first, second = faults.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_what_the_task_came_to_completes_a_cut_stream(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Where the platform cannot take a stream up: only what was not seen yet is told."""
    faults.plays(drop(STREAM_HEAD, delta("half")), reply(200, completed("half of it", "task_s")))
    reading = async_client.text.stream("hi")
    assert [text async for text in reading.text_deltas] == ["half", " of it"]
    assert reading.response.usage is not None
    assert reading.response.usage.total_tokens == 5


async def test_another_text_never_completes_a_cut_stream(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """What was read stays true: a task that came to something else is no continuation."""
    faults.plays(drop(STREAM_HEAD, delta("half")), reply(200, completed("something else", "task_s")))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        await async_client.text.stream("hi").read()
    assert caught.value.partial_text == "half"


async def test_a_failed_task_is_the_end_of_a_cut_stream(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Its error is told, with the text so far."""
    task = {"task_id": "task_s", "status": "failed", "error": {"code": "SERVER_RESTARTED", "message": "gone"}}
    faults.plays(drop(RESUMABLE, numbered("half", 4)), reply(409, {"detail": "no stream"}), reply(200, task))
    with pytest.raises(errors.StreamError, match="gone") as caught:
        await async_client.text.stream("hi").read()
    assert (caught.value.error_code, caught.value.partial_text) == ("SERVER_RESTARTED", "half")


async def test_taking_up_comes_to_an_end(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """After `max_retries` attempts without a new piece the stream counts as interrupted."""
    faults.plays(drop(RESUMABLE, numbered("a", 1)), *[drop(RESUMABLE)] * 5)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        await async_client.text.stream("hi").read()
    assert caught.value.partial_text == "a"
    assert len(faults.requests) == 3


@pytest.mark.parametrize("option", [{"resume_streams": False}, {"max_retries": 0}])
async def test_taking_up_can_be_turned_off(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, option: Dict[str, Any]
) -> None:
    """Then the first cut is the end."""
    faults.plays(drop(RESUMABLE, numbered("a", 1)))
    with pytest.raises(errors.StreamInterruptedError):
        await async_client.with_options(**option).text.stream("hi").read()
    assert len(faults.requests) == 1


async def test_leaving_stops_a_stream_that_would_wait(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The platform is told, since it keeps such a stream for a reader who only lost the connection."""
    faults.plays(hang(RESUMABLE, numbered("a", 1)), reply(200, {"task_id": "task_s", "status": "cancelled"}))
    async with async_client.text.stream("hi") as reading:
        async for _ in reading:
            break
    assert await async_in_thread(lambda: faults.hung_up.wait(PATIENCE))
    assert faults.requests[1].target == "/api/v1/tasks/task_s/cancel"


@pytest.mark.parametrize("bad", [b"data: nonsense\n\n", b"data: [1]\n\n"])
async def test_a_stream_that_is_given_up_stops_as_well(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, bad: bytes
) -> None:
    """What it tells cannot be, so nobody will read the rest."""
    faults.plays(hang(RESUMABLE, numbered("a", 1), bad), reply(200, {}))
    with pytest.raises(errors.InvalidResponseError):
        await async_client.text.stream("hi").read()
    assert [seen.target.partition("task_s")[2] for seen in faults.requests] == ["", "/cancel"]


def announced(arrived: threading.Event, act: Act) -> Act:
    """The same act, begun with a word to the test."""

    def play(connection: Connection) -> None:
        arrived.set()
        act(connection)

    return play


async def closed_by_another(
    reading: nexusai.AsyncTextStream, arrived: threading.Event, a_piece: threading.Event
) -> errors.StreamInterruptedError:
    """What a reader gets whose stream another task or thread closes, once something has `arrived`."""
    caught: List[errors.APIError] = []

    async def work(part: str) -> None:
        if part == "close":
            assert await async_in_thread(lambda: arrived.wait(PATIENCE))
            await reading.aclose()
            return
        try:
            async for _ in reading:
                a_piece.set()
        except errors.APIError as error:
            caught.append(error)

    await async_each(work, ["read", "close"], 2, lambda _, outcome: outcome.value())
    (told,) = caught
    assert isinstance(told, errors.StreamInterruptedError)
    assert "it was closed while it was read" in str(told)
    return told


@pytest.mark.parametrize("fallbacks", [None, [{"model": "b"}]])
@pytest.mark.parametrize("told", [b"", STREAM_HEAD, STREAM_HEAD + b": ping\n\n"])
async def test_another_may_close_it_before_its_first_piece(
    faults: FaultServer,
    async_client: nexusai.AsyncNexusAIClient,
    transport: str,
    told: bytes,
    fallbacks: Any,
) -> None:
    """The reader is told at once, the connection is closed, and nobody else is asked."""
    arrived = threading.Event()
    faults.plays(announced(arrived, hang(told)), stream(delta("from another"), DONE))
    await closed_by_another(async_client.text.stream("hi", fallbacks=fallbacks), arrived, threading.Event())
    if transport != "fast":  # pyreqwest closes no connection whose head has not come
        assert await async_in_thread(lambda: faults.hung_up.wait(PATIENCE))
    assert len(faults.requests) == 1
    assert (await async_client.text.stream("hi").read()).text == "from another"


async def test_another_may_close_it_between_two_pieces(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The connection is closed, whatever carries it."""
    a_piece = threading.Event()
    faults.plays(hang(STREAM_HEAD, delta("a")), stream(DONE))
    told = await closed_by_another(async_client.text.stream("hi"), a_piece, a_piece)
    assert told.partial_text == "a"
    assert await async_in_thread(lambda: faults.hung_up.wait(PATIENCE))
    assert (await async_client.text.stream("hi").read()).text == ""


@pytest.mark.parametrize("told", [b"", STREAM_HEAD + delta("a")])
async def test_another_may_close_it_on_httpx(faults: FaultServer, told: bytes) -> None:
    """Which is used behind a proxy, and where something compressed may come."""
    arrived, closed = threading.Event(), threading.Event()

    def play(connection: Connection) -> None:
        connection.send(told)
        arrived.set()
        connection.wait_for_hang_up()
        closed.set()  # by the client, and not by this server's own patience

    faults.plays(play)
    compressed = {"Accept-Encoding": "gzip"}
    async with nexusai.AsyncNexusAIClient(
        "nxs_x", faults.base_url, timeout=60, transport="httpx", default_headers=compressed
    ) as client:
        await closed_by_another(client.text.stream("hi"), arrived, threading.Event())
        assert await async_in_thread(lambda: closed.wait(PATIENCE))


async def test_another_may_close_it_between_two_attempts(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Then it is not asked for again."""
    arrived = threading.Event()
    faults.plays(announced(arrived, reply(503, {"detail": "busy"}, retry_after="1")), stream(DONE))
    await closed_by_another(async_client.text.stream("hi"), arrived, threading.Event())
    assert len(faults.requests) == 1


async def test_another_may_close_it_while_it_is_taken_up(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The platform hears of it, and the reader has what had come."""
    arrived = threading.Event()
    faults.plays(drop(RESUMABLE, numbered("a", 1)), announced(arrived, hang()), reply(200, {}))
    told = await closed_by_another(async_client.text.stream("hi"), arrived, threading.Event())
    assert (told.partial_text, told.task_id) == ("a", "task_s")
    targets = [seen.target.partition("task_s")[2] for seen in faults.requests]
    assert targets == ["", "/events", "/cancel"]


@pytest.mark.parametrize("cut", ["before the facts", "after the facts"])
async def test_facts_with_the_id_of_the_last_piece_are_told_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, cut: str
) -> None:
    """Ids count the characters of the text, and the facts at its end add none."""
    facts = b"id: 2\n" + LAST
    before = [b"id: 2\n" + delta("ab")] + ([facts] if cut == "after the facts" else [])
    faults.plays(drop(RESUMABLE, *before), drop(RESUMABLE, facts, DONE))
    reading = async_client.text.stream("hi")
    chunks = [chunk async for chunk in reading]
    assert faults.requests[1].headers["last-event-id"] == "2"
    assert [chunk.get("finish_reason") for chunk in chunks] == [None, "stop"]
    assert (reading.response.text, reading.response.finish_reason) == ("ab", "stop")


def other(**delta_of: Any) -> bytes:
    return event({"delta": delta_of})


ROLE = other(role="assistant", content="")
LOOK_UP = [
    other(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in ('{"n": ', "1", "1", "}")
]
THINKING = [other(reasoning=piece) for piece in ("let", " me", " see")]


def with_ids(*events: bytes) -> List[bytes]:
    return [b"id: %d\n" % number + each for number, each in enumerate(events, 1)]


def told(*events: bytes) -> List[Any]:
    return [json.loads(each.partition(b"data: ")[2]) for each in events]


@pytest.mark.parametrize("cuts", [[1], [1, 0], [2, 1], [0, 2, 1]])
async def test_what_comes_before_the_first_piece_is_told_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, cuts: List[int]
) -> None:
    """However often the stream was asked for anew, and whatever had come each time."""
    start = [ROLE, event({"model": "m"})]
    faults.plays(*[stream(*start[:cut]) for cut in cuts], stream(*start, delta("a"), LAST, DONE))
    patient = async_client.with_options(max_retries=5)
    chunks = [chunk async for chunk in patient.text.stream("hi")]
    assert chunks == told(*start, delta("a"), LAST)


@pytest.mark.parametrize("pieces", [LOOK_UP, THINKING])
async def test_other_pieces_than_text_are_taken_up_where_they_were(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, pieces: List[bytes]
) -> None:
    """Equal ones that follow each other, too: an id tells them apart."""
    events = with_ids(ROLE, *pieces, LAST)
    for cut in range(len(events)):
        faults.requests.clear()
        faults.plays(drop(RESUMABLE, *events[:cut]), drop(RESUMABLE, *events[cut:], DONE))
        chunks = [chunk async for chunk in async_client.text.stream("hi")]
        assert chunks == told(*events), cut
        assert faults.requests[1].headers["last-event-id"] == str(cut)


async def test_other_pieces_are_not_told_twice(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """By a server that tells again what was told, either."""
    events = with_ids(ROLE, *LOOK_UP, LAST)
    faults.plays(drop(RESUMABLE, *events[:4]), drop(RESUMABLE, *events, DONE))
    assert [chunk async for chunk in async_client.text.stream("hi")] == told(*events)


@pytest.mark.parametrize("pieces", [LOOK_UP, THINKING])
async def test_other_pieces_are_never_asked_for_anew(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, pieces: List[bytes]
) -> None:
    """Another generation would be another answer, and of a task only the text is known."""
    faults.plays(stream(ROLE, *pieces[:2]), reply(200, completed("a", "task_s")), stream(*pieces, DONE))
    chunks: List[Any] = []

    async def read() -> None:
        async for chunk in async_client.text.stream("hi"):
            chunks.append(chunk)

    with pytest.raises(errors.StreamInterruptedError, match="only the text") as caught:
        await read()
    assert chunks == told(ROLE, *pieces[:2])
    assert caught.value.task_id == "task_s"
    assert [seen.target for seen in faults.requests] == ["/api/v1/invoke"]


@pytest.mark.parametrize("pieces", [LOOK_UP, [delta("a"), delta("b"), delta("b"), delta("c")]])
async def test_ids_that_do_not_tell_the_place(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, pieces: List[bytes]
) -> None:
    """What has the id of the piece before, or none, cannot be asked for: the task is all that is left."""
    same = [b"id: 1\n" + pieces[0], *pieces[1:3]]
    faults.plays(drop(RESUMABLE, *same), reply(200, completed("abbc", "task_s")))
    reading = async_client.text.stream("hi")
    chunks: List[Any] = []
    if pieces is LOOK_UP:
        with pytest.raises(errors.StreamInterruptedError, match="only the text"):
            chunks = [chunk async for chunk in reading]
    else:
        chunks = [chunk async for chunk in reading]
        assert chunks[:4] == told(*pieces)
        assert reading.response.text == "abbc"
    assert not [seen for seen in faults.requests if "last-event-id" in seen.headers]


async def test_a_stream_without_text_costs_no_memory(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """What was told is forgotten: none of it will be asked for again."""
    import tracemalloc

    count = 20_000
    numbered_calls = [b"id: %d\n" % number + LOOK_UP[1] for number in range(count)]
    notes = [event({"note": "x" * 1000, "number": number}) for number in range(count)]
    for events in ([ROLE, *LOOK_UP * (count // 4)], numbered_calls, notes):
        faults.plays(
            drop(RESUMABLE, *[b"".join(events[at : at + 100]) for at in range(0, len(events), 100)], DONE)
        )
        tracemalloc.start()
        seen = 0
        async for _ in async_client.text.stream("hi"):
            seen += 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seen >= count
        assert peak < 4 * 2**20


async def test_streams_that_never_begin_are_no_storm(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Asking for them anew costs the same budget as any other retry."""
    faults.plays(*[drop(STREAM_HEAD)] * 700)
    for _ in range(100):
        with pytest.raises(errors.StreamInterruptedError) as caught:
            await async_client.text.stream("hi").read()
    assert len(faults.requests) <= 100 + 20 + 20 + 40
    assert "too many of this client's calls fail" in str(caught.value)
