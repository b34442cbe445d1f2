"""What is uploaded: a path, bytes or a file object → a name, a size, and blocks to be read again."""

from __future__ import annotations

import io
import mimetypes
import os
import re
from pathlib import Path
from typing import IO, Any, Optional, Tuple, Union

from nexusai.error import InvalidRequestError

BLOCK = 128 * 1024
"""A line of 5 kB/s takes it within the default `timeout`, which bounds each block."""
_LARGEST_BLOCK = 1024 * 1024
_BRISK = 0.05

FileContent = Union[bytes, bytearray, memoryview, IO[bytes]]
FileSource = Union[str, "os.PathLike[str]", FileContent, Tuple[str, FileContent]]
"""A path, the bytes themselves, a binary file object, or `(name, bytes or file object)`."""


class Source:
    """Bytes that are sent under a name.

    Attributes:
        size: in bytes; None where it cannot be known before everything was read.
        repeatable: whether it can be read once more, for another attempt.
    """

    def __init__(self, name: str, size: Optional[int], *, repeatable: bool) -> None:
        self.name = name
        self.size = size
        self.repeatable = repeatable
        self.started: bool = False
        self._file: Optional[IO[bytes]] = None
        self._read = 0

    def start(self) -> None:
        """Begin to read, at the beginning."""
        self.started = True
        self._read = 0
        self._file = self._open()

    def block(self, size: int = BLOCK) -> bytes:
        """The next block, of at most `size` bytes; empty at the end.

        Raises:
            InvalidRequestError: there is more or less of it than was announced.
        """
        assert self._file is not None  # noqa: S101 - `start` was called
        data: Any = self._file.read(size)
        if isinstance(data, str):
            raise _text_mode()
        block: bytes = data
        self._read += len(block)
        if self.size is not None and (self._read > self.size or (not block and self._read < self.size)):
            raise InvalidRequestError(
                f"{self.name} has changed while it was uploaded: it had {self.size} bytes, "
                f"and {self._read} were read. Upload it again."
            )
        return block

    def stop(self) -> None:
        """Close what `start` has opened."""

    def _open(self) -> IO[bytes]:
        raise NotImplementedError


class _PathSource(Source):
    def __init__(self, path: Path, name: str) -> None:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory: upload its files one by one.")
        super().__init__(name, path.stat().st_size, repeatable=True)
        self._path = path

    def _open(self) -> IO[bytes]:
        return self._path.open("rb")

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()


class _BytesSource(Source):
    def __init__(self, data: Union[bytes, bytearray, memoryview], name: str) -> None:
        content = bytes(data)
        super().__init__(name, len(content), repeatable=True)
        self._content = content

    def _open(self) -> IO[bytes]:
        return io.BytesIO(self._content)


class _FileSource(Source):
    """A file object of the caller's: read from where it stands, and never closed."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._given = file
        self._start = _position(file)
        size = _rest(file, self._start) if self._start is not None else None
        super().__init__(name, size, repeatable=self._start is not None)

    def _open(self) -> IO[bytes]:
        if self._start is not None:
            self._given.seek(self._start)
        return self._given


def next_size(size: int, seconds: float) -> int:
    """How large a block to send after one of this size, which took so long: larger ones cost less."""
    return min(2 * size, _LARGEST_BLOCK) if seconds < _BRISK else BLOCK


def source_of(file: FileSource, filename: Optional[str] = None) -> Source:
    """What is to be uploaded, under `filename` or else its own name.

    Raises:
        TypeError: it is none of the kinds that can be uploaded.
        FileNotFoundError, IsADirectoryError: a path leads to no file.
    """
    if isinstance(file, tuple):
        if len(file) != 2 or not isinstance(file[0], str):
            raise TypeError("file: expected (name, bytes or file object)")
        filename, file = filename or file[0], file[1]
    elif isinstance(file, (str, os.PathLike)):
        path = Path(file)
        return _PathSource(path, own_name(filename or path.name))
    if isinstance(file, (bytes, bytearray, memoryview)):
        return _BytesSource(file, own_name(filename or "file"))
    _require_binary(file)
    own = getattr(file, "name", None)
    return _FileSource(file, own_name(filename or (own if isinstance(own, str) else "file")))


def _require_binary(file: Any) -> None:
    if isinstance(file, io.TextIOBase):
        raise _text_mode()
    if not callable(getattr(file, "read", None)):
        raise TypeError(
            "file: expected a path, bytes, a binary file object, or (name, one of these), "
            f"not {type(file).__name__}"
        )


def own_name(name: str) -> str:
    """A name without the folders before it."""
    return re.split(r"[/\\]", name)[-1] or "file"


def guess_type(name: str) -> str:
    """The MIME type that a name stands for."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _position(file: Any) -> Optional[int]:
    try:
        return int(file.tell()) if file.seekable() else None
    except (OSError, AttributeError, ValueError):
        return None


def _rest(file: IO[bytes], start: int) -> int:
    end = file.seek(0, os.SEEK_END)
    file.seek(start)
    return max(0, end - start)


def _text_mode() -> TypeError:
    return TypeError("file: it gives text; open it in binary mode, `open(path, 'rb')`")
