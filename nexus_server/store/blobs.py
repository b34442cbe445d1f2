"""The bytes of files: one file each, whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_STAGING = ".staging"


class Staged:
    """A file that is being written; `size` and `sha256` are those of what was written so far."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Of everything that was written, as hex digits."""
        return self._hash.hexdigest()

    def flush(self) -> None:
        """Bring it to the disk: what is accepted survives a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())


class BlobStore:
    """A directory of files named by ids. Nothing of a file's own name reaches the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staging = directory / _STAGING

    def open(self) -> None:
        """Make the directories, private to their owner, and forget what was never finished."""
        self._staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._staging.iterdir():
            leftover.unlink(missing_ok=True)

    def path(self, blob_id: str) -> Path:
        """Where the bytes of a file are."""
        return self._directory / blob_id

    def staging_path(self, blob_id: str) -> Path:
        """Where the bytes of a file may be written until they are whole."""
        return self._staging / blob_id

    @contextmanager
    def stage(self, blob_id: str) -> Iterator[Staged]:
        """A new file. Unless it is kept within this context, it is gone after it."""
        path = self.staging_path(blob_id)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield Staged(path, file)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, blob_id: str) -> None:
        """What was staged is whole: give it its place."""
        self.staging_path(blob_id).replace(self.path(blob_id))

    def delete(self, blob_id: str) -> None:
        """Remove the bytes; harmless where there are none."""
        self.path(blob_id).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """Every file that is there."""
        return [path.name for path in self._directory.iterdir() if path.is_file()]
