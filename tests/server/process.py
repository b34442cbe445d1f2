"""A real server in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 30
JSON = {"Content-Type": "application/json"}


def text(prompt: str = "hi", **more: Any) -> dict[str, Any]:
    """The body of an invoke; `fake` goes into the config, for the upstream."""
    fake = more.pop("fake", None)
    body = {"task_type": "text_generation", "input": {"prompt": prompt}, **more}
    if fake is not None:
        body["config"] = {**body.get("config", {}), "fake": fake}
    return body


class ServerProcess:
    """`python -m nexus_server`, started and ready."""

    def __init__(self, data_dir: Path, upstream: str | None = None, **settings: object) -> None:
        self.data_dir = data_dir
        given: dict[str, object] = {"local": False, **settings}
        if upstream is not None:
            given.setdefault("upstreams", [{"name": "fake", "base_url": upstream, "max_retries": 0}])
        self._environment = {
            **{name: value for name, value in os.environ.items() if "NEXUS_SERVER" not in name},
            **{
                f"NEXUS_SERVER_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
                for name, value in given.items()
            },
        }
        self.start()

    def start(self) -> None:
        """Start, or start again, on the same data directory."""
        command = [sys.executable, "-m", "nexus_server", "--port", "0", "--announce"]
        command += ["--exit-with-parent", "--data-dir", str(self.data_dir)]
        self._errors = (self.data_dir.parent / f"{self.data_dir.name}.stderr").open("ab")
        self.popen = subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.stderr()
        self.announced: dict[str, Any] = json.loads(line)
        self.url: str = self.announced["url"]
        self.key = Path(self.announced["api_key_file"]).read_text().strip()
        self.client = self.client_with(self.key)

    def client_with(self, key: str | None) -> httpx.Client:
        """A client that sends this key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def invoke(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        """Ask for something; `Prefer="…"` and the like are headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/invoke", json=body, headers=named)

    def submit(self, body: dict[str, Any]) -> str:
        """The id of an accepted task."""
        answer = self.invoke(body, Prefer="respond-async")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["task_id"])

    def finished(self, task_id: str, seconds: int = 20) -> dict[str, Any]:
        """The task, when it has ended."""
        answer = self.client.get(f"/tasks/{task_id}", headers={"Prefer": f"wait={seconds}"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def stderr(self) -> str:
        """What it said so far."""
        return Path(self._errors.name).read_text()

    def kill(self) -> None:
        """As a crash would."""
        self.popen.kill()
        self._reap()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ask it to stop; the seconds that it took."""
        began = time.monotonic()
        self.popen.send_signal(number)
        self._reap()
        return time.monotonic() - began

    def _reap(self) -> None:
        self.popen.wait(60)
        self.client.close()
        self._errors.close()
        for pipe in (self.popen.stdin, self.popen.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._errors.closed:
            self.stop()
