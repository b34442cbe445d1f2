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

pytestmark = pytest.mark.anyio

TEXT = "第一行\nsecond line\n".encode()


async def test_every_kind_of_source(async_live: nexusai.AsyncNexusAIClient, tmp_path: Path) -> None:
    """A path, bytes, a file object, a pair; each under its own name, in any script."""
    path = tmp_path / "会议纪要.txt"
    path.write_bytes(TEXT)
    files = async_live.files
    with path.open("rb") as opened:
        uploads = [
            await files.upload(path),
            await files.upload(str(path), "other.md"),
            await files.upload(TEXT, 'a "quoted" name.txt'),
            await files.upload(bytearray(TEXT)),
            await files.upload(("pair.txt", TEXT)),
            await files.upload(("pair.txt", io.BytesIO(TEXT)), "renamed.txt"),
            await files.upload(opened),
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
        assert await (await files.download(file.file_id)).read() == TEXT


async def test_a_file_object_is_read_from_where_it_stands(async_live: nexusai.AsyncNexusAIClient) -> None:
    """And it is left open."""
    file = io.BytesIO(b"skipped" + TEXT)
    file.seek(7)
    uploaded = await async_live.files.upload(file, "rest.txt")
    assert uploaded.size == len(TEXT)
    assert not file.closed


async def test_what_cannot_be_measured(async_live: nexusai.AsyncNexusAIClient) -> None:
    """A pipe is sent as it comes."""
    reading, writing = os.pipe()

    def fill() -> None:
        with os.fdopen(writing, "wb") as end:
            for _ in range(100):
                end.write(TEXT)

    threading.Thread(target=fill).start()
    seen: List[Tuple[int, Optional[int]]] = []
    with os.fdopen(reading, "rb") as pipe:
        uploaded = await async_live.files.upload(
            pipe, "pipe.txt", on_progress=lambda sent, total: seen.append((sent, total))
        )
    assert uploaded.size == 100 * len(TEXT)
    assert seen[-1] == (100 * len(TEXT), None)


async def test_looking_and_deleting(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Get, list, iterate, delete."""
    files = async_live.files
    uploaded = [await files.upload(TEXT, f"{number}.txt") for number in range(3)]
    assert (await files.get(uploaded[0].file_id)).filename == "0.txt"
    page = await files.list(per_page=2)
    assert [file.file_id for file in page] == [uploaded[2].file_id, uploaded[1].file_id]
    assert page.total is not None
    assert page.total >= 3
    found = [file.file_id async for file in files.iter(per_page=2)]
    assert found[:3] == [file.file_id for file in reversed(uploaded)]
    assert len(found) == page.total
    assert (await files.delete(uploaded[0].file_id)).deleted_count == 1
    for call in (files.get, files.delete, files.download):
        with pytest.raises(errors.NotFoundError):
            await call(uploaded[0].file_id)


async def test_saving(async_live: nexusai.AsyncNexusAIClient, tmp_path: Path) -> None:
    """To a path, or into a directory under the file's own name; with progress."""
    data = os.urandom(8) + b"\n" * 3_000_000
    data = data.hex().encode()
    file = await async_live.files.upload(data, "数据.txt")
    seen: List[Tuple[int, Optional[int]]] = []
    saved = await async_live.files.download(
        file.file_id, tmp_path / "copy.txt", on_progress=lambda got, total: seen.append((got, total))
    )
    assert saved == tmp_path / "copy.txt"
    assert saved.read_bytes() == data
    assert seen[-1] == (len(data), len(data))
    assert len(seen) > 1
    assert await async_live.files.download(file.file_id, tmp_path) == tmp_path / "数据.txt"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.txt", "数据.txt"]


async def test_refusals(async_live: nexusai.AsyncNexusAIClient, tmp_path: Path) -> None:
    """What cannot be uploaded is told before anything is sent, or by the platform."""
    files = async_live.files
    (tmp_path / "text.txt").write_text("x", encoding="utf-8")
    with (tmp_path / "text.txt").open(encoding="utf-8") as in_text_mode, pytest.raises(TypeError, match="rb"):
        await files.upload(in_text_mode)  # type: ignore[arg-type]
    with pytest.raises(IsADirectoryError):
        await files.upload(tmp_path)
    with pytest.raises(FileNotFoundError):
        await files.upload(tmp_path / "nothing")
    with pytest.raises(TypeError, match="expected a path"):
        await files.upload(7)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequestError) as caught:
        await files.upload(b"MZ\x90\x00", "setup.exe")
    assert caught.value.status_code == 415
    with pytest.raises(errors.InvalidRequestError, match="empty"):
        await files.upload(b"", "empty.txt")
