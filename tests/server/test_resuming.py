"""The SDK's streams from the real platform, over connections that break at random bytes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faults.random_runs import RUNS, SEED, hint
from server.process import ServerProcess
from server.proxy import CuttingProxy
from server.upstream import FakeUpstream

import nexusai

TOKENS = 60
TEXT = "".join(f"w{number} " for number in range(TOKENS))


@pytest.mark.parametrize("run", range(25 * RUNS))
def test_every_piece_comes_once_and_in_order(server: ServerProcess, run: int) -> None:
    """However often the connection breaks."""
    dice = random.Random(SEED + run)
    with CuttingProxy(server.url, lambda: dice.randrange(600, 2500)) as proxy, nexusai.NexusAIClient(
        server.key, proxy.url, max_retries=5
    ) as client:
        stream = client.text.stream("hi", fake={"tokens": TOKENS, "delay": 0.001})
        assert "".join(stream.text_deltas) == TEXT, hint(SEED + run)
        assert stream.response.finish_reason == "stop"
        assert proxy.cuts
        assert client.tasks.get(stream.task_id or "").status == "completed"


def test_leaving_stops_the_generation_at_once(server: ServerProcess) -> None:
    """Though the platform would wait for a reader who has only lost the connection."""
    with nexusai.NexusAIClient(server.key, server.url) as client:
        with client.text.stream("hi", fake={"tokens": 1000, "delay": 0.05}) as stream:
            next(stream.text_deltas)
        assert client.tasks.get(stream.task_id or "").status == "cancelled"


def test_a_connection_that_breaks_before_the_first_piece(upstream: FakeUpstream, tmp_path: Path) -> None:
    """The stream is asked for again, and comes whole."""
    before = len(upstream.chats())

    def budget() -> int:
        chats = upstream.wait_for_chats(before + 1)
        return 0 if len(chats) == before + 1 and not proxy.cuts else 1_000_000

    with ServerProcess(
        tmp_path / "data", upstream.base_url, heartbeat=60, stream_grace=60
    ) as server, CuttingProxy(server.url, budget) as proxy, nexusai.NexusAIClient(
        server.key, proxy.url
    ) as client:
        stream = client.text.stream("hi", fake={"tokens": 3, "silent": 1.0})
        assert stream.read().text == "w0 w1 w2 "
        assert proxy.cuts == 1
