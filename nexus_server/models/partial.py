"""A file that is being fetched, and that becomes visible only when it is whole and right."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from nexus_server.models.catalogue import LocalModel
from nexus_server.models.errors import WrongBytesError
from nexus_server.models.storage import partial_path

BLOCK = 1 << 20
"""Bytes that are read or written at a time."""


class PartialFile:
    """`<file>.partial`, and the SHA-256 of what is in it so far. Use it in a `with`."""

    def __init__(self, target: Path, *, keep: Callable[[int], None] | None = None) -> None:
        """Start empty; or go on with what is there, `keep` hearing how much of it was read."""
        self._target = target
        self._path = partial_path(target)
        self._file = self._path.open("a+b")
        self._digest = hashlib.sha256()
        self.size = 0
        if keep is None:
            self.restart()
        else:
            self._read_what_is_there(keep)

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if not self.size:
            self._path.unlink(missing_ok=True)

    def _read_what_is_there(self, on_bytes: Callable[[int], None]) -> None:
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            self._digest.update(block)
            self.size += len(block)
            on_bytes(self.size)

    def restart(self) -> None:
        """Forget what is there."""
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def publish(self, model: LocalModel, source: str) -> None:
        """Give the file its name, if it is the one that the catalogue describes.

        Raises:
            WrongBytesError: it is not; it is gone now, so that the next fetch starts afresh.
        """
        found = self._digest.hexdigest()
        if found != model.sha256:
            self._path.unlink()
            raise WrongBytesError(
                f"What {source} gave for {model.file}",
                expected=model.sha256,
                found=found,
                remedy="it was deleted; fetch it again, or from another source.",
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._target)
