"""The data directory: one server at a time, and nobody else may read it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from nexus_server.errors import StartupError


def make_private(directory: Path) -> None:
    """Create the directory with mode 0700. One that exists keeps the mode its owner chose."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or "it cannot be made"
        raise StartupError(f"The data directory {directory} cannot be used: {reason}.") from error


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class DirectoryLock:
    """Held while a server uses the directory. The kernel frees it when the process dies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StartupError: another process holds it; the message names its pid.
        """
        path = self._directory / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"The data directory {self._directory} cannot be used: {error.strerror}."
            raise StartupError(message) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = (
                f"The data directory {self._directory} is in use by another server "
                f"(pid {holder}): stop that one, or give this one another --data-dir."
            )
            raise StartupError(message) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two servers hold two files."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
