"""Servers and clients. Nothing of our own is ever patched: whatever is tested runs for real."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, AsyncIterator, Iterator

import pytest
from faults.server import FaultServer

import nexusai

KEY = "nxs_canary_51c0ffee"


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No setting of this machine reaches a test, and none of a test the next."""
    for name in list(os.environ):
        if name.startswith("NEXUS_") and name != "NEXUS_SERVER_MODELS_DIR":
            monkeypatch.delenv(name)
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


@pytest.fixture
def client(faults: FaultServer) -> Iterator[nexusai.NexusAIClient]:
    """A client of the server that misbehaves."""
    with nexusai.NexusAIClient(KEY, faults.base_url, timeout=5, max_retries=2) as made:
        yield made


@pytest.fixture
async def async_client(faults: FaultServer) -> AsyncIterator[nexusai.AsyncNexusAIClient]:
    """The same, awaited."""
    async with nexusai.AsyncNexusAIClient(KEY, faults.base_url, timeout=5, max_retries=2) as made:
        yield made
