"""The platform on this machine: find the one that runs, or start one.

It is started as a program of its own; `nexus_server` is not imported here.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Optional, Union
from urllib.request import urlopen

from nexusai.config import Secret
from nexusai.error import NetworkError

START_TIMEOUT = 120.0
STOP_TIMEOUT = 15.0
_NEEDS = (3, 11)


class LocalPlatform:
    """A running platform. `process` is there where we have started it."""

    def __init__(
        self, base_url: str, api_key: str, process: Optional[subprocess.Popen[bytes]] = None
    ) -> None:
        self.base_url = base_url
        self.api_key: str = Secret(api_key)
        self._process = process
        if process is not None:
            atexit.register(self.stop)

    def stop(self) -> None:
        """Stop what was started, and wait until it has ended; leave alone what was found."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]  # it is a pipe; its end means: stop
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
        _reap(process)


def start_platform(data_dir: Union[str, Path, None] = None) -> LocalPlatform:
    """Find the platform that runs on this data directory, or start one, and wait until it is ready.

    Raises:
        NetworkError: it cannot be started; the message says why.
    """
    _require_server()
    directory = _data_dir(data_dir)
    return _running(directory) or _start(directory)


def running_platform(data_dir: Union[str, Path, None] = None) -> Optional[LocalPlatform]:
    """The platform that runs on this data directory; None if there is none."""
    try:
        return _running(_data_dir(data_dir))
    except ImportError:  # platformdirs comes with the platform
        return None


def _require_server() -> None:
    if sys.version_info < _NEEDS:
        version = ".".join(map(str, sys.version_info[:2]))
        raise NetworkError(
            f"The local platform needs Python 3.11 or newer, and this is {version}. The client itself "
            "runs here: start the platform with a newer Python (`nexusai serve`)."
        )
    missing = [name for name in ("nexus_server", "uvicorn", "dbos") if find_spec(name) is None]
    if missing:
        raise NetworkError("The local platform is not installed here: `pip install 'nexus-ai-sdk[local]'`.")


def _data_dir(given: Union[str, Path, None]) -> Path:
    chosen = given or os.environ.get("NEXUS_SERVER_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_data_path

    return user_data_path("nexusai")


def _running(directory: Path) -> Optional[LocalPlatform]:
    """The platform that has written down where it listens, if it answers."""
    try:
        facts = json.loads((directory / "server.json").read_text(encoding="utf-8"))
        origin = facts["url"].rpartition("/api/")[0]
        with urlopen(f"{origin}/health", timeout=2) as answer:  # noqa: S310 - our own file's address
            if json.load(answer).get("pid") != facts["pid"]:
                return None
        return LocalPlatform(facts["url"], _key(directory))
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _key(directory: Path) -> str:
    return (directory / "api_key").read_text(encoding="ascii").strip()


def _start(directory: Path) -> LocalPlatform:
    command = [sys.executable, "-m", "nexus_server", "--data-dir", str(directory), "--port", "0"]
    command += ["--announce", "--exit-with-parent"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    complaints = _Collector(process.stderr)
    facts = _announcement(process)
    if facts is None:
        process.kill()
        _reap(process)
        found = _running(directory)  # somebody else was faster
        if found is not None:
            return found
        raise NetworkError(f"The local platform did not start: {complaints.last_line()}")
    return LocalPlatform(facts["url"], _key(directory), process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]  # both are pipes


def _announcement(process: subprocess.Popen[bytes]) -> Optional[Dict[str, Any]]:
    """The line that the platform prints when it is ready; None if it ends or dawdles instead."""
    watchdog = threading.Timer(START_TIMEOUT, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        line = process.stdout.readline()  # type: ignore[union-attr]  # it is a pipe
    finally:
        watchdog.cancel()
    facts: Optional[Dict[str, Any]] = json.loads(line) if line else None
    return facts


class _Collector(threading.Thread):
    """Reads what a process complains about, so that its pipe never fills, and keeps the end of it."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(daemon=True, name="nexusai-platform-stderr")
        self._pipe = pipe
        self._lines: List[str] = []
        self.start()

    def run(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._lines = [*self._lines[-20:], line.decode("utf-8", "replace").rstrip()]

    def last_line(self) -> str:
        self.join(2.0)
        return next((line for line in reversed(self._lines) if line), "it said nothing.")
