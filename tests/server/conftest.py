"""One server and one upstream for most tests here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from server.process import ServerProcess
    from server.upstream import FakeUpstream

if sys.version_info < (3, 11):  # the server needs it
    collect_ignore_glob = ["test_*.py"]

HEARTBEAT = 0.4


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    """An OpenAI-compatible server that does what requests tell it to."""
    from server.upstream import FakeUpstream

    with FakeUpstream() as running:
        yield running


@pytest.fixture(scope="session")
def server(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server that uses the upstream."""
    from server.process import ServerProcess

    directory = tmp_path_factory.mktemp("server") / "data"
    with ServerProcess(directory, upstream.base_url, heartbeat=HEARTBEAT, max_body_bytes=100_000) as running:
        yield running
