"""Tasks on servers that long-poll, and on servers that have never heard of it."""

from __future__ import annotations

from typing import Any

import pytest
from faults.server import FaultServer, completed, drop, hang, reply, reset

import nexusai
from nexusai import error as errors
from nexusai.testing import Platform

pytestmark = pytest.mark.anyio
QUEUED = reply(202, {"task_id": "task_1", "status": "queued"})


def running(progress: float) -> object:
    return reply(200, {"task_id": "task_1", "status": "running", "progress": progress})


async def test_an_answer_that_comes_later_is_waited_for(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A 202 to a call that wanted its result at once is not the end; neither is an unknown status."""
    faults.plays(
        QUEUED,
        reply(200, {"task_id": "task_1", "status": "warming_up"}),
        running(40),  # type: ignore[arg-type]
        reply(200, completed("late")),
    )
    assert (await async_client.text.generate("hi")).text == "late"
    assert [seen.target for seen in faults.requests[1:]] == ["/api/v1/tasks/task_1"] * 3
    assert "prefer" in faults.requests[1].headers
    assert "prefer" not in faults.requests[2].headers, "this server does not long-poll"


async def test_long_polling_asks_again_at_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A server that says that it waits is asked to."""
    held = reply(202, {"task_id": "task_1", "status": "running"}, preference_applied="wait=4")
    faults.plays(QUEUED, held, held, reply(200, completed("late"), preference_applied="wait=4"))
    assert (await async_client.text.generate("hi")).text == "late"
    assert [seen.headers.get("prefer") for seen in faults.requests] == ["wait=4"] * 4


async def test_a_wait_that_is_promised_and_not_kept(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A server that answers at once, whatever it says, is not asked without pause."""
    held = reply(202, {"task_id": "task_1", "status": "running"}, preference_applied="wait=1")
    faults.plays(QUEUED, *[held] * 500)
    with pytest.raises(errors.TaskTimeoutError):
        await async_client.with_options(poll_timeout=2.5).text.generate("hi")
    assert len(faults.requests) < 60


async def test_a_handle(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Submitted, looked at, waited for, with its progress."""
    faults.plays(QUEUED, running(10), running(10), running(60), reply(200, completed("done")))  # type: ignore[arg-type]
    handle = await async_client.text.generate_async("hi")
    assert (handle.task_id, handle.status) == ("task_1", "queued")
    assert faults.requests[0].headers["prefer"] == "respond-async"
    assert (await handle.refresh()).progress == 10
    seen = []
    answer = await handle.wait(on_progress=lambda task: seen.append((task.status, task.progress)))
    assert answer.text == "done"
    assert seen == [("running", 10.0), ("running", 60.0), ("completed", None)]
    assert handle.has_ended
    assert (await handle.wait()).text == "done"
    assert len(faults.requests) == 5, "what has ended is not asked for again"


async def test_a_task_that_has_ended_at_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A server may answer a submission with the result."""
    faults.plays(reply(200, completed("quick")))
    handle = await async_client.text.generate_async(messages=[{"role": "user", "content": "hi"}])
    assert (await handle.wait()).text == "quick"
    assert faults.requests[0].json["input"] == {"messages": [{"role": "user", "content": "hi"}]}


async def test_failure(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """The task's own words."""
    failed = {"task_id": "t", "status": "failed", "error": {"code": "OUT_OF_MEMORY", "message": "no room"}}
    faults.plays(QUEUED, reply(200, failed, x_request_id="req_4"), reply(200, {**failed, "error": None}))
    with pytest.raises(errors.TaskFailedError, match="no room") as caught:
        await async_client.text.generate("hi")
    assert (caught.value.error_code, caught.value.request_id) == ("OUT_OF_MEMORY", "req_4")
    assert caught.value.task.status == "failed"
    with pytest.raises(errors.TaskFailedError, match="gave no reason"):
        await async_client.tasks.wait("t")


@pytest.mark.parametrize(
    ("told", "code", "message"),
    [
        ("no room", "TASK_FAILED", "no room"),
        ({"code": None, "message": None}, "TASK_FAILED", "The platform gave no reason."),
        ({"code": 137, "message": "", "node": 4}, "137", "The platform gave no reason."),
        (["no", "room"], "TASK_FAILED", "['no', 'room']"),
    ],
)
async def test_a_failure_however_it_is_told(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, told: Any, code: str, message: str
) -> None:
    """That it failed is known; only the reason is oddly written."""
    faults.plays(reply(200, {"task_id": "t", "status": "failed", "error": told}))
    with pytest.raises(errors.TaskFailedError) as caught:
        await async_client.tasks.wait("t")
    assert (caught.value.error_code, caught.value.message) == (code, message)


async def test_cancelling(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """A cancelled task has no result."""
    cancelled = {"task_id": "task_1", "status": "cancelled"}
    faults.plays(QUEUED, reply(200, cancelled), reply(200, cancelled), reply(409, {"detail": "ended"}))
    handle = await async_client.text.generate_async("hi")
    await handle.cancel()
    assert faults.requests[1].target == "/api/v1/tasks/task_1/cancel"
    with pytest.raises(errors.TaskCancelledError):
        await handle.wait()
    assert (await async_client.tasks.cancel("task_1")).status == "cancelled"
    with pytest.raises(errors.ConflictError):
        await async_client.tasks.cancel("task_1")


async def test_patience_ends(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """The task is not lost: its id is on the error."""
    faults.plays(QUEUED, *[running(1)] * 50)  # type: ignore[list-item]
    with pytest.raises(errors.TaskTimeoutError, match="still running after 0.3 s") as caught:
        await async_client.with_options(poll_timeout=0.3).text.generate("hi")
    assert caught.value.task_id == "task_1"


async def test_patience_ends_with_a_silent_server_too(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """However long an attempt may take, and however often it may be repeated."""
    faults.plays(*[hang()] * 3)
    with pytest.raises(errors.TaskTimeoutError, match="after 0.1 s .`poll_timeout`") as caught:
        await async_client.tasks.wait("task_1", timeout=0.1)
    assert caught.value.task_id == "task_1"
    assert len(faults.requests) == 1


async def test_a_handle_s_fallback_has_the_time_that_is_left(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """It is begun within the wait, or not at all."""
    failed = {"task_id": "t", "status": "failed", "error": {"code": "SERVICE_UNAVAILABLE", "message": "down"}}
    faults.plays(QUEUED, reply(200, failed), hang())
    handle = await async_client.text.generate_async("hi", fallbacks=[{"model": "b"}])
    with pytest.raises(errors.APITimeoutError, match="the time that was left"):
        await handle.wait(timeout=0.5)


async def test_a_look_that_fails_is_repeated(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A task is not given up because one look at it went wrong."""
    busy = reply(503, {"detail": "busy"}, retry_after="0")
    faults.plays(busy, drop(), reply(200, completed("there")))
    task = await async_client.tasks.wait("task_1", timeout=9)
    assert task.output is not None
    assert task.output["text"] == "there"


async def test_any_task_knows_its_result(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A handle from `tasks.get` gives what its type gives, or the bare output."""
    other = {"task_id": "t", "status": "completed", "task_type": "made_up", "output": {"x": 1}}
    faults.plays(reply(200, completed("typed")), reply(200, other))
    assert (await (await async_client.tasks.get("a")).wait()).text == "typed"
    assert await (await async_client.tasks.get("b")).wait() == {"x": 1}


async def test_listing(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """A page is a list that knows where it stands; older servers answer with a bare array."""
    rows = [{"task_id": f"t{n}", "status": "queued"} for n in range(2)]
    whole = {"tasks": rows, "total": 3, "page": 1, "per_page": 2, "pages": 2}
    faults.plays(
        reply(200, whole, x_request_id="req_p"),
        reply(200, rows),
        reply(200, {"tasks": "none"}),
        reply(200, {"tasks": [{}]}),
    )
    page = await async_client.tasks.list(status="queued", per_page=2)
    assert [task.task_id for task in page] == ["t0", "t1"]
    assert (page.total, page.pages, page.per_page, page.request_id) == (3, 2, 2, "req_p")
    assert faults.requests[0].target == "/api/v1/tasks?status=queued&page=1&per_page=2"
    assert len(await async_client.tasks.list()) == 2
    for _ in range(2):
        with pytest.raises(errors.InvalidResponseError):
            await async_client.tasks.list()


async def test_iterating(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Page by page, to the last."""
    rows = [{"task_id": f"t{n}", "status": "queued"} for n in range(3)]
    faults.plays(reply(200, {"tasks": rows[:2]}), reply(200, {"tasks": rows[2:]}))
    found = [task.task_id async for task in async_client.tasks.iter(per_page=2)]
    assert found == ["t0", "t1", "t2"]


@pytest.mark.parametrize("count", [4, 5])
async def test_iterating_where_pages_are_not_known(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, count: int
) -> None:
    """Older servers give everything each time: it is told once."""
    rows = [{"task_id": f"t{n}", "status": "queued"} for n in range(count)]
    faults.plays(*[reply(200, rows)] * 3)
    found = [task.task_id async for task in async_client.tasks.iter(per_page=4)]
    assert found == [row["task_id"] for row in rows]


async def test_iterating_where_pages_are_smaller_than_asked_for(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The total tells that there are more; where it promises too much, an empty page ends it."""
    rows = [{"task_id": f"t{n}", "status": "queued"} for n in range(5)]
    pages = [{"tasks": rows[n : n + 2], "total": 5} for n in (0, 2, 4)]
    faults.plays(*[reply(200, page) for page in pages])
    found = [task.task_id async for task in async_client.tasks.iter()]
    assert found == [row["task_id"] for row in rows]
    assert len(faults.requests) == 3
    faults.plays(reply(200, {"tasks": rows, "total": 99}), reply(200, {"tasks": [], "total": 99}))
    assert len([task async for task in async_client.tasks.iter()]) == 5


async def test_models(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """What can be asked for."""
    row = {"id": "qwen", "object": "model", "owned_by": "local", "task_types": ["text_generation"]}
    faults.plays(reply(200, {"object": "list", "data": [row]}))
    (model,) = await async_client.models.list()
    assert (model.id, model.owned_by, model.task_types) == ("qwen", "local", ["text_generation"])


async def test_the_plan_s_poller_still_works(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """`TaskPoller(client).poll(task_id)` gives the task as the platform tells it."""
    from nexusai.aio._internal._poller import AsyncTaskPoller

    poller = AsyncTaskPoller(async_client._internal_client, poll_interval=0.01, poll_timeout=5)
    faults.plays(running(1), reply(200, completed("x")), reply(200, {"task_id": "t", "status": "failed"}))  # type: ignore[arg-type]
    assert (await poller.poll("task_1"))["output"]["text"] == "x"
    with pytest.raises(errors.TaskFailedError):
        await poller.poll("t")


FOR_GOOD = {
    "unavailable": [reply(503, {"detail": "busy"}, retry_after="0")] * 3,
    "limited": [reply(429, {"detail": "slow down"}, retry_after="3600")],
    "cut off": [drop()] * 3,
    "reset": [reset()] * 3,
    "missing": [reply(404, {"detail": "no such task"})] * 3,
    "refused": [reply(401, {"detail": "Invalid API key"})],
    "no answer": [reply(200, raw=b"<html>hello from a proxy</html>")],
}


@pytest.mark.parametrize("trouble", list(FOR_GOOD))
async def test_a_wait_that_fails_does_not_lose_the_task(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, trouble: str
) -> None:
    """Whatever goes wrong, the error has the task's id, and with that it can be waited for further."""
    faults.plays(QUEUED, *FOR_GOOD[trouble], reply(200, completed("there")))
    with pytest.raises(errors.APIError) as caught:
        await async_client.text.generate("hi")
    assert caught.value.task_id == "task_1"
    assert len(faults.requests) == 1 + len(FOR_GOOD[trouble])
    task = await async_client.tasks.wait(caught.value.task_id)
    assert task.output is not None
    assert task.output["text"] == "there"


@pytest.mark.parametrize(
    "trouble",
    [
        reply(503, {"detail": "busy"}, retry_after="0"),
        reply(429, {"detail": "slow down"}, retry_after="0"),
        reply(404, {"detail": "no such task"}),
        drop(),
        reset(),
    ],
)
async def test_what_passes_while_a_task_is_waited_for(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, trouble: Any
) -> None:
    """A task that the platform has told of is looked for again where it is missing; one that nobody has told
    of is not."""
    faults.plays(QUEUED, trouble, running(1), trouble, reply(200, completed("there")))  # type: ignore[arg-type]
    assert (await async_client.text.generate("hi")).text == "there"
    faults.plays(reply(404, {"detail": "no such task"}))
    with pytest.raises(errors.NotFoundError):
        await async_client.tasks.wait("task_2")
    assert len(faults.requests) == 6


@pytest.mark.parametrize(("long_polling", "most"), [(True, 3), (False, 55)])
async def test_how_often_a_task_is_looked_at(long_polling: bool, most: int) -> None:
    """One that takes a minute: twice where the platform waits with us; else often at first, and then every
    `poll_interval`. That its end is seen within 15 % of its length takes 36 looks at least."""
    platform = Platform()
    clock = platform.clock
    still = {"task_id": "t", "status": "running"}
    how: Any = {"path": "/tasks/t", "headers": {"preference-applied": "wait=30"} if long_polling else {}}
    takes = 30.0 if long_polling else 0.0
    platform.reply(200, json=still, when=lambda _: clock.now < 59, times=None, takes=takes, **how)
    platform.reply(200, json={**still, "status": "completed", "output": {}}, **how)
    await platform.async_client().tasks.wait("t")
    assert len(platform.calls) <= most
    assert 59 <= clock.now <= 62
    assert max(clock.pauses, default=0.0) <= 2
