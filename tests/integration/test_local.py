"""`NexusAIClient.local()`: find a platform, or start one, and leave nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from server.local_models import is_alive, link_model
from server.process import ServerProcess

import nexusai


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one; the model lies ready."""
    link_model(tmp_path / "models")
    monkeypatch.setenv("NEXUS_SERVER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("NEXUS_SERVER_THREADS", "1")
    return tmp_path / "data"


def server_of(data_dir: Path) -> int:
    return int(json.loads((data_dir / "server.json").read_text())["pid"])


def test_started_found_and_stopped(data_dir: Path) -> None:
    """Who has started it stops it; who has found it leaves it running."""
    with nexusai.NexusAIClient.local(data_dir) as first:
        pid = server_of(data_dir)
        assert "hello" in first.text.generate("Say hello.", temperature=0, max_tokens=12).text.lower()
        with nexusai.NexusAIClient.local(data_dir) as second:
            assert second._internal_client.base_url == first._internal_client.base_url
            assert second.models.list()
        assert is_alive(pid)
        assert stat.S_IMODE((data_dir / "api_key").stat().st_mode) == 0o600
    assert not is_alive(pid)
    assert not (data_dir / "server.json").exists()


def test_awaited(data_dir: Path) -> None:
    """The same twin."""

    async def main() -> None:
        async with await nexusai.AsyncNexusAIClient.local(data_dir) as client:
            assert "smollm2-135m" in [model.id for model in await client.models.list()]

    asyncio.run(main())
    assert not (data_dir / "server.json").exists()


def test_the_data_stay(data_dir: Path) -> None:
    """A second start finds the same key and the same tasks."""
    with nexusai.NexusAIClient.local(data_dir) as client:
        task_id = client.text.generate_async("hi", max_tokens=1).task_id
    with nexusai.NexusAIClient.local(data_dir) as client:
        assert client.tasks.wait(task_id).output is not None


def test_the_notice_of_a_dead_server_is_no_server(data_dir: Path) -> None:
    """After a crash a new one is started."""
    first = nexusai.NexusAIClient.local(data_dir)
    os.kill(server_of(data_dir), signal.SIGKILL)
    assert first._platform is not None
    first._platform.stop()
    assert (data_dir / "server.json").exists()
    with nexusai.NexusAIClient.local(data_dir) as second:
        assert second.models.list()


def test_it_ends_with_the_program_that_started_it(data_dir: Path) -> None:
    """Also when that is killed, and has no chance to say so."""
    code = (
        "import nexusai, time\n"
        f"client = nexusai.NexusAIClient.local({str(data_dir)!r})\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"up\n"
    pid = server_of(data_dir)
    program.kill()
    program.wait()
    program.stdout.close()
    deadline = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < deadline
        os.sched_yield()


def test_what_keeps_it_from_starting_is_told(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the platform's own sentence."""
    monkeypatch.setenv("NEXUS_SERVER_CONTEXT_LENGTH", "many")
    with pytest.raises(nexusai.NetworkError, match="context_length"):
        nexusai.NexusAIClient.local(data_dir)


def serve(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nexusai", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_port_that_is_taken(data_dir: Path) -> None:
    """One sentence, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--port", str(port), "--data-dir", str(data_dir))
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_directory_in_use(platform: ServerProcess) -> None:
    """It names the directory and who uses it."""
    done = serve("--port", "0", "--data-dir", str(platform.data_dir))
    assert done.returncode == 2
    assert str(platform.popen.pid) in done.stderr
    assert "Traceback" not in done.stderr
