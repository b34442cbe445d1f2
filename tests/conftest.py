"""Servers and clients. Nothing of our own is ever patched: whatever is tested runs for real."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, AsyncIterator, Iterator

import pytest
from faults.random_runs import RUNS, SEED
from faults.server import FaultServer

import nexusai

if TYPE_CHECKING:
    from faults.recording import Recorder
    from server.process import ServerProcess

KEY = "nxs_canary_51c0ffee"
TRANSPORTS = ["httpx", "fast"] if find_spec("pyreqwest") else ["httpx"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs, and so what they start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    """Where the dice of the random tests begin: the same again shows the same."""
    return f"random faults: NEXUS_FAULT_SEED={SEED} NEXUS_FAULT_RUNS={RUNS}"


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of this machine reaches a test, and none of a test the next."""
    for name in list(os.environ):
        if name.startswith("NEXUS_") and name != "NEXUS_SERVER_MODELS_DIR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEXUS_OTEL", "off")  # whichever test has imported OpenTelemetry before
    monkeypatch.chdir(tmp_path)
    nexusai.config.reset()
    yield
    nexusai.config.reset()


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """What the awaited tests run on."""
    return request.param


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    """A server that misbehaves as it is told."""
    server = FaultServer()
    yield server
    server.stop()


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """What carries the calls: whatever goes wrong on the wire, both kinds do the same about it."""
    name: str = request.param
    return name


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What OpenTelemetry is told; clients made now use it, as the program has imported it."""
    from faults.recording import recorder

    monkeypatch.delenv("NEXUS_OTEL")
    recorder().forget()
    return recorder()


@pytest.fixture
def client(faults: FaultServer, transport: str) -> Iterator[nexusai.NexusAIClient]:
    """A client of the server that misbehaves."""
    nexusai.config.transport = transport
    with nexusai.NexusAIClient(KEY, faults.base_url, timeout=5, max_retries=2) as made:
        yield made


@pytest.fixture
async def async_client(faults: FaultServer, transport: str) -> AsyncIterator[nexusai.AsyncNexusAIClient]:
    """The same, awaited."""
    nexusai.config.transport = transport
    async with nexusai.AsyncNexusAIClient(KEY, faults.base_url, timeout=5, max_retries=2) as made:
        yield made


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The platform as people run it, with a real model; and a provider that does as it is told."""
    from server.local_models import link_model, link_speech
    from server.process import ServerProcess
    from server.upstream import FakeUpstream

    root = tmp_path_factory.mktemp("platform")
    link_model(root / "models")
    link_speech(root / "models")
    with FakeUpstream() as upstream, ServerProcess(
        root / "data",
        upstream.base_url,
        local=True,
        models_dir=str(root / "models"),
        default_provider="local",
        threads=1,  # more would wait for each other whenever a test needs a core
    ) as running:
        yield running


@pytest.fixture
def live(platform: ServerProcess) -> Iterator[nexusai.NexusAIClient]:
    """A client of the platform."""
    with nexusai.NexusAIClient(platform.key, platform.url) as made:
        yield made


@pytest.fixture
async def async_live(platform: ServerProcess) -> AsyncIterator[nexusai.AsyncNexusAIClient]:
    """The same, awaited."""
    async with nexusai.AsyncNexusAIClient(platform.key, platform.url) as made:
        yield made
