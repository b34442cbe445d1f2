"""Cancellation at any moment: it arrives at once, and costs no slot, no connection and no later call."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from contextlib import suppress
from typing import Any, Awaitable, Callable, Dict, List, Optional

import anyio
import httpx
import pytest
from faults.acts import misbehave
from faults.marks import LOST_BY_ANYIO
from faults.random_runs import RUNS, SEED, hint
from faults.server import (
    DONE,
    Act,
    Connection,
    FaultServer,
    Seen,
    completed,
    delta,
    hang,
    reply,
    reset,
    stream,
)

import nexusai
from nexusai import error as errors

CANCELLATIONS = 500 if RUNS == 1 else 50_000 // 6 + 1
"""For each pool size and event loop of a run: in `make faults` fifty thousand in all."""
PARALLEL = 20


async def _call(client: nexusai.AsyncNexusAIClient, dice: random.Random, abandoned: float) -> None:
    kind = dice.randrange(5)
    with suppress(errors.APIError):
        if kind == 0:
            await client.text.stream("hi").read()
        elif kind == 1 and dice.random() < abandoned:
            async for _ in client.text.stream("hi"):
                break  # nobody closes it
        elif kind == 1:
            async with client.text.stream("hi") as stream:
                async for _ in stream:
                    break
        elif kind == 3:
            await client.files.upload(("a.bin", b"x" * dice.choice([10, 3_000_000])))
        elif kind == 2:
            handle = await client.text.generate_async("hi")
            await handle.refresh()
        else:
            await client.text.generate("hi")


async def _nothing_is_taken(client: nexusai.AsyncNexusAIClient, seed: int) -> None:
    """No slot, nobody in line; and a call works within a second."""
    pool = client._internal_client._pools.current()
    for _ in range(200):  # an abandoned stream is closed by a task of the event loop's own
        if not pool._taken:
            break
        await anyio.sleep(0.01)
    assert (len(pool._taken), len(pool._waiting)) == (0, 0), hint(seed)
    assert len(pool._free) <= pool._size, hint(seed)
    with anyio.fail_after(5):
        assert (await client.text.generate("alive?")).text == "alive", hint(seed)


async def _cancelled_by_asyncio(work: Callable[[], Awaitable[None]], dice: random.Random) -> None:
    """Once, twice, by a limit of time; after some turns of the loop, or some time."""
    call = asyncio.ensure_future(work())
    if dice.random() < 0.5:
        for _ in range(dice.randrange(40)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(dice.random() * 0.02)
    way = dice.randrange(3)
    if way == 2:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(call, dice.random() * 0.01)
        return
    has_ended = call.done()
    call.cancel()
    if way == 1:
        await asyncio.sleep(0)
        call.cancel()
    if has_ended:
        await call
        return
    with suppress(asyncio.CancelledError):
        await call


async def _cancelled_by_anyio(work: Callable[[], Awaitable[None]], dice: random.Random) -> None:
    way = dice.randrange(3)
    if way == 0:
        with anyio.move_on_after(dice.random() * 0.02):
            await work()
    elif way == 1:
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            for _ in range(dice.randrange(40)):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    else:
        with anyio.CancelScope() as outer, anyio.move_on_after(dice.random() * 0.01):
            outer.cancel() if dice.random() < 0.3 else None
            await work()


async def _cancelled_by_a_task_group(work: Callable[[], Awaitable[None]], dice: random.Random) -> None:
    """A sibling fails, or a limit of time ends the group."""

    async def fail() -> None:
        await asyncio.sleep(dice.random() * 0.01)
        raise KeyError

    async def both() -> None:
        group: Any = getattr(asyncio, "TaskGroup")()  # noqa: B009 - of Python 3.11 and newer
        limit: Any = getattr(asyncio, "timeout")  # noqa: B009
        async with limit(dice.random() * 0.03), group:
            group.create_task(work())
            group.create_task(fail())

    (outcome,) = await asyncio.gather(both(), return_exceptions=True)
    kinds = {type(error) for error in getattr(outcome, "exceptions", [outcome])}
    assert kinds <= {KeyError, TimeoutError}, kinds


async def _storm(address: str, size: int, seed: int, ways: List[Any], abandoned: float) -> None:
    nexusai.config.max_connections = size
    dice = random.Random(seed)
    client = nexusai.AsyncNexusAIClient("k", address, timeout=5, max_retries=1)
    async with client:

        async def work() -> None:
            await _call(client, dice, abandoned)

        async def many(count: int) -> None:
            for _ in range(count):
                await dice.choice(ways)(work, dice)

        async with anyio.create_task_group() as group:
            for _ in range(PARALLEL):
                group.start_soon(many, CANCELLATIONS // PARALLEL)
        await _nothing_is_taken(client, seed)
    gc.collect()


SIZES = [pytest.param(size, marks=LOST_BY_ANYIO) for size in (1, 3, 100)]


@pytest.mark.parametrize("size", SIZES)
def test_a_storm_of_cancellations(faults: FaultServer, size: int) -> None:
    """By everything that asyncio and anyio have, while streams are abandoned and connections break."""
    faults.chooses = misbehave(random.Random(SEED))
    ways = [_cancelled_by_asyncio, _cancelled_by_anyio]
    if sys.version_info >= (3, 11):
        ways.append(_cancelled_by_a_task_group)
    asyncio.run(_storm(faults.base_url, size, SEED, ways, 0.5))


@pytest.mark.parametrize("size", SIZES)
def test_a_storm_on_trio(faults: FaultServer, size: int) -> None:
    """The same, but that trio wants generators to be closed by those who leave them."""
    trio = pytest.importorskip("trio")
    faults.chooses = misbehave(random.Random(SEED))
    trio.run(_storm, faults.base_url, size, SEED, [_cancelled_by_anyio], 0.0)


WORK: Dict[str, List[Act]] = {
    "call": [reply(200, completed())],
    "broken": [reset(), reply(200, completed())],
    "retry": [reply(503, {}, retry_after="0"), reply(200, completed())],
    "stream": [stream(delta("a"), delta("b"), DONE)],
    "task": [reply(202, {"task_id": "t", "status": "queued"}), reply(200, completed())],
    "timeout": [hang()],
    "upload": [reply(200, {"file_id": "f", "filename": "a.bin", "size": 1, "status": "ready"})],
}


async def _work(client: nexusai.AsyncNexusAIClient, kind: str) -> None:
    if kind == "stream":
        assert (await client.text.stream("hi").read()).text == "ab"
    elif kind == "upload":
        assert (await client.files.upload(("a.bin", b"x" * 3_000_000))).file_id == "f"
    elif kind == "timeout":
        with suppress(errors.APITimeoutError):
            await client.with_options(timeout=0.01, max_retries=0).text.generate("hi")
    else:
        assert (await client.text.generate("hi")).text == "hello"


class _Canceller:
    """Cancels a task after so many of the event loop's callbacks, and again after each of the next ones."""

    def __init__(self) -> None:
        self._task: Optional[asyncio.Future[None]] = None
        self._left = 0
        self._times = 0

    async def cancel(self, task: asyncio.Future[None], after: int, times: int) -> bool:
        """Wait for the task; whether it was cancelled before its end."""
        self._task, self._left, self._times = task, after, times
        await asyncio.wait([task])
        self._task = None
        return self._times < times

    def count(self) -> None:
        """One more callback has run."""
        if self._task is None or not self._times:
            return
        if self._left:
            self._left -= 1
        elif self._task.cancel():
            self._times -= 1


@pytest.fixture
def canceller(monkeypatch: pytest.MonkeyPatch) -> _Canceller:
    canceller = _Canceller()
    run: Any = asyncio.Handle._run

    def run_and_count(handle: asyncio.Handle) -> None:
        run(handle)
        canceller.count()

    monkeypatch.setattr(asyncio.Handle, "_run", run_and_count)
    return canceller


@pytest.mark.parametrize("kind", list(WORK))
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("warm", [pytest.param(warm, marks=LOST_BY_ANYIO) for warm in (True, False)])
def test_cancelled_after_each_callback(
    faults: FaultServer, canceller: _Canceller, kind: str, times: int, warm: bool
) -> None:
    """After each that the event loop runs until the call ends by itself; on a single connection, and with
    a call after each."""
    nexusai.config.max_connections = 1
    played: Dict[str, int] = {}

    def act(seen: Seen) -> Act:
        if b'"alive?"' in seen.body:
            return reply(200, completed("alive"))
        key = seen.headers.get("idempotency-key", "look")
        if seen.method == "GET":
            return WORK[kind][-1]
        played[key] = played.get(key, -1) + 1
        return WORK[kind][min(played[key], len(WORK[kind]) - 1)]

    async def main() -> int:
        callbacks = 0
        while True:
            async with nexusai.AsyncNexusAIClient("k", faults.base_url, timeout=5, max_retries=1) as client:
                if warm:
                    await client.text.generate("alive?")
                call = asyncio.ensure_future(_work(client, kind))
                if not await canceller.cancel(call, callbacks, times):
                    await call
                    return callbacks
                assert call.cancelled(), f"it went on after callback {callbacks}"
                await _nothing_is_taken(client, callbacks)
                callbacks += 1

    faults.chooses = act
    assert asyncio.run(main()) >= 3
    gc.collect()


@pytest.mark.skipif(sys.version_info < (3, 10), reason="httpcore loses slots with the last anyio for it")
def test_a_scope_costs_a_users_client_no_slot(faults: FaultServer) -> None:
    """Its own cleaning up is not cut short, however often the scope around the call cancels."""
    dice = random.Random(SEED)

    def act(connection: Connection) -> None:
        time.sleep(dice.random() * 0.004)
        reply(200, completed())(connection)

    async def once() -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(limits=limits, timeout=httpx.Timeout(5, pool=1)) as own:
            client = nexusai.AsyncNexusAIClient("k", faults.base_url, max_retries=0, http_client=own)
            with anyio.move_on_after(dice.random() * 0.008):
                await client.text.generate("hi")
            assert (await client.text.generate("hi")).text == "hello", hint(SEED)

    async def main() -> None:
        for _ in range(50 * RUNS):
            await once()

    faults.chooses = lambda _: act
    asyncio.run(main())


def test_hooks_are_told_of_a_cancelled_attempt(faults: FaultServer) -> None:
    """Who counts what is under way comes back to none."""
    faults.plays(hang())
    requests: List[Any] = []
    responses: List[Any] = []

    async def main() -> None:
        hooks: Any = {"on_request": requests.append, "on_response": responses.append}
        async with nexusai.AsyncNexusAIClient("nxs_x", faults.base_url, **hooks) as client:
            call = asyncio.ensure_future(client.text.generate("hi"))
            while not faults.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(main())
    assert [each.request for each in responses] == requests
    assert [(each.status_code, each.error) for each in responses] == [(None, None)]
