"""Threads: one client for all, nothing mixed up, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List

import pytest
from faults.acts import echo, misbehave
from faults.random_runs import RUNS, SEED, hint
from faults.server import DONE, PATIENCE, STREAM_HEAD, Act, FaultServer, Seen, completed, delta, hang, reply

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import async_in_thread


def in_threads(count: int, work: Callable[[int], object]) -> List[object]:
    """What went wrong in any of them."""
    wrong: List[object] = []

    def run(number: int) -> None:
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells it
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert not any(thread.is_alive() for thread in threads)
    return wrong


@pytest.mark.parametrize("transport", ["httpx", "fast"])
def test_sixty_four_threads_on_one_client(faults: FaultServer, transport: str) -> None:
    """Each gets its own answers, and all of them; no more calls are on the wire than there may be."""
    if transport == "fast":
        pytest.importorskip("pyreqwest")

    def in_a_while(seen: Seen) -> Act:
        time.sleep(0.002)  # else hardly two would be there at once
        return echo(seen)

    faults.chooses = in_a_while
    nexusai.config.max_connections = 20
    calls = 25 if RUNS == 1 else 500
    with nexusai.NexusAIClient("k", faults.base_url, transport=transport) as client:

        def work(number: int) -> None:
            for turn in range(calls):
                prompt = f"{number}/{turn}"
                assert client.text.generate(prompt).text == prompt

        assert in_threads(64, work) == []
    assert 2 <= faults.peak <= 20
    if transport == "httpx":  # pyreqwest may open one while the last is on its way back to its pool
        assert faults.connections <= 20
    assert len(faults.requests) == 64 * calls


def test_closing_at_the_same_time(faults: FaultServer) -> None:
    """By many threads, while others call: whoever comes later opens a connection anew."""
    faults.chooses = echo
    client = nexusai.NexusAIClient("k", faults.base_url)

    def work(number: int) -> None:
        for turn in range(20):
            if number % 2:
                client.close()
            else:
                assert client.text.generate(f"{turn}").text == f"{turn}"

    assert in_threads(8, work) == []
    client.close()


def test_a_stream_is_closed_by_another_thread(faults: FaultServer) -> None:
    """A stop button: the reader, who waits for the next piece, is told; the connection is free at once."""
    faults.plays(hang(STREAM_HEAD, delta("a")))
    with nexusai.NexusAIClient("k", faults.base_url, timeout=PATIENCE * 3) as client:
        stream = client.text.stream("hi")
        deltas = stream.text_deltas
        assert next(deltas) == "a"
        ended: List[BaseException] = []

        def read() -> None:
            try:
                next(deltas)
            except (errors.APIError, StopIteration) as error:
                ended.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.2)  # it waits now; where it does not yet, closing has to work as well
        stream.close()
        reader.join(PATIENCE)
        assert not reader.is_alive()
        assert len(ended) == 1
        assert faults.hung_up.wait(PATIENCE)


def _standing(client: Any) -> Dict[str, int]:
    gc.collect()
    return {"fds": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells")
def test_mixed_faults_leave_nothing_behind(faults: FaultServer) -> None:
    """No descriptor, no thread, and no memory that grows with the number of calls."""
    dice = random.Random(SEED)
    faults.chooses = misbehave(dice)
    faults.forgets = True
    calls = 300 if RUNS == 1 else 5_000
    client = nexusai.NexusAIClient("k", faults.base_url, timeout=5, max_retries=0)

    def storm(count: int) -> None:
        for turn in range(count):
            with suppress(errors.APIError):
                if turn % 3:
                    client.text.generate("hi")
                elif turn % 2:
                    client.text.stream("hi").read()
                else:
                    for _ in client.text.stream("hi"):
                        break

    storm(calls)  # until all is imported, and every cache is full
    client.close()
    _settled(faults)
    before, memory = _standing(client), _memory()
    storm(calls)
    client.close()
    _settled(faults)
    after = _standing(client)
    assert abs(after["fds"] - before["fds"]) <= 2, (before, after, hint(SEED))
    assert abs(after["threads"] - before["threads"]) <= 2, (before, after, hint(SEED))
    assert _memory() - memory < 1024 * 1024 * max(1, calls // 10_000) + 1024 * 1024, hint(SEED)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells")
def test_awaited_mixed_faults_leave_nothing_behind(faults: FaultServer) -> None:
    """The same, awaited; and no task."""
    dice = random.Random(SEED)
    faults.chooses = misbehave(dice)
    faults.forgets = True
    calls = 300 if RUNS == 1 else 5_000

    async def one(client: nexusai.AsyncNexusAIClient, turn: int) -> None:
        with suppress(errors.APIError):
            if turn % 3:
                await client.text.generate("hi")
            elif turn % 2:
                await client.text.stream("hi").read()
            else:
                async for _ in client.text.stream("hi"):
                    break

    async def storm(client: nexusai.AsyncNexusAIClient) -> Dict[str, int]:
        for start in range(0, calls, 20):
            await asyncio.gather(*[one(client, turn) for turn in range(start, start + 20)])
        await client.aclose()
        await async_in_thread(lambda: _settled(faults))
        for _ in range(200):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.01)
        return {**_standing(client), "tasks": len(asyncio.all_tasks())}

    async def main() -> None:
        client = nexusai.AsyncNexusAIClient("k", faults.base_url, timeout=5, max_retries=0)
        before = await storm(client)
        memory = _memory()
        after = await storm(client)
        assert {name: abs(after[name] - before[name]) <= 2 for name in after} == dict.fromkeys(after, True)
        assert after["tasks"] == 1
        assert _memory() - memory < 2 * 1024 * 1024, hint(SEED)

    asyncio.run(main())


def _settled(faults: FaultServer) -> None:
    """Wait until the server's side, which is of this process too, has closed as well."""
    deadline = time.monotonic() + PATIENCE
    while faults.open_connections and time.monotonic() < deadline:
        time.sleep(0.01)


def test_more_calls_than_connections_are_served_in_turn(faults: FaultServer) -> None:
    """Five hundred on ten: all are answered, over ten connections, the first who came first."""
    faults.chooses = echo
    nexusai.config.max_connections = 10
    finished: List[int] = []

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url, timeout=60) as client:

            async def one(number: int) -> None:
                assert (await client.text.generate(str(number))).text == str(number)
                finished.append(number)

            await asyncio.gather(*[one(number) for number in range(500)])

    asyncio.run(main())
    assert len(finished) == 500
    assert faults.connections <= 10
    jumps = [abs(number - place) for place, number in enumerate(finished)]
    # A thread of the server may stand still for a while; in any other order they come near to 500.
    assert max(jumps) <= 100, "whoever came first waits no longer than the ten who are served beside"


def test_a_full_pool_is_told_as_what_it_is(faults: FaultServer) -> None:
    """A timeout, after the time that was given, which names the limit and what to do."""

    def act(seen: Seen) -> Act:
        return hang(STREAM_HEAD, delta("a"), DONE[:3])

    faults.chooses = act
    nexusai.config.max_connections = 2
    with nexusai.NexusAIClient("k", faults.base_url, timeout=0.3, max_retries=0) as client:
        streams = [client.with_options(timeout=60).text.stream("hi") for _ in range(2)]
        assert [next(stream.text_deltas) for stream in streams] == ["a", "a"]
        with pytest.raises(errors.APITimeoutError, match=r"All 2 connections are busy.*max_connections"):
            client.text.generate("hi")
        for stream in streams:
            stream.close()
        faults.chooses = None
        faults.plays(reply(200, completed()))
        assert client.text.generate("hi").text == "hello"


def test_a_stream_is_closed_by_another_task(faults: FaultServer) -> None:
    """The same, awaited."""
    faults.plays(hang(STREAM_HEAD, delta("a")))

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url, timeout=PATIENCE * 3) as client:
            stream = client.text.stream("hi")
            await stream.__anext__()
            reader = asyncio.ensure_future(stream.__anext__())
            await asyncio.sleep(0.05)
            await stream.aclose()
            with pytest.raises(errors.StreamInterruptedError, match="closed while it was read") as caught:
                await asyncio.wait_for(reader, PATIENCE)
            assert caught.value.partial_text == "a"
            assert await async_in_thread(lambda: faults.hung_up.wait(PATIENCE))

    asyncio.run(main())
