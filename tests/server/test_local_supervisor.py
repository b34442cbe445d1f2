"""Keeping a model's process running: real processes, a real model."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from server.local_models import children, is_alive, smollm

from nexus_server.errors import Unavailable
from nexus_server.providers.local import child as child_module
from nexus_server.providers.local.child import ChildConfig
from nexus_server.providers.local.supervisor import Backoff, Child, ModelProcess

pytestmark = pytest.mark.anyio

QUICK = Backoff(first=0.05, longest=0.2, healthy=60.0)
Make = Callable[..., ModelProcess]


def config(path: Path | None = None) -> ChildConfig:
    return ChildConfig(str(path or smollm()), 512, 1, 1, "")


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Builds model processes, and closes them all."""
    made: list[ModelProcess] = []

    def build(
        path: Path | None = None, *, start_timeout: float = 60.0, backoff: Backoff = QUICK
    ) -> ModelProcess:
        process = ModelProcess("m", config(path), start_timeout=start_timeout, backoff=backoff)
        made.append(process)
        return process

    yield build
    await asyncio.gather(*(process.close() for process in made))
    assert children() == set()


async def ask(child: Child, key: str | None = None) -> httpx.Response:
    """One token, past everything of ours."""
    async with httpx.AsyncClient(base_url=child.endpoint.base_url, trust_env=False) as client:
        return await client.post(
            "/chat/completions",
            json={"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1},
            headers={"Authorization": f"Bearer {key or child.endpoint.api_key}"},
            timeout=30,
        )


async def failure(ready: Awaitable[Child]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await ready
    return caught.value


async def test_a_child_answers_who_has_its_key(make: Make) -> None:
    child = await make().ready()
    assert (await ask(child)).status_code == 200
    assert (await ask(child, "wrong")).status_code == 401
    assert await child.answers()


async def test_all_who_wait_get_the_same_child(make: Make) -> None:
    process = make()
    first, second = await asyncio.gather(process.ready(), process.ready())
    assert first is second is await process.ready()


async def test_who_stops_waiting_does_not_stop_the_loading(make: Make) -> None:
    process = make()
    impatient = asyncio.ensure_future(process.ready())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await process.ready()).running


async def test_a_killed_child_is_started_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    process = make()
    first = await process.ready()
    os.kill(first.pid, signal.SIGKILL)
    assert await first.ends_within(5)
    second = await process.ready()
    assert second.pid != first.pid
    assert second.endpoint.api_key != first.endpoint.api_key
    assert (await ask(second)).status_code == 200
    assert "was ended by SIGKILL" in caplog.text


async def test_a_child_that_ends_by_itself_is_started_again(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    process = make(backoff=Backoff(first=0.01, longest=1.0, healthy=0.0))
    first = await process.ready()
    await first.stop()
    assert (await process.ready()).pid != first.pid
    assert "ended with 0" in caplog.text


async def test_a_hanging_child_is_replaced(make: Make) -> None:
    process = make()
    first = await process.ready()
    os.kill(first.pid, signal.SIGSTOP)
    await process.examine(first)
    assert not first.running
    assert (await ask(await process.ready())).status_code == 200


async def test_a_healthy_child_is_left_alone(make: Make) -> None:
    process = make()
    child = await process.ready()
    await process.examine(child)
    assert await process.ready() is child


async def test_what_is_no_gguf_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"<html>")
    error = await failure(make(tmp_path / "bad.gguf").ready())
    assert "it begins with b'<htm', expected b'GGUF'" in error.detail


async def test_a_truncated_gguf_is_refused(make: Make, tmp_path: Path) -> None:
    with smollm().open("rb") as file:
        (tmp_path / "cut.gguf").write_bytes(file.read(20_000_000))
    error = await failure(make(tmp_path / "cut.gguf").ready())
    assert "corrupted or incomplete" in error.detail


async def test_a_missing_file_is_named(make: Make, tmp_path: Path) -> None:
    error = await failure(make(tmp_path / "missing.gguf").ready())
    assert "No such file" in error.detail


async def test_a_failed_start_is_not_tried_again_too_soon(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "late.gguf"
    process = make(path, backoff=Backoff(first=0.5, longest=0.5, healthy=60.0))
    first = await failure(process.ready())
    path.symlink_to(smollm())
    second = await failure(process.ready())
    assert first.detail == second.detail
    assert second.retry_after is not None
    assert 0 < second.retry_after <= 0.5
    await asyncio.sleep(second.retry_after + 0.05)  # what a caller would do
    assert (await process.ready()).running


async def test_a_start_that_takes_too_long_is_ended(make: Make) -> None:
    error = await failure(make(start_timeout=0.05).ready())
    assert "did not load within 0.05 seconds" in error.detail
    assert children() == set()


async def test_a_child_that_dies_while_loading(make: Make) -> None:
    process = make()
    waiting = asyncio.ensure_future(process.ready())
    while not (pids := children()):
        await asyncio.sleep(0.001)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    error = await failure(waiting)
    assert "was ended by SIGKILL while loading" in error.detail


async def test_closing_leaves_no_process_and_nobody_waiting(make: Make) -> None:
    loading, loaded, idle = make(), make(), make()
    child = await loaded.ready()
    waiting = asyncio.ensure_future(loading.ready())
    await asyncio.sleep(0)
    await asyncio.gather(loading.close(), loaded.close(), idle.close())
    assert "it was stopped" in (await failure(waiting)).detail
    assert not is_alive(child.pid)
    assert children() == set()
    for process in (loading, loaded, idle):
        assert "stopped" in (await failure(process.ready())).detail


async def test_a_child_that_does_not_end_is_ended(make: Make) -> None:
    process = make()
    child = await process.ready()
    os.kill(child.pid, signal.SIGSTOP)
    await process.close()
    assert not is_alive(child.pid)


async def test_no_secret_reaches_a_child_or_the_log(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-1")
    monkeypatch.setenv("NEXUS_API_KEY", "canary-2")
    caplog.set_level(logging.DEBUG, logger="nexus_server")
    process = make()
    child = await process.ready()
    environment = Path(f"/proc/{child.pid}/environ").read_bytes()
    command = Path(f"/proc/{child.pid}/cmdline").read_bytes()
    await process.close()
    assert b"canary" not in environment
    key = child.endpoint.api_key
    assert key.encode() not in environment + command
    assert key not in caplog.text
    assert key not in repr(config())


PARENT = """
import asyncio, sys
from nexus_server.providers.local.child import ChildConfig
from nexus_server.providers.local.supervisor import Child
async def main():
    child = await Child.start(ChildConfig(sys.argv[1], 512, 1, 1, ""), 60)
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""


async def test_a_child_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(smollm())], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    async with asyncio.timeout(5):
        while is_alive(pid):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("command", [["-m", child_module.__name__], [child_module.__file__]])
async def test_the_child_by_hand(command: list[str]) -> None:
    line = ChildConfig(str(smollm()), 512, 1, 1, "secret").to_line()
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert answer["address"].startswith("http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(10) == 0


def test_pauses_grow_up_to_a_limit() -> None:
    backoff = Backoff()
    assert [backoff.delay(n) for n in (1, 2, 3, 7, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0]
