"""`nexusai models` and `nexusai serve`, as they are typed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import typer
from server.hub import Answer, Hub, running_hub
from server.local_models import SMOLLM, link_model, smollm
from typer.testing import CliRunner, Result

from nexus_server.cli import models_app, serve
from nexus_server.models.catalogue import catalogue

MAIN = """
import typer
from nexus_server.cli import models_app, serve
from nexus_server.models.catalogue import catalogue
app = typer.Typer()
app.add_typer(models_app)
app.command("serve")(serve)
app()
"""


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXUS_SERVER_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("NEXUS_SERVER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "models"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as hub:
        origin = SMOLLM.sources[0]
        path = f"/{origin.repo}/resolve/{origin.revision}/{origin.path}"  # type: ignore[union-attr]
        hub.files[path] = smollm().read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def run(*arguments: str) -> Result:
    """The command, in a terminal that is wide enough."""
    app = typer.Typer()
    app.add_typer(models_app)
    app.command("serve")(serve)
    result = CliRunner(env={"COLUMNS": "160", "TERM": "dumb"}).invoke(app, list(arguments))
    assert "Traceback" not in result.output
    return result


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; again, when nothing happens: a signal that comes just before a thread begins to
    wait for the network is noticed only when that wait is over. Returns what was printed."""
    while True:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=3)[1]


def test_list_shows_what_there_is(models_dir: Path) -> None:
    link_model(models_dir)
    link_model(models_dir, "mine.gguf")
    result = run("models", "list")
    assert result.exit_code == 0
    rows = [line.split("│")[1:-1] for line in result.stdout.splitlines() if line.startswith("│")]
    found = {row[0].strip(): row[-1].strip() for row in rows}
    assert found["qwen2.5-coder-1.5b"] == "no"
    assert found["smollm2-135m"] == found["mine"] == "yes"
    assert "1.1 GB" in result.stdout
    assert "98 MB" in result.stdout
    assert str(models_dir) in result.stdout


def test_list_for_programs(models_dir: Path) -> None:
    link_model(models_dir, "mine.gguf")
    rows = {row["id"]: row for row in json.loads(run("models", "list", "--json").stdout)}
    assert list(rows) == [*(model.id for model in catalogue()), "mine"]
    assert rows["qwen2.5-coder-1.5b"]["languages"] == ["en", "zh"]
    assert [name for name, row in rows.items() if row["recommended"]] == ["qwen2.5-coder-1.5b"]
    assert [name for name, row in rows.items() if row["installed"]] == ["mine"]
    assert rows["mine"]["path"] == str(models_dir / "mine.gguf")


def test_list_warns_of_a_wrong_file(models_dir: Path) -> None:
    models_dir.mkdir()
    (models_dir / SMOLLM.file).write_bytes(b"no")
    result = run("models", "list")
    assert result.exit_code == 0
    assert f"expected {SMOLLM.size} bytes, found 2 bytes" in result.stderr


def test_pull_and_rm(models_dir: Path, hub: Hub) -> None:
    result = run("models", "pull", "smollm2-135m", "--source", "hub")
    assert result.exit_code == 0
    assert "Fetching smollm2-135m from 127.0.0.1." in result.stderr
    assert "smollm2-135m is installed" in result.stderr
    assert (models_dir / SMOLLM.file).stat().st_size == SMOLLM.size

    again = run("models", "pull", "smollm2-135m", "--json")
    assert again.exit_code == 0
    assert "installed already" in again.stderr
    assert json.loads(again.stdout) == [
        {"id": "smollm2-135m", "path": str(models_dir / SMOLLM.file), "fetched": False}
    ]
    assert len(hub.ranges) == 1

    removed = run("models", "rm", "smollm2-135m")
    assert removed.stdout == "Removed smollm2-135m: 98 MB freed.\n"
    assert not (models_dir / SMOLLM.file).exists()


def test_rm_for_programs(models_dir: Path) -> None:
    models_dir.mkdir()
    (models_dir / "mine.gguf").write_bytes(b"GGUF")
    result = run("models", "rm", "mine", "--json")
    assert json.loads(result.stdout) == {"id": "mine", "freed_bytes": 4}


def test_the_directory_can_be_given(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    result = run("models", "pull", "smollm2-135m", "--models-dir", str(folder))
    assert result.exit_code == 0
    assert (folder / SMOLLM.file).exists()


def test_a_pull_that_fails(models_dir: Path, hub: Hub) -> None:
    hub.script = [Answer(status=404)]
    result = run("models", "pull", "smollm2-135m", "--source", "hub")
    assert result.exit_code == 1
    assert "HTTP 404" in result.stderr


@pytest.mark.parametrize("arguments", [("pull", "gpt"), ("rm", "gpt")])
def test_a_model_that_does_not_exist(models_dir: Path, arguments: tuple[str, str]) -> None:
    result = run("models", *arguments)
    assert result.exit_code == 2
    assert "'gpt'" in result.stderr


def test_an_interrupted_pull_says_how_to_go_on(models_dir: Path, hub: Hub) -> None:
    hub.script = [Answer(hold_after=10_000_000), Answer()]
    partial = models_dir / f"{SMOLLM.file}.partial"
    with start("models", "pull", "smollm2-135m") as process:
        # All but what is still in a buffer: it waits for more now.
        while not partial.exists() or partial.stat().st_size < 9_980_000:
            assert process.poll() is None
            time.sleep(0.01)
        stderr = interrupt(process)
    assert process.returncode == 130, stderr
    assert "Stopped. `nexusai models pull smollm2-135m` goes on from here." in stderr
    assert "Traceback" not in stderr
    assert run("models", "pull", "smollm2-135m").exit_code == 0
    assert str(hub.ranges[1]).startswith("bytes=")


def test_a_setting_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER_PORT", "many")
    result = run("models", "list")
    assert result.exit_code == 2
    assert "The settings cannot be used: port: Input should be a valid integer" in result.stderr


def test_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER_UPSTREAMS", "{not json")
    result = run("serve")
    assert result.exit_code == 2
    assert "The settings cannot be read" in result.stderr


def test_serve_until_it_is_stopped(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_SERVER_LOCAL", "false")
    with start("serve", "--port", "0") as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://" in line)
        url = next(word for word in line.split() if word.startswith("http://"))
        health = httpx.URL(url).copy_with(path="/health")
        assert httpx.get(health, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, 130, -signal.SIGINT}
    assert os.path.isdir(os.environ["NEXUS_SERVER_DATA_DIR"])


def test_serve_on_a_port_that_is_taken(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "Cannot listen on 127.0.0.1" in result.stderr
