"""Uploads and downloads against a server that misbehaves."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
from faults.server import PATIENCE, Act, Connection, FaultServer, drop, head, reply, reset

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import async_in_thread

pytestmark = pytest.mark.anyio

FILE = {"file_id": "file_1", "filename": "a.txt", "content_type": "text/plain", "size": 3}
DATA = bytes(range(256)) * 40
TAG = f'"{hashlib.sha256(DATA).hexdigest()}"'


def content(data: bytes = DATA, tag: str = TAG, *, start: int = 0, end: int = 0) -> bytes:
    """The head and the bytes of a download; as if it were a range when `start` is given."""
    lines = {"content-type": "text/plain", "content-length": str(len(data) - start)}
    if tag:
        lines["etag"] = tag
    if start:
        lines["content-range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return head(206 if start else 200, lines) + data[start : end or None]


def body_of(raw: bytes) -> bytes:
    """The file in a form."""
    return raw.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]


@pytest.mark.parametrize("act", [reply(503, {"detail": "busy"}, retry_after="0"), drop(), reset()])
async def test_an_upload_is_sent_again(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, act: Act
) -> None:
    """From its beginning, under the same idempotency key."""
    faults.plays(act, reply(201, FILE))
    file = io.BytesIO(b"not this: " + DATA)
    file.seek(10)
    assert (await async_client.files.upload(file, "a.txt")).file_id == "file_1"
    first, second = faults.requests
    assert body_of(first.body) == body_of(second.body) == DATA
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["content-length"] == str(len(first.body))
    kind, _, boundary = first.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert first.body.startswith(f"--{boundary}\r\n".encode())


async def test_what_cannot_be_read_again_is_sent_once(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The rest of a pipe would be another file."""
    faults.plays(reply(503, {"detail": "busy"}, retry_after="0"), reply(201, FILE))
    reading, writing = os.pipe()
    threading.Thread(target=lambda: (os.write(writing, DATA[:1000]), os.close(writing))).start()
    with os.fdopen(reading, "rb") as pipe, pytest.raises(errors.ServerError):
        await async_client.files.upload(pipe, "a.txt")
    assert len(faults.requests) == 1


async def test_the_form(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """As browsers write it: names in UTF-8, quotes and line ends escaped, no folders."""
    faults.plays(*[reply(201, {**FILE, "mime_type": "audio/mpeg", "content_type": None})] * 3)
    await async_client.files.upload(b"abc", '周报 "7"\r\nX: y.txt')
    await async_client.files.upload(b"abc", "../../etc/passwd")
    await async_client.files.upload(b"abc", "a.bin", content_type="audio/x-made-up")
    first, second, third = (seen.body for seen in faults.requests)
    assert (
        'name="file"; filename="周报 %227%22%0D%0AX: y.txt"\r\nContent-Type: text/plain\r\n'.encode() in first
    )
    assert b'filename="passwd"' in second
    assert b"Content-Type: audio/x-made-up\r\n\r\nabc\r\n--" in third


@pytest.mark.parametrize("kind", ["text/plain\r\nX-Evil: 1", "text/plain\r\n\r\nmore", "text/\0", " a/b"])
async def test_a_type_that_no_header_can_hold(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, kind: str
) -> None:
    """It would write lines of its own into the form."""
    with pytest.raises(ValueError, match="content-type"):
        await async_client.files.upload(b"abc", "a.txt", content_type=kind)
    assert not faults.requests


async def test_a_file_that_changes_while_it_is_sent(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """It is neither cut nor filled up in silence."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 600_000)

    def shrink(sent: int, total: Any) -> None:
        path.write_bytes(b"y")

    faults.plays(reply(201, FILE))
    with pytest.raises(errors.InvalidRequestError, match="changed while it was uploaded"):
        await async_client.files.upload(path, on_progress=shrink)


async def test_memory(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path) -> None:
    """Two gigabytes pass through less than 32 MB."""
    import tracemalloc

    size = 2 * 1024**3
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(size)
    got: List[int] = []

    def swallow(connection: Connection) -> None:
        connection.send(head(201, {"content-length": "2"}) + b"{}")

    faults.swallow = got
    faults.plays(swallow)
    tracemalloc.start()
    try:
        with pytest.raises(errors.InvalidResponseError):  # the answer is of no interest
            await async_client.files.upload(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert got[0] > size
    assert peak < 32 * 1024**2


async def test_a_download_is_taken_up_again(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """From where it broke off, if it is still the same file; and it is checked as a whole."""
    faults.plays(
        drop(content(end=4000)),
        reset(content(start=4000, end=7000)),
        drop(content(start=7000)),
    )
    path = await async_client.files.download("file_1", tmp_path / "a.txt")
    assert path.read_bytes() == DATA
    asked = [(seen.headers.get("range"), seen.headers.get("if-range")) for seen in faults.requests]
    assert asked[0] == (None, None)
    assert asked[-1][1] == TAG
    assert all(wanted is not None for wanted, _ in asked[1:])


async def test_a_download_from_elsewhere_is_taken_up_again(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Where the platform sends us is no different."""
    elsewhere = FaultServer()
    try:
        elsewhere.plays(drop(content(end=4000)), drop(content(start=4000)))
        download = await async_client._internal_client.download_url(elsewhere.base_url)
        assert await download.read() == DATA
        assert [seen.headers.get("range") for seen in elsewhere.requests] == [None, "bytes=4000-"]
        assert not faults.requests
    finally:
        elsewhere.stop()


async def test_a_download_from_elsewhere_without_end(faults: FaultServer) -> None:
    """It is not read into memory for ever: whoever has it there may send what he likes."""

    def flood(connection: Connection) -> None:
        connection.send(head(200, {"content-type": "image/png"}))
        while not elsewhere.stopping.is_set():
            connection.send(b"x" * 2**20)

    elsewhere = FaultServer()
    elsewhere.plays(flood)
    async with nexusai.AsyncNexusAIClient("nxs_x", faults.base_url) as client:
        download = await client._internal_client.download_url(elsewhere.base_url)
        with pytest.raises(errors.InvalidResponseError, match="longer than 268435456 bytes"):
            await download.read()
    assert await async_in_thread(lambda: elsewhere.hung_up.wait(PATIENCE))
    elsewhere.stop()


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (drop(content(DATA[::-1], '"another"')), "another file there now"),
        (drop(content(start=3999)), "another file there now"),
        (drop(head(206, {"content-range": "bytes " + "9" * 5000 + "-/"})), "another file there now"),
    ],
)
async def test_a_download_that_cannot_be_taken_up(
    faults: FaultServer,
    async_client: nexusai.AsyncNexusAIClient,
    tmp_path: Path,
    second: Act,
    why: str,
) -> None:
    """Two halves of different files are never put together; nothing is left behind."""
    faults.plays(drop(content(end=4000)), second)
    with pytest.raises(errors.InvalidResponseError, match=why):
        await async_client.files.download("file_1", tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


async def test_a_server_without_tags(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """What broke off cannot be continued safely, and is told so."""
    faults.plays(drop(content(tag="", end=4000)))
    with pytest.raises(errors.NetworkError):
        await async_client.files.download("file_1", tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []
    assert len(faults.requests) == 1


async def test_wrong_bytes(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """A file that is there already stays as it was."""
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    faults.plays(drop(content(DATA[:-1] + b"!", TAG)))
    with pytest.raises(errors.InvalidResponseError, match="SHA-256"):
        await async_client.files.download("file_1", target)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"old")]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("attachment; filename*=utf-8''%E5%91%A8%E6%8A%A5.txt", "周报.txt"),
        ('attachment; filename="../../evil.txt"', "evil.txt"),
        ("attachment; filename*=utf-8''..%2F..%2Fevil.txt", "evil.txt"),
        ('attachment; filename=".."', "download"),
        ("inline", "download"),
    ],
)
async def test_names_of_downloads(
    faults: FaultServer,
    async_client: nexusai.AsyncNexusAIClient,
    tmp_path: Path,
    disposition: str,
    name: str,
) -> None:
    """A server cannot choose a place outside the directory that the caller gave."""
    faults.plays(reply(200, raw=b"abc", content_disposition=disposition))
    assert await async_client.files.download("file_1", tmp_path) == tmp_path / name


async def test_older_listings(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """A bare array, and `mime_type`."""
    row: Dict[str, Any] = {"file_id": "f", "filename": "a", "mime_type": "text/plain", "size": 1}
    faults.plays(reply(200, [row]))
    (file,) = await async_client.files.list()
    assert file.content_type == "text/plain"


async def test_a_picture_elsewhere_is_fetched_without_the_key(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The key goes to the platform's origin only."""
    elsewhere = FaultServer()
    try:
        address = elsewhere.base_url.replace("/api/v1", "/cdn/picture.png?sig=1")
        output = {"image_url": address, "width": 8, "height": 8}
        done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
        faults.plays(reply(200, done), reply(200, done))
        elsewhere.plays(reply(200, raw=b"PNG"))
        options = async_client.with_options(default_headers={"X-Tenant": "secret"})
        image = await options.images.generate("a cat")
        assert await image.read() == b"PNG"
        (seen,) = elsewhere.requests
        assert seen.target == "/cdn/picture.png?sig=1"
        assert not {"authorization", "x-tenant", "idempotency-key"} & set(seen.headers)
    finally:
        elsewhere.stop()


@pytest.mark.parametrize(
    "output",
    [
        {"image_url": "/api/v1/files/file_9/content", "width": 4, "height": 2},
        {"images": [{"url": "/api/v1/files/file_9/content", "width": 4, "height": 2, "index": 0}]},
    ],
)
async def test_pictures_of_the_platform(
    faults: FaultServer,
    async_client: nexusai.AsyncNexusAIClient,
    tmp_path: Path,
    output: Dict[str, Any],
) -> None:
    """Both shapes; they are fetched with the key, at an address below the platform's."""
    done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
    faults.plays(reply(202, {"task_id": "t", "status": "queued"}), reply(200, done))
    task = await async_client.images.generate_async("猫", size="512x256", num_images=1)
    image = await task.wait()
    assert (image.width, image.height) == (4, 2)
    assert faults.requests[0].json == {
        "task_type": "image_generation",
        "input": {"prompt": "猫"},
        "config": {"size": "512x256", "quality": "standard", "num_images": 1},
    }
    faults.plays(reply(200, raw=b"PNG"))
    assert (await image.save(tmp_path / "cat.png")).read_bytes() == b"PNG"
    assert faults.requests[-1].target == "/api/v1/files/file_9/content"
    assert faults.requests[-1].headers["authorization"].startswith("Bearer ")


async def test_several_pictures(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """Each can be read; so can one that stands in the answer itself."""
    images = [{"url": f"data:image/png;base64,{code}", "width": 1, "height": 1} for code in ("QQ==", "Qg==")]
    done = {"task_id": "t", "status": "completed", "output": {"images": images}}
    faults.plays(reply(200, done))
    image = await async_client.images.generate("two", num_images=2)
    assert [await each.read() for each in image.images] == [b"A", b"B"]
    assert await image.read() == b"A"


async def test_a_picture_within_the_answer_is_saved_as_any_other(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """In a directory, too; what was there under its name is exchanged, not overwritten."""
    output = {"image_url": "data:image/png;base64,QQ==", "width": 1, "height": 1}
    faults.plays(reply(200, {"task_id": "t", "status": "completed", "output": output}))
    image = await async_client.images.generate("one")
    assert (await image.save(tmp_path)).read_bytes() == b"A"
    earlier, link = tmp_path / "earlier.png", tmp_path / "link.png"
    earlier.write_bytes(b"earlier")
    os.link(earlier, link)
    assert await image.save(earlier) == earlier
    assert (earlier.read_bytes(), link.read_bytes()) == (b"A", b"earlier")
    with pytest.raises(FileNotFoundError):
        await image.save(tmp_path / "nowhere" / "x.png")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["download", "earlier.png", "link.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and access rights are others there")
async def test_a_place_stays_what_it_is(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """What a link points to is exchanged, not the link; who may read it, too; and a pipe passes it on."""
    output = {"image_url": "data:image/png;base64,QQ==", "width": 1, "height": 1}
    faults.plays(reply(200, {"task_id": "t", "status": "completed", "output": output}))
    image = await async_client.images.generate("one")
    private, link, pipe = tmp_path / "private", tmp_path / "link", tmp_path / "pipe"
    private.write_bytes(b"earlier")
    private.chmod(0o600)
    link.symlink_to(private)
    os.mkfifo(pipe)

    async def save(place: Path, content: bytes) -> None:
        faults.plays(reply(200, raw=content))
        await (await async_client.files.download("file_1")).save(place)

    assert await image.save(link) == link
    assert (link.is_symlink(), private.read_bytes()) == (True, b"A")
    await save(link, b"B")
    assert (link.is_symlink(), private.read_bytes()) == (True, b"B")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    await save(pipe, b"C")
    await image.save(pipe)
    assert os.read(reader, 10) == b"CA"
    os.close(reader)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "pipe", "private"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": " "},
        {"prompt": "x", "size": "big"},
        {"prompt": "x", "aspect_ratio": "2:1"},
        {"prompt": "x", "size": "64x64", "aspect_ratio": "1:1"},
        {"prompt": "x", "num_images": 0},
    ],
)
async def test_pictures_that_cannot_be(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, wrong: Dict[str, Any]
) -> None:
    """Told before anything is sent."""
    with pytest.raises(ValueError, match=r"prompt|size|aspect_ratio|num_images"):
        await async_client.images.generate(**wrong)
    assert not faults.requests


async def test_recordings(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, tmp_path: Path
) -> None:
    """A file is uploaded by itself; progress is told; a text becomes a recording."""
    output = {
        "text": "你好",
        "language": "zh",
        "duration": 1.5,
        "segments": [{"start": 0, "end": 1.5, "text": "你好"}],
    }
    done = {"task_id": "t", "status": "completed", "task_type": "speech_to_text", "output": output}
    working = {"task_id": "t", "status": "running", "progress": 40}
    faults.plays(
        reply(201, FILE),
        reply(202, {"task_id": "t", "status": "queued"}),
        reply(200, working),
        reply(200, done),
    )
    seen: List[Any] = []
    transcript = await async_client.audio.transcribe(
        ("a.wav", b"RIFF"), language="zh", on_progress=lambda task: seen.append(task.progress)
    )
    assert (transcript.text, transcript.segments[0].end) == ("你好", 1.5)
    assert seen == [40.0, None]
    assert faults.requests[1].json["input"] == {"file_id": "file_1"}
    assert faults.requests[1].json["config"] == {"language": "zh"}
    spoken = {"task_id": "t", "status": "completed", "output": {"audio_url": "/api/v1/files/f/content"}}
    faults.plays(reply(200, spoken), reply(200, raw=b"RIFF"))
    recording = await async_client.audio.synthesize("你好", voice="zf", format="wav")
    assert (await recording.save(tmp_path / "a.wav")).read_bytes() == b"RIFF"
    for wrong in ({}, {"file": b"x", "file_id": "f"}):
        with pytest.raises(ValueError, match="either"):
            await async_client.audio.transcribe(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nothing to read"):
        await async_client.audio.synthesize(" ")


async def test_a_handle_found_again(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """What `tasks.get` finds can be read like what `generate` returns."""
    output = {"image_url": "/api/v1/files/f/content"}
    done = {"task_id": "t", "status": "completed", "task_type": "image_generation", "output": output}
    spoken = {**done, "task_type": "text_to_speech", "output": {"audio_url": "/api/v1/files/f/content"}}
    faults.plays(reply(200, done), reply(200, raw=b"PNG"), reply(200, spoken), reply(200, raw=b"RIFF"))
    for expected in (b"PNG", b"RIFF"):
        handle = await async_client.tasks.get("t")
        assert await (await handle.wait()).read() == expected


async def test_a_long_answer_may_be_the_last_of_its_connection(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """`Connection: close` holds for it, too: the next call has another connection."""
    faults.plays(*[reply(200, raw=b"x" * 1_500_000, connection="close")] * 3)
    once = async_client.with_options(max_retries=0)
    for _ in range(3):
        async with await once.files.download("file_1") as download:
            assert len(await download.read()) == 1_500_000
    assert faults.connections == 3


async def test_a_download_is_never_asked_for_compressed(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Else its size, its checksum and where it broke off would be those of something else."""
    faults.plays(reply(200, raw=b"whole"))
    packed = async_client.with_options(default_headers={"Accept-Encoding": "gzip"})
    async with await packed.files.download("file_1") as download:
        assert await download.read() == b"whole"
    assert faults.requests[0].headers["accept-encoding"] == "identity"
