"""What can be uploaded, and under which name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Optional

import pytest

from nexusai._internal._sources import BLOCK, Source, guess_type, next_size, source_of
from nexusai.error import InvalidRequestError

TEXT_MODE = r"^file: it gives text; open it in binary mode, `open\(path, 'rb'\)`$"


def read(source: Source) -> bytes:
    """All of it, as an upload reads it."""
    source.start()
    try:
        return b"".join(iter(source.block, b""))
    finally:
        source.stop()


class Pipe(io.RawIOBase):
    """A stream that only goes forward; `tell` may not even be there."""

    def __init__(self, content: bytes, error: Optional[Exception] = None) -> None:
        self._content = io.BytesIO(content)
        self._error = error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        if self._error is not None:
            raise self._error
        return False

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


def test_a_path_is_read_from_its_file(tmp_path: Path) -> None:
    """Its name, its size, and as often as it must be; between, it is closed."""
    path = tmp_path / "报告.txt"
    path.write_bytes(b"x" * (BLOCK + 1))
    for given in (path, str(path)):
        source = source_of(given)
        assert (source.name, source.size, source.repeatable) == ("报告.txt", BLOCK + 1, True)
        assert [read(source), read(source)] == [b"x" * (BLOCK + 1)] * 2
        assert source._file is not None
        assert source._file.closed
    assert source_of(path, "other.txt").name == "other.txt"
    source.stop()


def test_a_path_that_leads_to_no_file(tmp_path: Path) -> None:
    """It is told at once, before a connection is made."""
    with pytest.raises(FileNotFoundError):
        source_of(tmp_path / "none")
    with pytest.raises(IsADirectoryError) as caught:
        source_of(tmp_path)
    assert str(caught.value) == f"{tmp_path} is a directory: upload its files one by one."


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_sent_as_they_were(kind: Any) -> None:
    """Under a name that is given, or a general one; what happens to them later does not matter."""
    content = kind(b"abc")
    source = source_of(content)
    assert (source.name, source.size, source.repeatable) == ("file", 3, True)
    if isinstance(content, bytearray):
        content[0] = 0
    assert [read(source), read(source)] == [b"abc"] * 2
    assert source_of(b"", "a.txt").name == "a.txt"


def test_blocks_are_bounded() -> None:
    """Memory is."""
    source = source_of(b"x" * (BLOCK + 1))
    assert not source.started
    source.start()
    assert source.started
    assert [len(source.block()) for _ in range(3)] == [BLOCK, 1, 0]


def test_a_file_is_read_from_where_it_stands() -> None:
    """Again and again, and it is left open: it is the caller's."""
    file = io.BytesIO(b"skipped content")
    file.seek(8)
    source = source_of(file)
    assert (source.name, source.size, source.repeatable) == ("file", 7, True)
    assert file.tell() == 8
    assert [read(source), read(source)] == [b"content"] * 2
    assert not file.closed
    file.seek(99)
    beyond = source_of(file)
    assert (beyond.size, read(beyond)) == (0, b"")


@pytest.mark.parametrize("error", [None, OSError(), AttributeError(), ValueError()])
def test_what_only_goes_forward_is_read_once(error: Optional[Exception]) -> None:
    """Its size is not known, and it cannot be sent again."""
    source = source_of(Pipe(b"abc", error))  # type: ignore[arg-type]
    assert (source.size, source.repeatable) == (None, False)
    assert [read(source), read(source)] == [b"abc", b""]


def test_a_file_has_its_own_name(tmp_path: Path) -> None:
    """Where it has one, and no other is given; never its folders."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        assert source_of(file).name == "a.txt"
        assert source_of(file, "b.txt").name == "b.txt"
        assert source_of(("c.txt", file)).name == "c.txt"
    with path.open("rb") as file, open(file.fileno(), "rb", closefd=False) as numbered:
        assert isinstance(numbered.name, int)
        assert source_of(numbered).name == "file"


def test_a_name_and_its_content() -> None:
    """What is given besides wins."""
    assert source_of(("a.txt", b"abc")).name == "a.txt"
    assert source_of(("a.txt", b"abc"), "b.txt").name == "b.txt"
    assert source_of(("../x\\y/a.txt", b"abc")).name == "a.txt"
    assert source_of(("folder/", b"abc")).name == "file"
    assert source_of(("", b"abc")).name == "file"


def test_text_is_refused() -> None:
    """At once, or when it shows."""
    with pytest.raises(TypeError, match=TEXT_MODE):
        source_of(io.StringIO("abc"))  # type: ignore[arg-type]

    class Texts:
        def read(self, size: int) -> str:
            return "abc"

    source = source_of(Texts())  # type: ignore[arg-type]
    source.start()
    with pytest.raises(TypeError, match=TEXT_MODE):
        source.block()


@pytest.mark.parametrize("pair", [("a.txt",), ("a.txt", b"", b""), (b"a.txt", b"")])
def test_what_is_no_pair(pair: Any) -> None:
    """A name, and what it stands for."""
    with pytest.raises(TypeError, match=r"^file: expected \(name, bytes or file object\)$"):
        source_of(pair)


@pytest.mark.parametrize("file", [None, 7, [b"abc"], ("a.txt", 7)])
def test_what_cannot_be_uploaded(file: Any) -> None:
    """Its type is named."""
    kind = type(file[1] if isinstance(file, tuple) else file).__name__
    with pytest.raises(TypeError) as caught:
        source_of(file)
    assert str(caught.value) == (
        f"file: expected a path, bytes, a binary file object, or (name, one of these), not {kind}"
    )


@pytest.mark.parametrize(("before", "after", "count"), [(3, 5, 5), (5, 3, 3)])
def test_a_file_that_changes_is_told(tmp_path: Path, before: int, after: int, count: int) -> None:
    """What was announced is what must come."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * before)
    source = source_of(path)
    path.write_bytes(b"x" * after)
    with pytest.raises(InvalidRequestError) as caught:
        read(source)
    assert caught.value.message == (
        f"a.txt has changed while it was uploaded: it had {before} bytes, and {count} were read. "
        "Upload it again."
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "image/png"), ("a.PDF", "application/pdf"), ("a", "application/octet-stream")],
)
def test_the_type_of_a_name(name: str, kind: str) -> None:
    """What no type is known for is bytes."""
    assert guess_type(name) == kind


def test_blocks_grow_while_they_are_sent_fast() -> None:
    """Up to a mebibyte; on a slow line each stays small enough for its limit of time."""
    size, sizes = BLOCK, []
    for seconds in (0.01, 0.01, 0.01, 0.01, 0.049, 0.05, 0.01, 30):
        size = next_size(size, seconds)
        sizes.append(size // 1024)
    assert sizes == [256, 512, 1024, 1024, 1024, 128, 256, 128]
