"""Processes: forks, in the worst of moments, and other ways to start one."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import traceback
from contextlib import ExitStack
from typing import Any, Callable, List

import pytest
from faults.acts import echo
from faults.children import call_in_child, crossed
from faults.server import DONE, Act, Connection, FaultServer, Seen, delta, reply

import nexusai
from nexusai._internal import _default, _sockets

WATCHDOG = 20.0
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a forked child that does this; what takes too long ends with 14 (SIGALRM)."""
    import signal

    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(int(WATCHDOG))
            work()
            status = 0
        except Exception:  # noqa: BLE001 - whatever it was, the parent sees the status
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    return os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else os.WTERMSIG(ended)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("transport", ["httpx", "fast"])
def test_child_and_parent_at_once(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch, method: str, transport: str
) -> None:
    """Two hundred calls each, on the same client: nobody reads on the other's connection."""
    if transport == "fast":
        pytest.importorskip("pyreqwest")
    monkeypatch.setenv("NEXUS_API_KEY", "nxs_of_both")  # a pickle has none
    faults.chooses = echo
    context: Any = multiprocessing.get_context(method)
    results = context.Queue()
    with nexusai.NexusAIClient(base_url=faults.base_url, transport=transport) as client:
        assert not crossed(client, "before", 3)
        child = context.Process(target=call_in_child, args=(client, results, 200))
        child.start()
        assert not crossed(client, "parent", 200)
        assert results.get(timeout=WATCHDOG) == []
        child.join(WATCHDOG)
        assert child.exitcode == 0
        assert not crossed(client, "after", 3)


def test_the_functions_of_the_module_work_in_a_child(faults: FaultServer) -> None:
    """Their client is the parent's, its connections are not."""
    faults.chooses = echo
    nexusai.config.api_key, nexusai.config.base_url = "k", faults.base_url
    assert nexusai.text.generate("parent").text == "parent"

    def work() -> None:
        assert nexusai.text.generate("child").text == "child"

    assert in_child(work) == 0
    assert nexusai.text.generate("parent again").text == "parent again"
    assert faults.connections == 2
    _default.default_internal_client().close()


def test_locks_that_were_held_at_the_fork(faults: FaultServer) -> None:
    """By threads that are not there in the child, and so will never let go."""
    busy: List[str] = []

    def act(seen: Seen) -> Act:
        prompt = seen.json["input"]["prompt"]
        if prompt == "busy" and busy.count(seen.headers["idempotency-key"]) == 0:
            busy.append(seen.headers["idempotency-key"])
            return reply(503, {"detail": "busy"})  # a retry asks the budget
        return echo(seen)

    faults.chooses = act
    nexusai.config.api_key, nexusai.config.base_url = "k", faults.base_url
    client = nexusai.NexusAIClient()
    inside = client._internal_client
    assert client.text.generate("before").text == "before"
    pool = inside._pools.current()
    locks = [inside._pools._lock, pool._lock, inside._budget._lock]
    locks += [_default._default._lock, _sockets._contexts._lock]

    def work() -> None:
        assert client.text.generate("busy").text == "busy"
        assert nexusai.text.generate("by the module").text == "by the module"
        assert _sockets.tls_context() is not None
        client.close()

    with ExitStack() as held:
        for lock in locks:
            held.enter_context(lock)
        assert in_child(work) == 0
    assert client.text.generate("after").text == "after"
    client.close()


def test_forks_while_threads_call(faults: FaultServer) -> None:
    """Each child makes its calls, and no thread of the parent notices."""
    faults.chooses = echo
    stop = threading.Event()
    wrong: List[object] = []
    with nexusai.NexusAIClient("k", faults.base_url) as client:

        def work(name: str) -> None:
            while not stop.is_set():
                try:
                    wrong.extend(crossed(client, name, 5))
                except nexusai.APIError as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(f"thread {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()

        def few_calls() -> None:
            assert not crossed(client, "child", 3)

        statuses = [in_child(few_calls) for _ in range(15)]
        stop.set()
        for thread in threads:
            thread.join(WATCHDOG)
    assert statuses == [0] * 15
    assert not wrong


def test_a_child_does_not_end_its_parent_s_stream(faults: FaultServer) -> None:
    """Whoever leaves a stream stops the generation at the platform; a child that ends leaves nothing."""
    left = threading.Event()

    def act(seen: Seen) -> Act:
        def play(connection: Connection) -> None:
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-task-id: task_s\r\n"
                b"preference-applied: resumable\r\n\r\n"
            )
            connection.send(head + delta("a"))
            left.wait(WATCHDOG)
            connection.send(delta("b") + DONE)
            connection.close()

        return (
            play if seen.target.endswith("/invoke") else reply(200, {"task_id": "t", "status": "cancelled"})
        )

    faults.chooses = act
    with nexusai.NexusAIClient("k", faults.base_url) as client:
        stream = client.text.stream("hi")
        deltas = stream.text_deltas
        assert next(deltas) == "a"
        assert in_child(stream.close) == 0
        left.set()
        assert list(deltas) == ["b"]
        assert stream.response.text == "ab"
    assert [seen.target for seen in faults.requests] == ["/api/v1/invoke"]


def test_no_two_processes_send_the_same_idempotency_key(faults: FaultServer) -> None:
    """Not even where the program seeds `random`, as those that train models do: the platform would answer
    the second with what it has answered the first."""
    import random

    faults.chooses = echo
    with nexusai.NexusAIClient("k", faults.base_url) as client:

        def calls() -> None:
            random.seed(0)
            assert not crossed(client, "x", 3)

        calls()
        for _ in range(3):
            assert in_child(calls) == 0
    keys = [seen.headers["idempotency-key"] for seen in faults.requests]
    assert len(set(keys)) == len(keys) == 12
