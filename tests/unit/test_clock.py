"""The computer's clock jumps, and nobody waits longer or less for it."""

from __future__ import annotations

import random
import time

import pytest
from faults.random_runs import SEED, hint
from faults.server import DONE, FaultServer, completed, delta, hang, reply, stream

import nexusai
from nexusai import error as errors

DAY = 86_400.0


@pytest.mark.parametrize("jumps", ["forward", "back", "anywhere", "frozen"])
def test_a_clock_that_jumps(faults: FaultServer, monkeypatch: pytest.MonkeyPatch, jumps: str) -> None:
    """By a day at each look: retries, polls, streams and limits take as long as they take."""
    dice = random.Random(SEED)
    real, looks = time.time, [time.time()]

    def jumping() -> float:
        looks.append(real())
        if jumps == "frozen":
            return looks[0]
        sign = {"forward": 1, "back": -1}.get(jumps) or dice.choice([-1, 1])
        return real() + sign * DAY * len(looks)

    monkeypatch.setattr(time, "time", jumping)
    running = reply(200, {"task_id": "task_1", "status": "running"})
    began = time.monotonic()
    with nexusai.NexusAIClient("k", faults.base_url, timeout=20, max_retries=2) as client:
        faults.plays(reply(503, {"detail": "busy"}), reply(200, completed()))
        assert client.text.generate("hi").text == "hello"
        faults.plays(running, running, running, reply(200, completed()))
        assert client.tasks.wait("task_1").output is not None
        faults.plays(stream(delta("a"), delta("b"), DONE))
        assert client.text.stream("hi").read().text == "ab"
        assert time.monotonic() - began < 15, hint(SEED)
        faults.plays(hang())
        with pytest.raises(errors.APITimeoutError):
            client.with_options(timeout=0.5, max_retries=0).text.generate("hi")
        faults.plays(*[running] * 50)
        with pytest.raises(errors.TaskTimeoutError):
            client.tasks.wait("task_1", timeout=0.5)
    assert 1.0 <= time.monotonic() - began < 30, hint(SEED)
