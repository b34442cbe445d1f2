"""Who watches httpx sees the calls: mocks, tracers; and httpx2's clients are taken as well as httpx's."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import Any, Iterator, List

import httpx
import pytest
from faults.server import DONE, FaultServer, completed, delta, reply, stream

import nexusai

BASE = "http://mocked.example/v1"


def test_who_only_imports_httpx_does_not_watch_it(faults: FaultServer) -> None:
    """Most of it is loaded by its first client; the calls go straight to their sockets."""
    faults.plays(reply(200, completed()))
    code = (
        f"import sys, httpx, nexusai; nexusai.NexusAIClient('k', {faults.base_url!r}).text.generate('hi'); "
        "print('httpcore' in sys.modules, 'nexusai._internal._httpx' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


class Both:
    """Clients of both colours, the awaited one on one event loop to its end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients: List[Any] = []

    def default(self, base_url: str) -> List[Any]:
        """Clients that open their own connections."""
        return self._kept(nexusai.NexusAIClient("k", base_url), nexusai.AsyncNexusAIClient("k", base_url))

    def own(self, base_url: str, library: Any = httpx) -> List[Any]:
        """Clients that use one of the user's."""
        plain, awaited = library.Client(), library.AsyncClient()
        self._kept(plain, awaited)
        return [
            nexusai.NexusAIClient("k", base_url, http_client=plain),
            nexusai.AsyncNexusAIClient("k", base_url, http_client=awaited),
        ]

    def text(self, client: Any) -> str:
        """An answer."""
        answer = client.text.generate("hi")
        text: str = (answer if _is_plain(client) else self._loop.run_until_complete(answer)).text
        return text

    def streamed(self, client: Any) -> List[str]:
        """A streamed one."""
        deltas = client.text.stream("hi").text_deltas
        if _is_plain(client):
            return list(deltas)

        async def main() -> List[str]:
            return [text async for text in deltas]

        return self._loop.run_until_complete(main())

    def _kept(self, *clients: Any) -> List[Any]:
        self._clients += clients
        return list(clients)

    def close(self) -> None:
        """All of it."""
        for client in self._clients:
            if hasattr(client, "aclose"):
                self._loop.run_until_complete(client.aclose())
            else:
                client.close()
        gc.collect()
        while asyncio.all_tasks(self._loop):  # generators of httpx's, which end in tasks of their own
            self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop)))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


def _is_plain(client: Any) -> bool:
    return isinstance(client, nexusai.NexusAIClient)


@pytest.fixture
def both() -> Iterator[Both]:
    """Clients of both colours."""
    made = Both()
    yield made
    made.close()


@pytest.mark.parametrize(("kind", "mocker"), [("default", "httpcore"), ("own", "httpcore"), ("own", "httpx")])
def test_respx_sees_every_call(both: Both, kind: str, mocker: str) -> None:
    """On its own default layer; on the other, which is the client's, where there is such a client."""
    respx = pytest.importorskip("respx")
    for client in getattr(both, kind)(BASE):
        for _ in range(2):
            with respx.mock(base_url=BASE, using=mocker) as mock:
                route = mock.post("/invoke").respond(json=completed("mocked"))
                assert both.text(client) == "mocked"
                assert route.call_count == 1
                route.respond(content=delta("a") + DONE)
                assert both.streamed(client) == ["a"]


def test_respx_begins_between_two_calls(faults: FaultServer) -> None:
    """A client that has a connection of its own steps aside, and takes it up again."""
    respx = pytest.importorskip("respx")
    faults.plays(reply(200, completed("real")), reply(200, completed("real again")))
    with nexusai.NexusAIClient("k", faults.base_url) as client:
        assert client.text.generate("hi").text == "real"
        with respx.mock:
            respx.post(f"{faults.base_url}/invoke").respond(json=completed("mocked"))
            assert client.text.generate("hi").text == "mocked"
        assert client.text.generate("hi").text == "real again"
    assert faults.connections == 1


def test_pytest_httpx_sees_the_calls_of_your_own_client(both: Both, request: pytest.FixtureRequest) -> None:
    """As of a default one, which `test_mocks` shows."""
    pytest.importorskip("pytest_httpx")
    mock = request.getfixturevalue("httpx_mock")
    for client in both.own(BASE):
        mock.add_response(url=f"{BASE}/invoke", json=completed("mocked"))
        assert both.text(client) == "mocked"
    assert len(mock.get_requests()) == 2


@pytest.fixture
def spans() -> Iterator[Any]:
    """The spans of OpenTelemetry's own instrumentation of httpx."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.httpx")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = instrumentation.HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


def test_a_wrapper_that_says_it_equals_the_function_is_seen(faults: FaultServer, request: Any) -> None:
    """Who begins to trace after the first call is not overlooked for that."""
    faults.plays(*[reply(200, completed()) for _ in range(2)])
    with nexusai.NexusAIClient("k", faults.base_url) as client:
        client.text.generate("hi")
        spans = request.getfixturevalue("spans")
        client.text.generate("hi")
    assert len(spans.get_finished_spans()) == 1


@pytest.mark.parametrize("kind", ["default", "own"])
def test_opentelemetry_s_instrumentation_sees_every_attempt(
    both: Both, kind: str, spans: Any, faults: FaultServer
) -> None:
    """One span for each request on the wire, with its status, and the trace goes along with it."""
    busy = reply(503, {"detail": "busy"}, retry_after="0")
    for client in getattr(both, kind)(faults.base_url):
        faults.plays(busy, reply(200, completed()), stream(delta("a"), DONE))
        assert both.text(client) == "hello"
        assert both.streamed(client) == ["a"]
        statuses = [span.attributes["http.status_code"] for span in spans.get_finished_spans()]
        assert statuses == [503, 200, 200]
        spans.clear()
    assert all("traceparent" in seen.headers for seen in faults.requests)


def test_clients_of_httpx2_are_taken(both: Both, faults: FaultServer) -> None:
    """They answer, stream, retry and fail as httpx's do, and are not closed."""
    httpx2 = pytest.importorskip("httpx2")
    for client in both.own(faults.base_url, httpx2):
        faults.plays(reply(503, {}, retry_after="0"), reply(200, completed()), stream(delta("a"), DONE))
        assert both.text(client) == "hello"
        assert both.streamed(client) == ["a"]
        faults.plays(reply(401, {"detail": "who?"}))
        with pytest.raises(nexusai.AuthenticationError, match="who"):
            both.text(client)
    refused = nexusai.NexusAIClient("k", "http://127.0.0.1:9/v1", http_client=httpx2.Client(), max_retries=0)
    with pytest.raises(nexusai.NetworkError, match="connect error"):
        refused.text.generate("hi")


def test_a_slow_answer_times_out_on_httpx2(faults: FaultServer) -> None:
    """Its errors are translated by its own classes, not by httpx's."""
    httpx2 = pytest.importorskip("httpx2")
    faults.plays(lambda connection: connection.wait_for_hang_up())
    own = httpx2.Client()
    client = nexusai.NexusAIClient("k", faults.base_url, http_client=own, timeout=0.3, max_retries=0)
    with pytest.raises(nexusai.APITimeoutError, match="within 0.3 s"):
        client.text.generate("hi")
    assert not own.is_closed
    own.close()


def test_the_wrong_kind_of_httpx2_client_is_named() -> None:
    """Before anything is sent."""
    httpx2 = pytest.importorskip("httpx2")
    with pytest.raises(TypeError, match=r"expected an httpx\.AsyncClient, not Client"):
        nexusai.AsyncNexusAIClient("k", http_client=httpx2.Client())
