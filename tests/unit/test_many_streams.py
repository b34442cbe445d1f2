"""Very many streams at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from faults.random_runs import RUNS
from untraced import untraced

PROGRAM = str(Path(__file__).resolve().parents[1] / "faults" / "many_streams.py")
STREAMS, PER_SECOND, PAUSE = (300, 100, 0.25) if RUNS == 1 else (10_000, 300, 2)
MOST_BYTES = 100 * 1024
PATIENCE = 600


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells")
def test_all_are_whole_and_none_is_mixed_up() -> None:
    """Each is read to its end, in little memory, and none has to wait for the others."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, "serve", str(PAUSE)], env=untraced(), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        read = [sys.executable, PROGRAM, "read", port, str(STREAMS), str(PER_SECOND)]
        try:
            done = subprocess.run(
                read, env=untraced(), capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    print(facts)  # noqa: T201
    assert facts["wrong"] == {}
    assert facts["open at once"] == STREAMS
    assert facts["bytes each"] <= MOST_BYTES
    assert facts["slowest over median"] <= 3
