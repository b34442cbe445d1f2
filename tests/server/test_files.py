"""`/files`, and what is kept of them on the disk."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import struct
import threading
import wave
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.process import ServerProcess

from nexus_server.auth import _hash as hash_of
from nexus_server.auth import new_key

TEXT = "你好，世界。\nHello.\n".encode()


def recording(seconds: float = 0.2) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<h", 0) * int(8000 * seconds))
    return buffer.getvalue()


def docx() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w/>")
    return buffer.getvalue()


PART = b"--x\r\nContent-Disposition: form-data; "
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"


def upload(server: ServerProcess, name: str, data: bytes, **headers: str) -> httpx.Response:
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return server.client.post("/files", files={"file": (name, data)}, headers=named)


def uploaded(server: ServerProcess, name: str = "note.txt", data: bytes = TEXT) -> dict[str, Any]:
    answer = upload(server, name, data)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def blobs(server: ServerProcess) -> list[Path]:
    return [path for path in (server.data_dir / "files").rglob("*") if path.is_file()]


def test_there_and_back(server: ServerProcess) -> None:
    """What is uploaded is told, listed, downloaded, and deleted."""
    file = uploaded(server, "周报 “七月”.txt")
    assert file["file_id"].startswith("file_")
    assert file["filename"] == "周报 “七月”.txt"
    assert (file["content_type"], file["mime_type"]) == ("text/plain", "text/plain")
    assert file["size"] == len(TEXT)
    assert file.pop("message")
    one = server.client.get(f"/files/{file['file_id']}")
    assert one.json() == file
    listing = server.client.get("/files?per_page=1").json()
    assert listing["files"] == [file]
    assert listing["total"] >= 1
    content = server.client.get(f"/files/{file['file_id']}/content")
    assert content.content == TEXT
    assert content.headers["content-type"] == "text/plain; charset=utf-8"
    assert content.headers["content-length"] == str(len(TEXT))
    assert content.headers["etag"] == f'"{hashlib.sha256(TEXT).hexdigest()}"'
    assert "filename*=utf-8''%E5%91%A8" in content.headers["content-disposition"]
    assert content.headers["x-content-type-options"] == "nosniff"
    gone = server.client.delete(f"/files/{file['file_id']}")
    assert gone.json()["deleted_count"] == 1
    for path in ("", "/content"):
        assert server.client.get(f"/files/{file['file_id']}{path}").status_code == 404
    assert server.client.delete(f"/files/{file['file_id']}").status_code == 404
    assert file["file_id"] not in {path.name for path in blobs(server)}


def test_ranges(server: ServerProcess) -> None:
    """A part is sent when it is asked for; the whole when the file is another one by now."""
    file = uploaded(server, "digits.txt", b"0123456789")
    url = f"/files/{file['file_id']}/content"
    tag = server.client.get(url).headers["etag"]
    part = server.client.get(url, headers={"Range": "bytes=4-", "If-Range": tag})
    assert (part.status_code, part.content) == (206, b"456789")
    assert part.headers["content-range"] == "bytes 4-9/10"
    assert part.headers["etag"] == tag
    other = server.client.get(url, headers={"Range": "bytes=4-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, b"0123456789")
    assert server.client.get(url, headers={"Range": "bytes=10-"}).status_code == 416


@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("a.wav", recording(), "audio/wav"),
        ("a.MP3", b"ID3\x03\x00\x00\x00\x00\x00\x21" + b"\x00" * 100, "audio/mpeg"),
        ("a.png", PNG, "image/png"),
        ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        ("a.docx", docx(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "application/msword"),
        ("a.md", b"# Hi", "text/markdown"),
        ("a.csv", "名,价\n茶,3\n".encode("gbk"), "text/csv"),
        ("a.html", b"<!doctype html><p>hi", "text/html"),
        ("a.json", b'{"a": 1}', "application/json"),
        ("utf16.txt", "你好".encode("utf-16"), "text/plain"),
        ("no_extension", b"just text", "text/plain"),
        ("no_extension", PNG, "image/png"),
    ],
)
def test_types(server: ServerProcess, name: str, data: bytes, content_type: str) -> None:
    """The contract's types are taken, by their name or, without one, by what is in them."""
    assert uploaded(server, name, data)["content_type"] == content_type


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("virus.exe", b"MZ\x90\x00"),
        ("script.sh", b"#!/bin/sh"),
        ("picture.png", b"MZ\x90\x00" + b"\x00" * 300),
        ("report.pdf", b"not a pdf"),
        ("song.mp3", b"this is only text"),
        ("notes.txt", b"\x7fELF\x02\x01\x01\x00" + b"\x00" * 64),
        ("notes.txt", PNG),
        ("nothing", b"\x00\x01\x02\x03"),
    ],
)
def test_types_that_are_not_taken(server: ServerProcess, name: str, data: bytes) -> None:
    """The refusal says what is taken, or that the name lies; and nothing is kept."""
    before = set(blobs(server))
    answer = upload(server, name, data)
    assert answer.status_code == 415, answer.text
    assert answer.json()["error_code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert set(blobs(server)) == before


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\my notes.txt", "my notes.txt"),
        ('say "hi".txt', 'say "hi".txt'),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
    ],
)
def test_names(server: ServerProcess, given: str, kept: str) -> None:
    """A name is told as it was given, but without folders, and never used on the disk."""
    file = uploaded(server, given)
    assert file["filename"] == kept
    assert (server.data_dir / "files" / file["file_id"]).is_file()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n\r\nhalf",
            "multipart/form-data; boundary=x",
        ),
        (
            b"--x\r\nContent-Disposition: form-data; name=other\r\n\r\nv\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"{}", "application/json"),
    ],
)
def test_forms_that_are_none(server: ServerProcess, body: bytes, kind: str) -> None:
    """400 says what was expected; nothing is kept."""
    before = set(blobs(server))
    answer = server.client.post("/files", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_REQUEST"
    assert set(blobs(server)) == before


def test_an_empty_file(server: ServerProcess) -> None:
    """It is a mistake more often than not."""
    answer = upload(server, "a.txt", b"")
    assert answer.status_code == 400
    assert "empty" in answer.json()["detail"]


def test_two_files_at_once(server: ServerProcess) -> None:
    """One call is one file."""
    both = [("file", ("a.txt", b"a")), ("file", ("b.txt", b"b"))]
    assert server.client.post("/files", files=both).status_code == 400


@pytest.mark.parametrize(
    "part",
    [
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n' % (b"y" * 10_000),
        b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n\r\n' % (b"n" * 3_000),
    ],
    ids=["fields", "names"],
)
def test_a_form_without_end(server: ServerProcess, part: bytes) -> None:
    """What stands beside the file is kept in memory, and so it is limited; told or not how long it is."""

    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield part

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = server.client.post("/files", content=endless(), headers=headers)
    assert answer.status_code == 400
    assert "beside its file" in answer.json()["detail"]


def test_an_upload_that_breaks_off(server: ServerProcess) -> None:
    """Nothing is kept of it."""
    before = set(blobs(server))

    def half() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
        raise OSError("the cable was pulled")

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(OSError, match="cable"):
        server.client.post("/files", content=half(), headers=headers)
    uploaded(server)  # by now the server has seen the other one end
    assert len(set(blobs(server)) - before) == 1


def test_repeated_uploads(server: ServerProcess) -> None:
    """An idempotency key stands for one file."""
    first = upload(server, "a.txt", b"once", Idempotency_Key="up-1")
    again = upload(server, "a.txt", b"once", Idempotency_Key="up-1")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert again.status_code == 201
    other = upload(server, "a.txt", b"twice", Idempotency_Key="up-1")
    assert other.status_code == 409


def test_limits(tmp_path: Path) -> None:
    """A file over the limit is refused, told or not how long it is; bodies without files have their own."""
    with ServerProcess(tmp_path / "data", max_file_bytes=3_000_000, max_body_bytes=1000) as server:
        assert upload(server, "a.txt", b"x" * 3_000_000).status_code == 201
        answer = upload(server, "a.txt", b"x" * 3_000_001)
        assert answer.status_code == 413
        assert answer.json()["limit"] == 3_000_000
        assert upload(server, "a.txt", b"x" * 6_000_000).status_code == 413
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        assert server.client.post("/invoke", content=b"x" * 2000, headers=form).status_code == 413
        assert len(blobs(server)) == 1


def test_isolation(tmp_path: Path) -> None:
    """Another key sees nothing of a file."""
    with ServerProcess(tmp_path / "data") as server:
        file = uploaded(server)
        other = new_key()
        with closing(sqlite3.connect(tmp_path / "data" / "nexus.db")) as connection, connection:
            row = (other.split("_")[1], "other", hash_of(other), 1)
            connection.execute("INSERT INTO api_keys (id, name, hash, created_at) VALUES (?, ?, ?, ?)", row)
        with server.client_with(other) as stranger:
            assert stranger.get("/files").json()["files"] == []
            for path in ("", "/content"):
                assert stranger.get(f"/files/{file['file_id']}{path}").status_code == 404
            assert stranger.delete(f"/files/{file['file_id']}").status_code == 404
            told = {"task_type": "speech_to_text", "input": {"file_id": file["file_id"]}}
            assert stranger.post("/invoke", json=told).status_code == 404
        assert server.client.get(f"/files/{file['file_id']}").status_code == 200


def test_after_a_crash(tmp_path: Path) -> None:
    """Files survive it; what was being written, and bytes that no row knows, do not."""
    with ServerProcess(tmp_path / "data") as server:
        file = uploaded(server)
        folder = tmp_path / "data" / "files"
        (folder / "file_orphan").write_bytes(b"bytes of a row that was never committed")
        (folder / ".staging" / "file_half").write_bytes(b"half")
        server.kill()
        server.start()
        assert server.client.get(f"/files/{file['file_id']}/content").content == TEXT
        assert {path.name for path in blobs(server)} == {file["file_id"]}


def test_deleting_while_it_is_read(server: ServerProcess) -> None:
    """Who has begun to read a file reads it to its end."""
    data = b"0123456789abcdef" * 500_000
    file = uploaded(server, "big.txt", data)
    with server.client.stream("GET", f"/files/{file['file_id']}/content") as response:
        pieces = response.iter_raw()
        got = [next(pieces)]
        with server.client_with(server.key) as client:
            assert client.delete(f"/files/{file['file_id']}").status_code == 200
        got.extend(pieces)
    assert b"".join(got) == data


def test_memory(tmp_path: Path) -> None:
    """An upload passes through: the server does not hold it."""
    size = 300 * 1024 * 1024
    with ServerProcess(tmp_path / "data") as server:
        uploaded(server)
        status = Path(f"/proc/{server.popen.pid}/status")
        if not status.exists():
            pytest.skip("this system does not tell a process's memory")
        before = _peak(status)

        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
            block = b"x" * (1024 * 1024)
            for _ in range(size // len(block)):
                yield block
            yield b"\r\n--x--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = server.client.post("/files", content=body(), headers=headers, timeout=120)
        assert answer.json()["size"] == size
        assert _peak(status) - before < 32 * 1024


def _peak(status: Path) -> int:
    """The largest resident size so far, in kB."""
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def test_many_at_once(server: ServerProcess) -> None:
    """Uploads do not disturb each other."""
    sent = [f"{number} ".encode() * 20_000 for number in range(8)]
    ids: dict[int, str] = {}

    def send(number: int) -> None:
        with server.client_with(server.key) as client:
            answer = client.post("/files", files={"file": (f"{number}.txt", sent[number])})
            ids[number] = answer.json()["file_id"]

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(sent))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number, file_id in ids.items():
        assert server.client.get(f"/files/{file_id}/content").content == sent[number]
    assert len(ids) == len(sent)
