"""The commands of `nexusai` where names, settings or the terminal are unusual, on a server we script."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from faults.server import FaultServer, completed, reply

KEY = "nxs_canary_51c0ffee"


def run(
    faults: FaultServer | None, *words: str, code: int = 0, encoding: str = "utf-8", **more: str
) -> subprocess.CompletedProcess[str]:
    named = {} if faults is None else {"NEXUS_API_KEY": KEY, "NEXUS_BASE_URL": faults.base_url}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "nexusai", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding=encoding,
        check=False,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NEXUS_LANG": "en", **named, **more},
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
