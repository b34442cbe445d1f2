# Generated from tests/aio/integration/test_files.py by scripts/unasync.py: edit that file.

"""Files, there and back, on the platform."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import List, Optional, Tuple

import pytest

import nexusai
from nexusai import error as errors

TEXT = "第一行\nsecond line\n".encode()


def test_every_kind_of_source(live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """A path, bytes, a file object, a pair; each under its own name, in any script."""
    path = tmp_path / "会议纪要.txt"
    path.write_bytes(TEXT)
    files = live.files
    with path.open("rb") as opened:
        uploads = [
            files.upload(path),
            files.upload(str(path), "other.md"),
            files.upload(TEXT, 'a "quoted" name.txt'),
            files.upload(bytearray(TEXT)),
            files.upload(("pair.txt", TEXT)),
            files.upload(("pair.txt", io.BytesIO(TEXT)), "renamed.txt"),
            files.upload(opened),
        ]
    names = [file.filename for file in uploads]
    expected = [
        "会议纪要.txt",
        "other.md",
        'a "quoted" name.txt',
        "file",
        "pair.txt",
        "renamed.txt",
        "会议纪要.txt",
    ]
    assert names == expected
    assert {file.size for file in uploads} == {len(TEXT)}
    assert uploads[1].content_type == "text/markdown"
    for file in uploads:
        assert (files.download(file.file_id)).read() == TEXT


def test_a_file_object_is_read_from_where_it_stands(live: nexusai.NexusAIClient) -> None:
    """And it is left open."""
    file = io.BytesIO(b"skipped" + TEXT)
    file.seek(7)
    uploaded = live.files.upload(file, "rest.txt")
    assert uploaded.size == len(TEXT)
    assert not file.closed


def test_what_cannot_be_measured(live: nexusai.NexusAIClient) -> None:
    """A pipe is sent as it comes."""
    reading, writing = os.pipe()

    def fill() -> None:
        with os.fdopen(writing, "wb") as end:
            for _ in range(100):
                end.write(TEXT)

    threading.Thread(target=fill).start()
    seen: List[Tuple[int, Optional[int]]] = []
    with os.fdopen(reading, "rb") as pipe:
        uploaded = live.files.upload(
            pipe, "pipe.txt", on_progress=lambda sent, total: seen.append((sent, total))
        )
    assert uploaded.size == 100 * len(TEXT)
    assert seen[-1] == (100 * len(TEXT), None)


def test_looking_and_deleting(live: nexusai.NexusAIClient) -> None:
    """Get, list, iterate, delete."""
    files = live.files
    uploaded = [files.upload(TEXT, f"{number}.txt") for number in range(3)]
    assert (files.get(uploaded[0].file_id)).filename == "0.txt"
    page = files.list(per_page=2)
    assert [file.file_id for file in page] == [uploaded[2].file_id, uploaded[1].file_id]
    assert page.total is not None
    assert page.total >= 3
    found = [file.file_id for file in files.iter(per_page=2)]
    assert found[:3] == [file.file_id for file in reversed(uploaded)]
    assert len(found) == page.total
    assert (files.delete(uploaded[0].file_id)).deleted_count == 1
    for call in (files.get, files.delete, files.download):
        with pytest.raises(errors.NotFoundError):
            call(uploaded[0].file_id)


def test_saving(live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """To a path, or into a directory under the file's own name; with progress."""
    data = os.urandom(8) + b"\n" * 3_000_000
    data = data.hex().encode()
    file = live.files.upload(data, "数据.txt")
    seen: List[Tuple[int, Optional[int]]] = []
    saved = live.files.download(
        file.file_id, tmp_path / "copy.txt", on_progress=lambda got, total: seen.append((got, total))
    )
    assert saved == tmp_path / "copy.txt"
    assert saved.read_bytes() == data
    assert seen[-1] == (len(data), len(data))
    assert len(seen) > 1
    assert live.files.download(file.file_id, tmp_path) == tmp_path / "数据.txt"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.txt", "数据.txt"]


def test_refusals(live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """What cannot be uploaded is told before anything is sent, or by the platform."""
    files = live.files
    (tmp_path / "text.txt").write_text("x", encoding="utf-8")
    with (tmp_path / "text.txt").open(encoding="utf-8") as in_text_mode, pytest.raises(TypeError, match="rb"):
        files.upload(in_text_mode)  # type: ignore[arg-type]
    with pytest.raises(IsADirectoryError):
        files.upload(tmp_path)
    with pytest.raises(FileNotFoundError):
        files.upload(tmp_path / "nothing")
    with pytest.raises(TypeError, match="expected a path"):
        files.upload(7)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequestError) as caught:
        files.upload(b"MZ\x90\x00", "setup.exe")
    assert caught.value.status_code == 415
    with pytest.raises(errors.InvalidRequestError, match="empty"):
        files.upload(b"", "empty.txt")
