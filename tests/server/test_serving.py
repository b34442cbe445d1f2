"""`python -m nexus_server`: starting, saying so, stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server.process import ServerProcess, text
from server.upstream import FakeUpstream


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a server that cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "nexus_server", *arguments],
        env={**os.environ, "NEXUS_SERVER_LOCAL": "false", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_one_sentence(outcome: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ends with status 2, and says why in one line."""
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    assert outcome.stderr.count("\n") == 1, outcome.stderr
    assert outcome.stderr.startswith("nexus_server: ")
    for word in words:
        assert word in outcome.stderr


def test_announcing(server: ServerProcess) -> None:
    """One line of JSON for programs, one of text for people, and a file for those who look."""
    assert server.announced.keys() == {"url", "pid", "api_key_file"}
    assert server.announced["pid"] == server.popen.pid
    assert server.announced["api_key_file"] == str(server.data_dir / "api_key")
    assert server.url.startswith("http://127.0.0.1:")
    said = server.stderr()
    assert said.count("\n") == 1
    for fact in (server.url, str(server.data_dir)):
        assert fact in said
    assert server.key not in said
    file = json.loads((server.data_dir / "server.json").read_text())
    assert file == {"url": server.url, "pid": server.popen.pid}


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """The sentence names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = start("--port", port, "--data-dir", str(tmp_path / "data"))
    assert_one_sentence(outcome, port, "in use")


def test_a_host_that_is_none(tmp_path: Path) -> None:
    """The sentence names it."""
    outcome = start("--host", "no.such.host.invalid", "--data-dir", str(tmp_path / "data"))
    assert_one_sentence(outcome, "no.such.host.invalid")


def test_a_data_directory_in_use(server: ServerProcess) -> None:
    """The sentence names the directory and the process."""
    outcome = start("--port", "0", "--data-dir", str(server.data_dir))
    assert_one_sentence(outcome, str(server.data_dir), str(server.popen.pid))
    assert server.client.get("/models").status_code == 200


@pytest.mark.parametrize("name", ["file", "file/data"])
def test_a_data_directory_that_cannot_be(tmp_path: Path, name: str) -> None:
    """The sentence names the directory."""
    (tmp_path / "file").touch()
    outcome = start("--port", "0", "--data-dir", str(tmp_path / name))
    assert_one_sentence(outcome, str(tmp_path / name))


def test_a_key_file_that_holds_none(tmp_path: Path) -> None:
    """It is not overwritten."""
    (tmp_path / "api_key").write_text("my old key")
    outcome = start("--port", "0", "--data-dir", str(tmp_path))
    assert_one_sentence(outcome, str(tmp_path / "api_key"))
    assert (tmp_path / "api_key").read_text() == "my old key"


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--port", "70000"], {}, ["port"]),
        ([], {"NEXUS_SERVER_SLOTS": "many"}, ["slots"]),
        ([], {"NEXUS_SERVER_UPSTREAMS": "[{"}, ["upstreams"]),
        ([], {"NEXUS_SERVER_UPSTREAMS": '[{"name": "x"}]'}, ["upstreams.0.base_url"]),
        ([], {"NEXUS_SERVER_LOG_LEVEL": "loud"}, ["log_level"]),
    ],
)
def test_bad_settings(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], words: list[str]
) -> None:
    """The sentence names the setting."""
    outcome = start("--data-dir", str(tmp_path), *arguments, **environment)
    assert_one_sentence(outcome, *words)


def test_a_bad_settings_file(tmp_path: Path) -> None:
    """The sentence says that the settings cannot be read, and no value of theirs."""
    (tmp_path / "config.toml").write_text('[[upstreams]]\napi_key = "sk-canary')
    outcome = start("--data-dir", str(tmp_path))
    assert_one_sentence(outcome, "settings")
    assert "sk-canary" not in outcome.stderr


def test_settings_from_the_file(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Upstreams are configured in the data directory; two may be used at once."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "config.toml").write_text(
        f"""
        default_provider = "second"
        [[upstreams]]
        name = "first"
        base_url = "{upstream.base_url}"
        [[upstreams]]
        name = "second"
        base_url = "{upstream.base_url}"
        api_key = "sk-canary"
        models = {{ mine = "theirs" }}
        """
    )
    with ServerProcess(directory) as server:
        offered = server.client.get("/models").json()["data"]
        assert [(model["owned_by"], model["id"], model["default_for"]) for model in offered] == [
            ("first", "fake-small", []),
            ("first", "fake-large", []),
            ("second", "mine", ["text_generation"]),
        ]
        assert server.invoke(text()).json()["output"]["model"] == "mine"
        sent = upstream.chats()[-1]
        assert sent.body["model"] == "theirs"
        assert sent.headers["authorization"] == "Bearer sk-canary"
        assert server.invoke(text(provider="first")).json()["output"]["model"] == "fake-small"
        server.stop()
        assert "sk-canary" not in server.stderr()


def test_without_any_model(tmp_path: Path) -> None:
    """The server starts, and says how to get one."""
    with ServerProcess(tmp_path / "data") as server:
        assert server.client.get("/models").json() == {"object": "list", "data": []}
        for stream in (False, True):
            answer = server.invoke(text(stream=stream))
            assert answer.status_code == 503
            assert "nexusai models pull" in answer.json()["detail"]


def test_an_upstream_that_comes_later(tmp_path: Path) -> None:
    """A provider that is not there at start delays nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with ServerProcess(tmp_path / "data", f"http://127.0.0.1:{port}/v1") as server:
        assert server.client.get("/models").json()["data"] == []
        with FakeUpstream(port):
            deadline = time.monotonic() + 15
            while not server.client.get("/models").json()["data"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_stopping_with_streams_open(upstream: FakeUpstream, tmp_path: Path) -> None:
    """They get an error event when the grace is over, and the process ends in time."""
    grace = 3
    with ServerProcess(tmp_path / "data", upstream.base_url, shutdown_grace=grace) as server:
        task_id = server.submit(text(fake={"tokens": 2, "delay": 30}))

        def read(_: int) -> str:
            body = text(stream=True, fake={"tokens": 1000, "delay": 0.1})
            return server.invoke(body).text

        with ThreadPoolExecutor(6) as pool:
            before = len(upstream.chats())
            readers = [pool.submit(read, number) for number in range(5)]
            polled = pool.submit(server.client.get, f"/tasks/{task_id}", headers={"Prefer": "wait=60"})
            upstream.wait_for_chats(before + 5)
            began = time.monotonic()
            server.popen.send_signal(signal.SIGTERM)
            assert polled.result().status_code == 202
            assert time.monotonic() - began < grace
            endings = [reader.result().split("\n\n")[-2] for reader in readers]
            assert server.popen.wait(20) == 0
        assert time.monotonic() - began < 25  # the task and the streams would take longer
        for ending in endings:
            assert json.loads(ending.removeprefix("data: "))["error"]["code"] == "SERVER_SHUTDOWN"
        assert not (server.data_dir / "server.json").exists()
        server.stop()
        server.start()
        failed = server.client.get("/tasks?status=failed").json()["tasks"]
        assert [task["error"]["code"] for task in failed] == ["SERVER_SHUTDOWN"] * 5


def test_stopping_while_idle(tmp_path: Path) -> None:
    """Nothing to wait for, nothing waited for, keep-alive or not."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with ServerProcess(tmp_path / "data") as server:
            server.client.get("/models")
            assert server.stop(number) < 20
            assert server.popen.returncode == 0
            assert "Traceback" not in server.stderr()


def test_a_second_signal(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Whoever asks twice does not want to wait for the grace."""
    with ServerProcess(tmp_path / "data", upstream.base_url, shutdown_grace=30) as server:
        before = len(upstream.chats())
        server.submit(text(fake={"tokens": 2, "delay": 30}))
        upstream.wait_for_chats(before + 1)
        server.popen.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.popen.wait(1)
        assert server.stop() < 15


def test_exit_with_parent(tmp_path: Path) -> None:
    """A server whose parent is gone does not stay."""
    with ServerProcess(tmp_path / "data") as server:
        assert server.popen.stdin is not None
        server.popen.stdin.close()
        assert server.popen.wait(20) == 0
