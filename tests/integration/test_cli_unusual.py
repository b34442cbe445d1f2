"""The commands of `nexusai` where names, settings or the terminal are unusual, on a server we script."""

from __future__ import annotations

import os
import subprocess
import sys

from faults.server import FaultServer, completed, reply

KEY = "nxs_canary_51c0ffee"


def run(
    faults: FaultServer | None, *words: str, code: int = 0, stdin: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    named = {} if faults is None else {"NEXUS_API_KEY": KEY, "NEXUS_BASE_URL": faults.base_url}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "nexusai", *words],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
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
