"""Random faults by the thousand: nothing is cut short unnoticed, nothing is done twice, nothing is fed."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Dict, List, Optional, Set

import pytest
from conftest import TRANSPORTS
from faults.random_runs import RUNS, SEED, hint
from faults.server import DONE, Act, Connection, FaultServer, Seen, completed, drop, event, head, reply, reset

import nexusai
from nexusai import error as errors

WORDS = ["a", "你好", "🌊", "\u2028", "x" * 30, " ", "\\n", "é"]
PARALLEL = 40


class Story:
    """A text that is told as a stream, in bytes that come in random pieces and break off at random ones."""

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.pieces = [dice.choice(WORDS) for _ in range(dice.randrange(1, 40))]
        self.text = "".join(self.pieces)
        self.resumable = dice.random() < 0.6
        self.is_kept = dice.random() < 0.5
        self.cuts = 0

    def told(self, after: int, dice: random.Random) -> Act:
        """From the piece after that one; broken off more often than not."""
        lines = {"content-type": "text/event-stream", "x-task-id": self.name}
        if self.resumable:
            lines["preference-applied"] = "resumable"
        chunks = [{"delta": {"content": piece}} for piece in self.pieces]
        rest = list(enumerate(chunks, 1))[after:]
        body = b"".join(b"id: %d\n" % number + event(chunk) for number, chunk in rest) + DONE
        data = head(200, lines) + body
        whole = dice.random() < 0.4
        end = len(data) if whole else dice.randrange(len(data))
        politely = dice.random() < 0.5

        def act(connection: Connection) -> None:
            self.cuts += not whole
            place = 0
            while place < end:
                step = dice.randrange(1, 60)
                connection.send(data[place : min(place + step, end)])
                place += step
            connection.close() if politely else connection.reset()

        return act


class Teller:
    """A server of stories."""

    def __init__(self, faults: FaultServer, seed: int) -> None:
        self.dice = random.Random(seed)
        self.stories: Dict[str, Story] = {}
        faults.forgets = True
        faults.chooses = self.act

    def act(self, seen: Seen) -> Act:
        if seen.target.endswith("/invoke"):
            name = seen.json["input"]["prompt"]
            story = self.stories.setdefault(name, Story(name, self.dice))
            return story.told(0, self.dice)
        story = self.stories[seen.target.split("/tasks/")[1].partition("/")[0]]
        if seen.target.endswith("/events"):
            return story.told(int(seen.headers["last-event-id"]), self.dice)
        if seen.target.endswith("/cancel"):
            return reply(200, {"task_id": story.name, "status": "cancelled"})
        return reply(200, completed(story.text)) if story.is_kept else reply(404, {"detail": "gone"})

    def check(self, name: str, got: List[str], error: Optional[errors.APIError]) -> bool:
        """Whether it was whole; and that it was not, if it was not, was told."""
        text, again = self.stories[name].text, f"story {name}, {hint(SEED)}"
        if error is None:
            assert "".join(got) == text, again
            return True
        if got or isinstance(error, errors.StreamError):
            assert error.partial_text == "".join(got), again  # type: ignore[attr-defined]  # it broke off
        assert text.startswith("".join(got)), again
        return False


def _read(teller: Teller, name: str, options: Any) -> bool:
    got: List[str] = []
    trouble = None
    with nexusai.NexusAIClient("k", **options) as client:
        try:
            for text in client.text.stream(name).text_deltas:
                got.append(text)
        except errors.APIError as error:
            trouble = error
    return teller.check(name, got, trouble)


async def _read_awaited(teller: Teller, names: List[str], options: Any) -> List[bool]:
    rest = iter(names)
    whole: List[bool] = []

    async def work() -> None:
        for name in rest:
            got: List[str] = []
            trouble = None
            async with nexusai.AsyncNexusAIClient("k", **options) as client:
                try:
                    async for text in client.text.stream(name).text_deltas:
                        got.append(text)
                except errors.APIError as error:
                    trouble = error
            whole.append(teller.check(name, got, trouble))

    await asyncio.gather(*[work() for _ in range(PARALLEL)])
    return whole


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("awaited", [False, True])
def test_no_stream_is_cut_short_unnoticed(faults: FaultServer, transport: str, awaited: bool) -> None:
    """Whatever byte it breaks at, and however: it is whole, or an error that has what had come."""
    teller = Teller(faults, SEED)
    count = 200 if RUNS == 1 else 5_000
    options: Any = {"base_url": faults.base_url, "transport": transport, "max_retries": 2, "timeout": 60}
    names = [str(number) for number in range(count)]
    if awaited:
        whole = asyncio.run(_read_awaited(teller, names, options))
    else:
        with ThreadPoolExecutor(PARALLEL) as pool:
            whole = list(pool.map(lambda name: _read(teller, name, options), names))
    cuts = sum(story.cuts for story in teller.stories.values())
    assert len(whole) == count
    assert cuts > count / 3
    assert sum(whole) > count / 3
    print(f"{count} streams over {transport}, {cuts} cuts, {sum(whole)} whole, none cut unnoticed")  # noqa: T201


class Ledger:
    """What a platform has really done: it does each key once, and loses its answers."""

    def __init__(self, faults: FaultServer, seed: int) -> None:
        self.dice = random.Random(seed)
        self.done: Dict[str, str] = {}
        self.keys: Dict[str, Set[str]] = defaultdict(set)
        self.lost = 0
        self._lock = threading.Lock()
        faults.forgets = True
        faults.chooses = self.act

    def act(self, seen: Seen) -> Act:
        prompt, key = seen.json["input"]["prompt"], seen.headers["idempotency-key"]
        chance = self.dice.random()
        busy = reply(503, {"detail": "busy"}, retry_after="0")
        with self._lock:
            self.keys[prompt].add(key)
            if chance < 0.2:  # before it was done
                return self.dice.choice([busy, drop(), reset()])
            self.done.setdefault(key, prompt)
            if chance < 0.5:  # after it
                self.lost += 1
                return self.dice.choice([busy, drop(), reset(), drop(b"HTTP/1.1 200 OK\r\ncon")])
            return reply(200, completed(self.done[key]))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nothing_is_done_twice(faults: FaultServer, transport: str) -> None:
    """An answer that was lost is asked for again under the key of its call."""
    ledger = Ledger(faults, SEED)
    count = 200 if RUNS == 1 else 5_000
    failed = 0

    async def work(worker: int) -> None:
        nonlocal failed
        options: Any = {"transport": transport, "max_retries": 2}
        for turn in range(count // PARALLEL):
            prompt = f"{worker}/{turn}"
            async with nexusai.AsyncNexusAIClient("k", faults.base_url, **options) as client:
                try:
                    assert (await client.text.generate(prompt)).text == prompt
                except errors.APIError:
                    failed += 1

    async def main() -> None:
        await asyncio.gather(*[work(worker) for worker in range(PARALLEL)])

    asyncio.run(main())
    effects = Counter(ledger.done.values())
    assert max(effects.values()) == 1, hint(SEED)
    assert all(len(keys) == 1 for keys in ledger.keys.values()), hint(SEED)
    assert len(ledger.keys) == count // PARALLEL * PARALLEL
    assert ledger.lost > count / 6
    assert failed < count / 2
    print(f"{count} calls over {transport}, {ledger.lost} answers lost, 0 effects twice")  # noqa: T201


@pytest.mark.parametrize("awaited", [False, True])
def test_an_outage_is_not_fed(faults: FaultServer, awaited: bool) -> None:
    """Of whatever kind, for as long as it lasts: a fifth more requests, and what a client begins with."""
    dice = random.Random(SEED)
    faults.forgets = True
    asked = 0

    def act(seen: Seen) -> Act:
        nonlocal asked
        asked += 1
        return dice.choice([reply(503, {"detail": "busy"}, retry_after="0"), reply(500, {}), drop(), reset()])

    faults.chooses = act
    calls = 120 if RUNS == 1 else 3_000
    began = time.monotonic()

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url, max_retries=5) as client:

            async def work() -> None:
                for _ in range(calls // PARALLEL):
                    with suppress(errors.APIError):
                        await client.models.list()

            await asyncio.gather(*[work() for _ in range(PARALLEL)])

    if awaited:
        asyncio.run(main())
    else:
        _in_threads(faults.base_url, calls)
    faults.chooses = lambda _: reply(200, {"data": []})
    with nexusai.NexusAIClient("k", faults.base_url, max_retries=0) as client:
        assert client.models.list() == []  # it is over as soon as it is over
    most = calls * 1.2 + 20 + 0.5 * (time.monotonic() - began) + PARALLEL
    assert calls <= asked <= most, hint(SEED)


def _in_threads(address: str, calls: int) -> None:
    with nexusai.NexusAIClient("k", address, max_retries=5) as client:

        def work() -> None:
            for _ in range(calls // PARALLEL):
                with suppress(errors.APIError):
                    client.models.list()

        threads = [threading.Thread(target=work) for _ in range(PARALLEL)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
