"""`transport="fast"`: what a fault on the wire does not show. It needs Python 3.11."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import multiprocessing
import socket
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List

import pytest
from faults.random_runs import RUNS
from faults.server import (
    DONE,
    PATIENCE,
    STREAM_HEAD,
    Act,
    Connection,
    FaultServer,
    Seen,
    completed,
    delta,
    hang,
    head,
    reply,
)

import nexusai
from nexusai import error as errors

pytest.importorskip("pyreqwest")
ROOT = Path(nexusai.__file__).parents[1]


@pytest.fixture(autouse=True)
def fast() -> None:
    """Every client here is fast."""
    nexusai.config.transport = "fast"


@pytest.fixture
def made(faults: FaultServer) -> Iterator[nexusai.NexusAIClient]:
    """A client with two connections at most."""
    nexusai.config.max_connections = 2
    with nexusai.NexusAIClient("k", faults.base_url, timeout=5, max_retries=0) as client:
        yield client


def test_the_setting_chooses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument, by `nexusai.config`, and by the environment."""
    nexusai.config.reset()
    assert nexusai.config.transport == "httpx"
    monkeypatch.setenv("NEXUS_TRANSPORT", "fast")
    assert nexusai.config.transport == "fast"
    client = nexusai.NexusAIClient("k")
    assert client.with_options(timeout=1)._internal_client.options["transport"] == "fast"
    with pytest.raises(ValueError, match="transport: expected 'httpx' or 'fast', not 'quick'"):
        nexusai.NexusAIClient("k", transport="quick")


def test_httpx_is_never_imported(faults: FaultServer) -> None:
    """Nor what belongs to it: a program that starts pays for one library."""
    faults.plays(reply(200, completed()))
    code = f"""
        import sys, nexusai
        client = nexusai.NexusAIClient("k", {faults.base_url!r}, transport="fast")
        assert client.text.generate("hi").text == "hello"
        assert not {{"httpx", "httpcore", "h11", "anyio"}} & set(sys.modules), sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT, timeout=60)


def test_trio_is_told_that_it_cannot(faults: FaultServer) -> None:
    """One clear error, and nothing is sent."""
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url) as client:
            with pytest.raises(ValueError, match="asyncio only"):
                await client.text.generate("hi")

    trio.run(main)
    assert not faults.requests


def test_several_event_loops_in_turn(faults: FaultServer) -> None:
    """A client outlives the loop that it was first used on."""
    faults.plays(*[reply(200, completed()) for _ in range(3)])
    client = nexusai.AsyncNexusAIClient("k", faults.base_url)

    async def main() -> str:
        return (await client.text.generate("hi")).text

    assert [asyncio.run(main()) for _ in range(3)] == ["hello"] * 3


def test_a_sync_client_inside_an_event_loop(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """It blocks the loop, as it must, and leaves it as it was."""
    faults.plays(reply(200, completed()))

    async def main() -> str:
        text = made.text.generate("hi").text
        await asyncio.sleep(0)
        return text

    assert asyncio.run(main()) == "hello"


def test_threads_share_its_slots(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """Nobody gets another's answer, and nobody waits forever."""
    faults.plays(*[reply(200, completed()) for _ in range(80)])
    answers: List[str] = []

    def work() -> None:
        for _ in range(10):
            answers.append(made.text.generate("hi").text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["hello"] * 80


def test_closing_closes_the_connections(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """Also those that pyreqwest keeps for later."""
    ended = threading.Event()
    faults.plays(reply(200, completed()))
    made.text.generate("hi")

    (connection,) = faults._sockets

    def serve() -> None:
        with suppress(OSError):
            while connection.recv(1, socket.MSG_PEEK):
                time.sleep(0.01)
        ended.set()

    threading.Thread(target=serve, daemon=True).start()
    made.close()
    assert ended.wait(5)


def test_a_failed_call_does_not_cost_a_new_engine(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """Building one costs a hundred requests."""
    faults.plays(reply(200, completed()), hang(), reply(200, completed()))
    made.text.generate("hi")
    engine = made._internal_client._engine
    before = dict(engine._clients)
    with pytest.raises(errors.APITimeoutError):
        made.with_options(timeout=0.2).text.generate("hi")
    made.text.generate("hi")
    assert dict(engine._clients) == before


def test_a_timeout_closes_the_connection_at_once(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """The server need not work for nobody."""
    faults.plays(hang())
    with pytest.raises(errors.APITimeoutError):
        made.with_options(timeout=0.3).text.generate("hi")
    assert faults.hung_up.wait(1)


def test_what_is_asked_for_compressed_is_unpacked(faults: FaultServer) -> None:
    """A proxy may compress where the user lets it; what no one can read is refused by name."""
    answer = json.dumps(completed("x" * 300000)).encode()
    faults.plays(
        reply(200, raw=gzip.compress(answer), content_encoding="gzip"),
        reply(200, raw=answer, content_encoding="br"),
    )
    with nexusai.NexusAIClient(
        "k", faults.base_url, max_retries=0, default_headers={"Accept-Encoding": "gzip"}
    ) as client:
        assert client.text.generate("hi").text == "x" * 300000
        with pytest.raises(errors.NetworkError, match="reads gzip and deflate, not 'br'"):
            client.text.generate("hi")


def test_an_address_that_would_be_sent_otherwise_is_refused(made: nexusai.NexusAIClient) -> None:
    """A browser's rules would make `/a/%2e%2e/b` another path."""
    with pytest.raises(errors.NetworkError, match="would be sent as"):
        made._internal_client.request("GET", "/tasks/%2e%2e/files")


@pytest.mark.parametrize("calls", [200])
def test_cancelling_frees_the_slot(faults: FaultServer, calls: int) -> None:
    """With a single connection, a call after two hundred cancelled ones still works."""
    nexusai.config.max_connections = 1

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url) as client:
            for turn in range(calls):
                faults.plays(reply(200, completed()))
                call = asyncio.ensure_future(client.text.generate("hi"))
                for _ in range(turn % 25):
                    await asyncio.sleep(0)
                call.cancel()
                with suppress(asyncio.CancelledError):  # the answer may have been faster
                    await call
            faults._script.clear()
            faults.plays(*[reply(200, completed("alive"))] * calls)
            assert (await client.text.generate("hi")).text == "alive"

    asyncio.run(main())


def _early_refusal(connection: Connection) -> None:
    connection.send(head(413, {"content-length": "2", "connection": "close"}) + b"{}")


def _at_once(server: FaultServer, act: Act) -> Any:
    """Has `server` play an act when a request has begun, and keep what came of it."""

    def serve(sock: socket.socket) -> None:
        came: List[bytes] = []
        with suppress(OSError):
            came.append(sock.recv(65536))
            act(Connection(sock, server))
            while came[-1]:
                came.append(sock.recv(65536))
        server.requests.append(Seen("", "", {}, b"".join(came), []))
        sock.close()
        server.hung_up.set()

    server._serve = serve  # type: ignore[method-assign]


@pytest.mark.parametrize("loops", ["one", "many"])
@pytest.mark.parametrize("act", [_early_refusal, lambda _: None])
def test_an_upload_that_ends_early_leaves_nothing_in_its_loop(
    faults: FaultServer, act: Act, loops: str
) -> None:
    """Refused, or cancelled at any of its turns: no block that was asked for is missed by the event loop."""
    _at_once(faults, act)
    turns = range(60 if RUNS == 1 else 500)
    told: List[str] = []

    def tell(loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
        if loop.is_running():  # one that ends has no time for what was just asked for
            told.append(context["message"])

    async def main(turns: Iterable[int]) -> None:
        asyncio.get_running_loop().set_exception_handler(tell)
        async with nexusai.AsyncNexusAIClient("k", faults.base_url, max_retries=0) as client:
            for turn in turns:
                upload = asyncio.ensure_future(client.files.upload(b"x" * 1_000_000, "a.bin"))
                for _ in range(turn):
                    await asyncio.sleep(0)
                if turn % 3 or act is not _early_refusal:
                    upload.cancel()
                with suppress(errors.APIError, asyncio.CancelledError):
                    await upload
        if loops == "one":
            while len(faults.requests) < faults.connections:
                await asyncio.sleep(0.01)  # until all is hung up
            gc.collect()

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        for part in [turns] if loops == "one" else [[turn] for turn in turns]:
            asyncio.run(main(part))
        gc.collect()
    assert [str(each.message) for each in complaints] == []
    assert told == []


def test_a_block_that_nobody_takes_is_nothing_to_complain_of() -> None:
    """pyreqwest may ask for one, and find only then that its request is over."""
    from nexusai._internal._pyreqwest import Blocks, Waiter

    blocks = Blocks(iter([b"a", b"b"]), Waiter())
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        asked: Any = blocks.__anext__()
        del asked
        gc.collect()
    assert complaints == []


def test_an_upload_that_is_given_up_is_never_taken_for_a_whole_one(faults: FaultServer) -> None:
    """One whose length nobody knows has a mark at its end, which must not come."""
    _at_once(faults, lambda _: None)

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, into: Any) -> int:
            into[:] = b"x" * len(into)
            return len(into)

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url, max_retries=0) as client:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(client.files.upload(Endless(), "a.bin"), 0.3)
            assert await asyncio.to_thread(faults.hung_up.wait, PATIENCE)

    asyncio.run(main())
    came = faults.requests[0].body
    assert b"transfer-encoding: chunked" in came
    assert len(came) > 100_000
    assert not came.endswith(b"0\r\n\r\n")


def _child(client: nexusai.NexusAIClient, results: multiprocessing.Queue[str]) -> None:
    try:
        results.put(client.text.generate("hi").text)
    except Exception as error:
        results.put(repr(error))
        raise


def _grandchild(client: nexusai.NexusAIClient, results: multiprocessing.Queue[str]) -> None:
    client.text.generate("hi")
    grandchild = multiprocessing.get_context("fork").Process(target=_child, args=(client, results))
    grandchild.start()
    grandchild.join(20)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_an_engine_of_its_own(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """The parent's threads do not exist there. A child of such a child is told what to do."""
    faults.plays(*[reply(200, completed(text)) for text in ("parent", "child", "parent again", "child 2")])
    assert made.text.generate("hi").text == "parent"
    fork = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[str] = fork.Queue()
    child = fork.Process(target=_child, args=(made, results))
    child.start()
    assert results.get(timeout=20) == "child"
    child.join(20)
    assert child.exitcode == 0
    assert made.text.generate("hi").text == "parent again"
    child = fork.Process(target=_grandchild, args=(made, results))
    child.start()
    told = results.get(timeout=20)
    child.join(20)
    assert "'spawn' or 'forkserver'" in told


CTRL_C = """
    import os, signal, sys, threading, time, nexusai
    client = nexusai.NexusAIClient("k", sys.argv[1], transport="fast", timeout=30)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    try:
        if sys.argv[2] == "stream":
            for delta in client.text.stream("hi").text_deltas:
                pass
        else:
            client.text.generate("hi")
    except KeyboardInterrupt:
        assert time.monotonic() - begun < 5
        print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("kind", ["call", "stream"])
def test_ctrl_c_interrupts_a_call(faults: FaultServer, kind: str) -> None:
    """At once, and the program ends as it would have."""
    faults.plays(hang() if kind == "call" else hang(STREAM_HEAD + delta("a")))
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(CTRL_C), faults.base_url, kind],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
    assert faults.hung_up.wait(5)


EXIT = """
    import asyncio, os, sys, nexusai
    client = nexusai.AsyncNexusAIClient("k", sys.argv[1], transport="fast")

    async def main():
        tasks = [asyncio.ensure_future(client.text.generate("hi")) for _ in range(8)]
        await asyncio.sleep(0.3)
        stream = client.text.stream("hi")
        async for delta in stream.text_deltas:
            break

    asyncio.run(main())
    print("over")
"""


def test_a_program_ends_with_calls_under_way(faults: FaultServer) -> None:
    """Whatever the thread in Rust is doing then."""
    slow = [hang() for _ in range(8)]
    faults.plays(*slow, hang(STREAM_HEAD + delta("a")))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(EXIT), faults.base_url],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")


def test_a_proxy_of_the_environment_is_used(faults: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For other machines only: the request reaches the proxy, with the whole address in its first line."""
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", faults.base_url.rpartition("/api")[0])
    faults.plays(reply(200, completed()), reply(200, completed()))
    with nexusai.NexusAIClient("k", "http://api.example/v1") as client:
        assert client.text.generate("hi").text == "hello"
    assert faults.requests[0].target == "http://api.example/v1/invoke"
    with nexusai.NexusAIClient("k", faults.base_url) as client:
        assert client.text.generate("hi").text == "hello"
    assert faults.requests[1].target == "/api/v1/invoke"


def test_a_stream_is_read_as_it_comes(made: nexusai.NexusAIClient, faults: FaultServer) -> None:
    """Nothing is held back until there is more."""
    go_on = threading.Event()

    def act(connection: object) -> None:
        connection.send(STREAM_HEAD + delta("a"))  # type: ignore[attr-defined]
        assert go_on.wait(10)
        connection.send(delta("b") + DONE)  # type: ignore[attr-defined]
        connection.close()  # type: ignore[attr-defined]

    faults.plays(act)
    deltas = made.text.stream("hi").text_deltas
    assert next(iter(deltas)) == "a"
    go_on.set()
    assert list(deltas) == ["b"]
