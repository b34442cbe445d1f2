"""Bytes → a file that is whole, or not there."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Optional


class Saving:
    """A file that stands at `target` when it is finished; until then nothing changes there.

    In a directory it gets the name `filename`, or `download`. A link goes on pointing where it did, and
    access rights stay what they were. What is no file, such as a pipe or a device, gets the bytes as they
    come.
    """

    def __init__(self, path: Path, filename: Optional[str] = None) -> None:
        self.target = path / (filename or "download") if path.is_dir() else path
        self._place = Path(os.path.realpath(self.target))
        self._is_file = self._place.is_file() or not self._place.exists()
        name = f".{self._place.name[:100]}.{secrets.token_hex(4)}.part"
        self._partial = self._place.with_name(name) if self._is_file else self._place
        self._file: Optional[IO[bytes]] = None

    def begin(self) -> IO[bytes]:
        """What to write to."""
        file = self._file = self._partial.open("xb" if self._is_file else "wb")
        if self._is_file and self._place.exists():
            self._partial.chmod(stat.S_IMODE(self._place.stat().st_mode))
        return file

    def finish(self, file: IO[bytes]) -> None:
        """All is written to `file`: put it where it belongs."""
        file.flush()
        if self._is_file:
            os.fsync(file.fileno())
        file.close()
        if self._is_file:
            os.replace(self._partial, self._place)

    def drop(self) -> None:
        """Leave nothing of it."""
        if self._file is None:
            return
        with suppress(OSError):  # closing writes what is left, too
            self._file.close()
        if self._is_file:
            with suppress(OSError):
                self._partial.unlink()


def written(path: Path, content: bytes) -> Path:
    """The path of a file with this content."""
    saving = Saving(path)
    try:
        file = saving.begin()
        file.write(content)
        saving.finish(file)
    except BaseException:
        saving.drop()
        raise
    return saving.target
