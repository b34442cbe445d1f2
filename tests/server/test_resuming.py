"""The SDK's streams from the real platform, over connections that break at random bytes."""

from __future__ import annotations

import random

import pytest
from faults.random_runs import RUNS, SEED, hint
from server.process import ServerProcess
from server.proxy import CuttingProxy

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
