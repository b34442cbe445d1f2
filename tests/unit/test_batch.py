"""Batches on executors, and batches that are killed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from faults.server import Connection, FaultServer, completed, reply

import nexusai

CALLS = [("text.generate", {"prompt": str(number)}) for number in range(6)]
SCRIPT = """
import sys, nexusai
client = nexusai.NexusAIClient("nxs_k", sys.argv[1])
calls = [("text.generate", {"prompt": str(number)}) for number in range(6)]
items = client.batch.run(calls, concurrency=1, checkpoint=sys.argv[2])
print([item.result.text for item in items])
"""


def test_a_batch_in_other_processes(faults: FaultServer) -> None:
    """Any executor carries it; what comes back can be used here."""
    output = {"image_url": "/api/v1/files/f/content"}
    done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
    faults.plays(*[reply(200, done)] * 3)
    calls = [("images.generate", {"prompt": str(number)}) for number in range(3)]
    with nexusai.NexusAIClient("nxs_k", faults.base_url) as client:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            items = client.batch.run(calls, executor=pool)
        assert [item.error for item in items] == [None] * 3
        faults.plays(reply(200, raw=b"PNG"))
        assert items[0].result.read() == b"PNG"
        assert pickle.loads(pickle.dumps(items[0].result)).image_url == output["image_url"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_batch_that_is_killed(faults: FaultServer, tmp_path: Path) -> None:
    """Run again, it goes on from what it had done."""
    kept = tmp_path / "batch.jsonl"
    command = [sys.executable, "-c", SCRIPT, faults.base_url, str(kept)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})

    def kill(connection: Connection) -> None:
        process.kill()
        process.wait()
        connection.close()

    faults.plays(*[reply(200, completed(str(number))) for number in range(3)], kill)
    assert process.wait(30) == -signal.SIGKILL
    before = len(faults.requests)
    assert before == 4
    faults.plays(*[reply(200, completed(str(number))) for number in range(3, 6)])
    again = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert again.stdout.strip() == str([str(number) for number in range(6)])
    assert len(faults.requests) - before == 3
