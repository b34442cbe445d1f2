"""Users' own clients; forks, loops and threads."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sys
import threading
import traceback
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, List

import httpx
import pytest
from faults.marks import LOST_BY_ANYIO
from faults.server import PATIENCE, FaultServer, completed, drop, hang, head, repeat, reply, stream

import nexusai
from nexusai._internal import _transport
from nexusai._internal._httpx import HTTPXTransport


def test_your_own_client_is_used_and_not_closed(faults: FaultServer) -> None:
    """Its transport, its hooks; errors are the SDK's."""
    faults.plays(reply(200, completed()), drop(), drop(), stream(b"data: [DONE]\n\n"))
    seen: List[str] = []
    with httpx.Client(event_hooks={"request": [lambda request: seen.append(request.url.path)]}) as own:
        client = nexusai.NexusAIClient("k", faults.base_url, http_client=own, max_retries=1)
        assert client.text.generate("hi").text == "hello"
        with pytest.raises(nexusai.NetworkError):
            client.text.generate("hi")
        assert client.text.stream("hi").read().text == ""
        client.close()
        assert not own.is_closed
    assert seen == ["/api/v1/invoke"] * 4


def test_your_own_async_client(faults: FaultServer) -> None:
    """The same, awaited."""
    faults.plays(reply(200, completed()), reply(302, {}, location="http://127.0.0.1:9/"))

    async def main() -> None:
        async with httpx.AsyncClient(follow_redirects=True) as own:
            client = nexusai.AsyncNexusAIClient("k", faults.base_url, http_client=own)
            assert (await client.text.generate("hi")).text == "hello"
            with pytest.raises(nexusai.InvalidResponseError, match="redirects"):
                await client.text.generate("hi")
            await client.aclose()

    asyncio.run(main())
    with pytest.raises(TypeError, match=r"expected an httpx\.AsyncClient, not Client"):
        nexusai.AsyncNexusAIClient("k", http_client=httpx.Client())


def test_one_async_client_on_several_loops(faults: FaultServer) -> None:
    """Each loop has its own connections."""
    faults.plays(*[reply(200, completed()) for _ in range(3)])
    client = nexusai.AsyncNexusAIClient("k", faults.base_url)

    async def main() -> str:
        answer = await client.text.generate("hi")
        await client.aclose()
        return answer.text

    assert [asyncio.run(main()) for _ in range(3)] == ["hello"] * 3
    assert faults.connections == 3


def test_trio(faults: FaultServer) -> None:
    """Not only asyncio."""
    trio = pytest.importorskip("trio")
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed()), stream(b"data: [DONE]\n\n"))

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", faults.base_url) as client:
            assert (await client.text.generate("hi")).text == "hello"
            await client.text.stream("hi").read()

    trio.run(main)


@pytest.mark.parametrize("calls", [pytest.param(200, marks=LOST_BY_ANYIO)])
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
    gc.collect()


def test_threads_share_a_client(faults: FaultServer) -> None:
    """Nobody gets another's answer, and nobody waits forever."""
    nexusai.config.max_connections = 4
    client = nexusai.NexusAIClient("k", faults.base_url)
    faults.plays(*[reply(200, completed()) for _ in range(80)])
    answers: List[str] = []

    def work() -> None:
        for _ in range(10):
            answers.append(client.text.generate("hi").text)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["hello"] * 80
    assert faults.connections <= 4
    client.close()


def _child(client: nexusai.NexusAIClient, results: multiprocessing.Queue[str]) -> None:
    results.put(client.text.generate("hi").text)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(faults: FaultServer) -> None:
    """It must not speak on its parent's."""
    faults.plays(*[reply(200, completed(text)) for text in ("parent", "child", "parent again")])
    client = nexusai.NexusAIClient("k", faults.base_url)
    assert client.text.generate("hi").text == "parent"
    fork = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[str] = fork.Queue()
    child = fork.Process(target=_child, args=(client, results))
    child.start()
    assert results.get(timeout=20) == "child"
    child.join(20)
    assert client.text.generate("hi").text == "parent again"
    assert faults.connections == 2
    client.close()


def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Used for other machines, never for this one."""
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "internal.example")
    found = [
        _transport.proxy_for(_transport.parse_url(url))
        for url in ("https://api.example", "https://internal.example", "http://localhost:8000")
    ]
    assert found == ["http://proxy.example:3128", None, None]
    transport = HTTPXTransport(_transport.parse_url("https://api.example"))
    assert type(transport._transport._pool).__name__ == "HTTPProxy"
    transport.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the one that the environment names."""
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda address: monkeypatch.setenv("ALL_PROXY", address)


def test_a_proxy_without_a_scheme(proxy: Any) -> None:
    """Is what most programs take it for."""
    proxy("proxy.example:3128")
    assert _transport.proxy_for(_transport.parse_url("http://api.example")) == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("socks5://user:secret@127.0.0.1:9", r"pip install 'httpx\[socks\]'"),
        (
            "ftp://user:secret@127.0.0.1:9",
            "not ftp://",
        ),
        ("http://user:secret@127.0.0.1:port", "not http://"),
    ],
)
def test_a_proxy_that_cannot_be_used(proxy: Any, address: str, told: str) -> None:
    """The first call says so, once, and not with the proxy's password."""
    if address.startswith("socks") and find_spec("socksio"):
        pytest.skip("it can be used here")
    proxy(address)
    tried: List[object] = []

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient("k", "http://api.example", on_request=tried.append) as client:
            await client.models.list()

    with nexusai.NexusAIClient("k", "http://api.example", on_request=tried.append) as client:
        with pytest.raises(nexusai.APIError, match=told) as caught:
            client.models.list()
        with pytest.raises(nexusai.APIError, match=told):
            asyncio.run(main())
    assert "secret" not in "".join(traceback.format_exception(None, caught.value, caught.value.__traceback__))
    assert len(tried) == 2


def test_the_limit_for_connecting_is_told_as_what_it_is() -> None:
    """It is shorter than most a `timeout`."""
    from nexusai._internal._exchange import Exchange
    from nexusai._internal._transport import TransportError

    with nexusai.NexusAIClient("k", timeout=120) as client:
        inside = client._internal_client
        exchange = Exchange(inside._pools, inside.call("GET", "/x"), "k", streaming=False)
        unconnected = exchange.failure(TransportError("connect timeout", timed_out=True, sent=False))
        assert "within 10 s (the limit for connecting)" in str(unconnected)
        silent = exchange.failure(TransportError("read timeout", timed_out=True, sent=True))
        assert "within 120 s (`timeout`)" in str(silent)


def test_a_trickle_cannot_outlast_the_limits_of_your_own_client(faults: FaultServer) -> None:
    """Its timeouts bound each read; the SDK's the whole."""
    lines = {"content-type": "application/json", "content-length": "400"}
    faults.plays(*[repeat(b" ", 0.05, head(200, lines))] * 2)
    with httpx.Client() as own:
        client = nexusai.NexusAIClient("k", faults.base_url, http_client=own, max_retries=0, timeout=0.5)
        with pytest.raises(nexusai.APITimeoutError, match="within 0.5 s"):
            client.models.list()

    async def main() -> None:
        async with httpx.AsyncClient() as own:
            client = nexusai.AsyncNexusAIClient(
                "k", faults.base_url, http_client=own, max_retries=0, timeout=0.5
            )
            with pytest.raises(nexusai.APITimeoutError, match="within 0.5 s"):
                await client.models.list()

    asyncio.run(main())


@pytest.mark.parametrize("limit", [{"timeout": 0.5}, {"timeout": 60, "total_timeout": 0.5}])
def test_silence_is_bounded_on_your_own_client(faults: FaultServer, limit: Any) -> None:
    """One without limits of its own keeps the SDK's: from the first byte that does not come."""
    faults.plays(hang(), hang())
    with httpx.Client(timeout=None) as own:
        client = nexusai.NexusAIClient("k", faults.base_url, http_client=own, max_retries=0, **limit)
        with pytest.raises(nexusai.APITimeoutError, match="within 0.5 s"):
            client.models.list()

    async def main() -> None:
        async with httpx.AsyncClient(timeout=None) as own:
            client = nexusai.AsyncNexusAIClient("k", faults.base_url, http_client=own, max_retries=0, **limit)
            with pytest.raises(nexusai.APITimeoutError, match="within 0.5 s"):
                await client.models.list()

    asyncio.run(main())


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_trickled_head_is_bounded_on_your_own_awaited_client(faults: FaultServer, loop: str) -> None:
    """A head that never ends, or a transport that keeps no limit at all."""
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(loop)

    class Asleep(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError("it slept for ever")

    async def main() -> None:
        for own in (httpx.AsyncClient(), httpx.AsyncClient(transport=Asleep())):
            client = nexusai.AsyncNexusAIClient(
                "k", faults.base_url, http_client=own, max_retries=0, timeout=0.5
            )
            with anyio.fail_after(PATIENCE), pytest.raises(nexusai.APITimeoutError, match="within 0.5 s"):
                await client.models.list()
            await own.aclose()

    faults.plays(repeat(b"y", 0.05, b"HTTP/1.1 200 OK\r\nx: "))
    anyio.run(main, backend=loop)
