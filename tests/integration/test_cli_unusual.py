"""The commands of `nexusai` where names, settings or the terminal are unusual, on a server we script."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from faults.server import DONE, FaultServer, completed, delta, reply, stream

KEY = "nxs_canary_51c0ffee"
COMMAND = [sys.executable, "-W", "error", "-m", "nexusai"]


def environment(faults: FaultServer, **more: str) -> dict[str, str]:
    named = {"NEXUS_API_KEY": KEY, "NEXUS_BASE_URL": faults.base_url, "NEXUS_LANG": "en", "COLUMNS": "200"}
    return {**os.environ, **named, **more}


def run(
    faults: FaultServer, *words: str, code: int = 0, encoding: str = "utf-8", **more: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=encoding,
        check=False,
        timeout=120,
        env=environment(faults, **more),
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    assert KEY not in done.stdout + done.stderr
    return done


LIKE_MARKUP = ["[/x] q", "[red]hi[/red] [draft]", "a :smile: b"]


def test_names_that_look_like_markup(faults: FaultServer) -> None:
    """They are shown as they are, in tables as well as in sentences."""
    bases = [{"kb_id": "kb_1", "name": name} for name in LIKE_MARKUP]
    sessions = [{"session_id": "sess_1", "name": name} for name in LIKE_MARKUP]
    faults.plays(
        reply(200, {"knowledge_bases": bases}),
        reply(200, {"sessions": sessions}),
        reply(200, {"documents": []}),
    )
    for words in (["kb", "list"], ["sessions", "list"]):
        shown = run(faults, *words).stdout
        assert not [name for name in LIKE_MARKUP if name not in shown], shown
    assert "nexusai kb add [/x] FILE" in run(faults, "kb", "documents", "[/x]").stderr


def test_ids_that_look_like_markup(faults: FaultServer) -> None:
    """Beside a bar, too."""
    faults.plays(reply(200, completed(task_id="[/x]")), reply(404, {"detail": "Not found."}))
    assert "[/x]" in run(faults, "tasks", "watch", "[/x]").stdout
    run(faults, "files", "download", "[/x]", code=2)


@pytest.mark.parametrize(
    ("settings", "what", "told"),
    [
        ({"NEXUS_BASE_URL": "foo"}, "Address", "NEXUS_BASE_URL"),
        ({"NEXUS_BASE_URL": "foo", "NEXUS_API_KEY": ""}, "Address", "NEXUS_BASE_URL"),
        ({"NEXUS_API_KEY": "a b"}, "API key", "a space"),
        ({"NEXUS_TIMEOUT": "soon"}, "Address", "NEXUS_TIMEOUT"),
        ({"SSL_CERT_FILE": os.devnull}, "Address", "SSL_CERT_FILE"),
    ],
)
def test_the_doctor_looks_on(faults: FaultServer, settings: dict[str, str], what: str, told: str) -> None:
    """A setting that nothing can be done with is one thing to mend among others."""
    faults.chooses = lambda _: reply(200, {"data": []})
    if "SSL_CERT_FILE" in settings:
        settings = {**settings, "NEXUS_BASE_URL": faults.base_url.replace("http:", "https:")}
    done = run(faults, "doctor", "--json", code=1, **settings)
    found = {row["what"]: row for row in json.loads(done.stdout)}
    assert found["Versions"]["state"] == "ok"
    assert found[what]["state"] == "wrong"
    assert told in found[what]["found"]


ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}


@pytest.mark.parametrize(
    ("encoding", "settings"),
    [("utf-8", ASCII), ("utf-8", {"PYTHONIOENCODING": "cp1252"}), ("gbk", {"PYTHONIOENCODING": "gbk"})],
)
def test_a_terminal_that_knows_no_chinese(
    faults: FaultServer, encoding: str, settings: dict[str, str]
) -> None:
    """It gets UTF-8; one that does keeps its encoding."""
    shown = run(faults, "--help", encoding=encoding, NEXUS_LANG="zh", **settings)
    assert "命令行工具" in shown.stdout
    faults.plays(reply(200, {"sessions": [{"session_id": "sess_1", "name": "猫 🐈"}]}))
    assert "猫" in run(faults, "sessions", "list", encoding=encoding, **settings).stdout


def test_a_task_that_takes_longer_than_it_may(faults: FaultServer) -> None:
    """The platform can be reached: the exit code does not say otherwise."""
    faults.chooses = lambda _: reply(200, {**completed(), "status": "running", "output": None})
    assert "task_1" in run(faults, "tasks", "watch", "task_1", "--timeout", "0.2", code=1).stderr


def run_in_a_terminal(faults: FaultServer, *words: str) -> str:
    """What the terminal gets, byte for byte."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment(faults, TERM="xterm", NO_COLOR="1"),
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # that is how its end is told
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    process.wait(60)
    return shown.decode("utf-8")


STEERING = "a\x1b]0;title\x07b\x1b[31mc\x9b31md\x7f\tend"
STEERED = re.compile(r"\x1b\]|\x1b\[31m|[\x07\x7f-\x9f]")


def test_what_is_shown_does_not_steer_the_terminal(faults: FaultServer) -> None:
    """Neither an answer, nor a passage, a name or an error."""
    passage = {"content": STEERING, "similarity_score": 0.9, "doc_id": "d", "kb_id": "kb_1", "chunk_id": "c"}
    running = {**completed(task_id=STEERING), "status": STEERING, "output": None}
    shown = {
        ("text", "hi"): [stream(delta(STEERING), DONE)],
        ("text", "hi", "--json"): [reply(200, completed(STEERING))],
        ("kb", "search", "kb_1", "hi"): [reply(200, {"results": [passage]})],
        ("sessions", "list"): [reply(200, {"sessions": [{"session_id": "s", "name": STEERING}]})],
        ("tasks", "show", "task_1"): [reply(400, {"detail": STEERING})],
        ("tasks", "watch", "task_1"): [reply(200, running), reply(200, completed(STEERING))],
        ("kb", "create", "x"): [reply(201, {"kb_id": STEERING})],
    }
    for words, acts in shown.items():
        faults.plays(*acts)
        told = run_in_a_terminal(faults, *words)
        assert "title" in told, words
        assert not STEERED.findall(told), (words, told)


def test_what_is_piped_stays_as_it_is(faults: FaultServer) -> None:
    """To the last tab."""
    answer = f"{STEERING} :smile: [b]\n\tall:  \r\n"
    faults.plays(stream(delta(answer[:5]), delta(answer[5:]), DONE))
    with subprocess.Popen(
        [*COMMAND, "text", "hi"], env=environment(faults), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read().decode() == f"{answer}\n"


def test_a_reader_that_leaves(faults: FaultServer) -> None:
    """Such as `head`: the answer ends without a word."""
    faults.plays(stream(delta("first"), *[delta("x" * 10_000)] * 50, DONE))
    ours, theirs = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "text", "hi"], env=environment(faults), stdout=theirs, stderr=subprocess.PIPE
    ) as process:
        os.close(theirs)
        assert os.read(ours, 5) == b"first"
        os.close(ours)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_doctor_tells_the_directories(
    faults: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that `config.toml` names; where it cannot be read, that is told, and no secret in it."""
    monkeypatch.delenv("NEXUS_SERVER_MODELS_DIR", raising=False)
    (tmp_path / "config.toml").write_text(f'models_dir = "{tmp_path}/elsewhere/models"')
    faults.chooses = lambda _: reply(200, {"data": []})
    mine = {"NEXUS_SERVER_DATA_DIR": str(tmp_path)}
    done = run(faults, "doctor", **mine)
    assert f"Data directory: {tmp_path}, " in done.stdout
    assert f"Models directory: {tmp_path}/elsewhere/models, " in done.stdout
    (tmp_path / "config.toml").write_text('upstreams = "sk-canary"')
    wrong = run(faults, "doctor", code=1, **mine)
    assert "upstreams" in wrong.stdout
    assert "sk-canary" not in wrong.stdout


OFFERED = [
    {
        "id": "big-[1]",
        "owned_by": "far",
        "task_types": ["text_generation"],
        "default_for": ["text_generation"],
    },
    {"id": "eyes", "owned_by": "near", "task_types": ["image_generation"], "default_for": []},
]
WITHOUT_THE_PLATFORM = "import sys; sys.modules['dbos'] = None; from nexusai.cli import main; main()"


def test_models_of_a_platform_elsewhere(faults: FaultServer, tmp_path: Path) -> None:
    """They are what can be asked for there; those of this machine are shown when they are asked for."""
    elsewhere = {
        "NEXUS_BASE_URL": "http://models.example/api/v1",
        "HTTP_PROXY": faults.base_url.removesuffix("/api/v1"),
        "NEXUS_SERVER_MODELS_DIR": str(tmp_path),
    }
    faults.plays(reply(200, {"data": OFFERED}), reply(200, {"data": OFFERED}), reply(401, {"detail": "No."}))
    assert re.search(r"big-\[1\] +far +text_generation", run(faults, "models", "list", **elsewhere).stdout)
    listed = json.loads(run(faults, "models", "list", "--json", **elsewhere).stdout)
    assert [model["id"] for model in listed] == ["big-[1]", "eyes"]
    assert "401" in run(faults, "models", "list", code=3, **elsewhere).stderr
    assert "Kept in" in run(faults, "models", "list", "--models-dir", str(tmp_path), **elsewhere).stdout
    assert "Kept in" in run(faults, "models", "list", NEXUS_SERVER_MODELS_DIR=str(tmp_path)).stdout


def test_models_where_no_platform_is_installed(faults: FaultServer) -> None:
    """What the platform offers is listed all the same; to fetch and to delete takes one that is here."""
    faults.plays(reply(200, {"data": OFFERED}))
    for words, code, told in (
        (["list"], 0, "eyes"),
        (["pull", "smollm2-135m", "--source", "hub"], 2, "nexus-ai-sdk[local]"),
        (["rm", "x"], 2, "nexus-ai-sdk[local]"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_THE_PLATFORM, "models", *words],
            env=environment(faults),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert told in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["text", "hi"], ["speak", "hi"], ["files", "download", "f"]])
def test_where_nothing_can_be_written(faults: FaultServer, words: list[str], tmp_path: Path) -> None:
    """Nothing is asked for."""
    told = run(faults, *words, "-o", str(tmp_path / "none" / "x"), code=2).stderr
    assert "no folder" in told
    assert not faults.requests


def test_a_folder_is_no_file_to_write(faults: FaultServer, tmp_path: Path) -> None:
    """Nor is anything asked for then."""
    assert "directory" in run(faults, "text", "hi", "-o", str(tmp_path), code=2).stderr
    assert not faults.requests
