"""Slots: none is ever lost, and nobody jumps the queue."""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, List, Optional

import httpx
import pytest
from conftest import TRANSPORTS
from faults.server import (
    DONE,
    PATIENCE,
    Act,
    Connection,
    FaultServer,
    Seen,
    completed,
    delta,
    drop,
    reply,
    stream,
)

import nexusai
from nexusai import error as errors
from nexusai._internal._pool import Pool
from nexusai.aio._internal._pool import AsyncPools


class _Stubborn(httpx.BaseTransport):
    """A connection that cannot even be closed."""

    def close(self) -> None:
        raise OSError("no")


def test_a_slot_comes_back_whatever_closing_raises() -> None:
    """Else each such failure would make the client one connection smaller."""
    pool = Pool(_Stubborn, 1)
    for _ in range(3):
        transport = pool.take(1, time.monotonic() + 5)
        with pytest.raises(OSError, match="no"):
            pool.give(1, transport, reusable=False)


def test_first_come_first_served() -> None:
    """Each place goes to whoever waits longest; who gives up does not take one along."""
    pool = Pool(_Stubborn, 1)
    transport = pool.take(0, time.monotonic() + 5)
    served: List[int] = []

    def wait(key: int, patience: float) -> None:
        with suppress(errors.APITimeoutError):
            mine = pool.take(key, time.monotonic() + patience)
            served.append(key)
            pool.give(key, mine, reusable=True)

    threads = []
    for key in range(1, 9):
        threads.append(threading.Thread(target=wait, args=(key, 0.0 if key in (1, 4) else 20.0)))
        threads[-1].start()
        if key in (1, 4):
            threads[-1].join()
        else:
            while len(pool._waiting) < len([k for k in range(1, key + 1) if k not in (1, 4)]):
                time.sleep(0.001)
    pool.give(0, transport, reusable=True)
    for thread in threads:
        thread.join(20)
    assert served == [2, 3, 5, 6, 7, 8]
    assert not pool._taken
    assert not pool._waiting


class _Interrupter:
    """Raises KeyboardInterrupt on the n-th line that the SDK runs: Ctrl-C may come on any."""

    HOME = str(Path(nexusai.__file__).parent)

    def __init__(self, moment: int) -> None:
        self.left = moment

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self.HOME):
            return None
        if event == "line" and not self._is_safe(frame):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    @staticmethod
    def _is_safe(frame: Any) -> bool:
        """No signal is handled between the end of a `with` block and its `__exit__`, though that is
        traced as one more line; and what is raised in `__del__` goes nowhere."""
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        return line.strip().startswith("with ") or frame.f_code.co_name in ("__del__", "forget")


def _interrupted(work: Callable[..., object], moment: int, *arguments: object) -> bool:
    before = sys.gettrace()
    sys.settrace(_Interrupter(moment))
    try:
        work(*arguments)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


WORK = {
    "call": [reply(200, completed())],
    "broken": [drop(b"HTTP/1.1 200 OK\r\ncontent-le")],
    "retried": [reply(503, {}, retry_after="0"), reply(200, completed())],
    "stream": [stream(delta("a"), delta("b"), DONE)],
    "left": [stream(delta("a"), delta("b"), DONE)],
}


# A connection that was interrupted while it changed hands is closed by the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", list(WORK))
def test_ctrl_c_on_any_line_costs_no_slot(faults: FaultServer, kind: str) -> None:
    """With a single connection, and the program going on after each."""
    nexusai.config.max_connections = 1
    seen: Counter[str] = Counter()

    def act(request: Seen) -> Act:
        if request.json["input"]["prompt"] == "alive?":
            return reply(200, completed("alive"))
        attempts = request.headers["idempotency-key"]
        seen[attempts] += 1
        return WORK[kind][seen[attempts] - 1]

    faults.chooses = act
    moment = 1
    while True:
        with nexusai.NexusAIClient("k", faults.base_url, timeout=5, max_retries=1) as client:
            assert client.text.generate("alive?").text == "alive"
            if not _interrupted(_use, moment, client, kind):
                break
            if sys.version_info < (3, 11):
                gc.collect()  # these keep the variables of frames that are traced
            assert client.text.generate("alive?").text == "alive", f"after line {moment}"
        moment += 1
    assert moment > 100


def _use(client: nexusai.NexusAIClient, kind: str) -> None:
    if kind == "left":
        for _ in client.text.stream("hi"):
            break
    elif kind == "stream":
        client.text.stream("hi").read()
    elif kind == "broken":
        with suppress(errors.NetworkError):
            client.with_options(max_retries=0).text.generate("hi")
    else:
        client.text.generate("hi")


def test_who_waits_hears_of_a_slot_that_was_forgotten() -> None:
    """Its holder was dropped without giving it back; nobody waits for the deadline because of that."""
    pool = Pool(_Stubborn, 1)
    pool.take(1, time.monotonic() + 5)
    waiting = threading.Thread(target=lambda: served.append(pool.take(2, time.monotonic() + 30)))
    served: List[Any] = []
    waiting.start()
    while not pool._waiting:
        time.sleep(0.001)
    began = time.monotonic()
    pool.forget(1)
    waiting.join(30)
    assert served
    assert time.monotonic() - began < 15


def test_a_finalizer_may_give_back_what_its_own_thread_is_taking() -> None:
    """The garbage collector runs anywhere, also while this very thread holds the pool's lock."""
    pool = Pool(_Stubborn, 1)
    transport = pool.take(1, time.monotonic() + 5)
    with pool._lock:
        pool.give(1, transport, reusable=True)
    assert pool.take(2, time.monotonic() + 5) is transport


class _Met(asyncio.SelectorEventLoop):
    """A loop that is asked whether it is closed by several threads at once, if that can be."""

    met: Optional[threading.Barrier] = None

    def is_closed(self) -> bool:
        if self.met is not None:
            with suppress(threading.BrokenBarrierError):
                self.met.wait(0.5)
        return super().is_closed()


def test_threads_with_loops_of_their_own_share_a_client() -> None:
    """Each of them may find the same closed loop, and forget its connections."""
    pools = AsyncPools(_Stubborn, 1)  # type: ignore[arg-type]

    async def current() -> Any:
        return pools.current()

    old = _Met()
    old.run_until_complete(current())
    old.close()
    old.met = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: asyncio.run(current()), range(2))
    assert first is not second
    old.met = None


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_connections_of_a_loop_that_is_closed(faults: FaultServer, transport: str) -> None:
    """They are closed when the client is used on the next one, and not when the garbage collector comes."""

    def once(connection: Connection) -> None:
        reply(200, completed())(connection)
        connection.wait_for_hang_up()

    async def call() -> str:
        return (await client.text.generate("hi")).text

    client = nexusai.AsyncNexusAIClient("nxs_x", faults.base_url, transport=transport)
    faults.plays(once, reply(200, completed()))
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            assert asyncio.run(call()) == asyncio.run(call()) == "hello"
            assert faults.hung_up.wait(PATIENCE)
            asyncio.run(client.aclose())
            gc.collect()
    finally:
        gc.enable()
    assert not [str(each.message) for each in warned]


def test_connections_through_httpx_of_a_loop_that_is_closed(faults: FaultServer) -> None:
    """The same where httpx reads, which leaves it to its loop."""

    def once(connection: Connection) -> None:
        reply(200, completed())(connection)
        connection.wait_for_hang_up()

    async def call() -> str:
        return (await client.text.generate("hi")).text

    compressed = {"Accept-Encoding": "gzip"}  # is httpx's to read
    client = nexusai.AsyncNexusAIClient("nxs_x", faults.base_url, default_headers=compressed)
    faults.plays(once, reply(200, completed()))
    gc.disable()
    try:
        assert asyncio.run(call()) == asyncio.run(call()) == "hello"
        assert faults.hung_up.wait(PATIENCE)
        asyncio.run(client.aclose())
    finally:
        gc.enable()
        gc.collect()


def test_a_full_pool_is_not_asked_again(faults: FaultServer) -> None:
    """Who has waited in line for as long as `timeout` does not go to its end."""
    nexusai.config.max_connections = 1
    with nexusai.NexusAIClient("k", faults.base_url, timeout=0.3, max_retries=3) as client:
        client._internal_client._pools.current()._taken.add(0)
        with pytest.raises(errors.APITimeoutError, match="All 1 connections are busy") as caught:
            client.models.list()
        assert len(caught.value.attempts) == 1
