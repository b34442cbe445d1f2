"""Recordings: what a platform has answered once, for tests that have none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import pytest
from faults.server import DONE, FaultServer, completed, delta, drop, event, head, reply, reset, stream

import nexusai
from nexusai import error as errors
from nexusai.testing import Recording, UnexpectedCallError

pytestmark = pytest.mark.anyio
KEY = "nxs_canary_51c0ffee"


def calls_of(path: Path) -> List[Any]:
    return list(json.loads(path.read_text(encoding="utf-8"))["calls"])


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """Where the recording is."""
    return tmp_path / "recordings" / "test.json"


async def test_what_was_answered_once_is_answered_again(faults: FaultServer, path: Path) -> None:
    """In its order, without a platform, without a key, and without a wait."""
    for word in ("one", "two"):
        faults.plays(reply(503, {"detail": "busy"}), reply(200, completed(word), x_request_id="req_7"))
    with Recording(path, "record") as recording:
        client = recording.async_client(api_key=KEY, base_url=faults.base_url)
        assert [(await client.text.generate("hi")).text for _ in range(2)] == ["one", "two"]
    faults.stop()
    with Recording(path) as recording:
        client = recording.async_client()
        assert [(await client.text.generate("hi")).text for _ in range(2)] == ["one", "two"]
        assert len(recording.calls) == 4
        with pytest.raises(UnexpectedCallError, match=r"recorded 4 times, and all are used up"):
            await client.text.generate("hi")
        with pytest.raises(UnexpectedCallError, match=r"(?s)prompt 'other'.*POST /invoke.*'record'"):
            await client.text.generate("other")


async def test_the_file_is_for_people(faults: FaultServer, path: Path) -> None:
    """Readable, with no key in it, nor any header that is not known to be harmless."""
    faults.plays(reply(200, completed(f"你好 {KEY}"), set_cookie="session=1", x_request_id="req_7"))
    with Recording(path, "record") as recording:
        await recording.async_client(api_key=KEY, base_url=faults.base_url).text.generate("你好")
    told = path.read_text(encoding="utf-8")
    for secret in (KEY, "session=1", "req_7", "127.0.0.1", "idempotency", "authorization"):
        assert secret not in told.lower()
    (call,) = calls_of(path)
    assert call["request"] == {
        "method": "POST",
        "path": "/invoke",
        "json": {"task_type": "text_generation", "input": {"prompt": "你好"}},
    }
    assert call["response"]["json"]["output"]["text"] == "你好 ***"
    assert '"text": "你好 ***"' in told


async def test_streams_are_kept_by_their_events(faults: FaultServer, path: Path) -> None:
    """A whole one, one that broke off, and one that was left."""
    facts = event({"finish_reason": "stop"})
    faults.plays(
        stream(delta("Hel"), delta("lo"), facts, DONE),
        reset(head(200, {"content-type": "text/event-stream"}), delta("Hel")),
        stream(delta("one"), delta("two"), DONE),
    )

    async def read(recording: Recording) -> List[str]:
        client = recording.async_client(api_key=KEY, base_url=address, resume_streams=False)
        whole = await client.text.stream("whole").read()
        with pytest.raises(errors.StreamInterruptedError) as caught:
            await client.text.stream("cut").read()
        async with client.text.stream("left") as left:
            async for _ in left:
                break
        return [whole.text, str(whole.finish_reason), str(caught.value.partial_text), left.text]

    address = faults.base_url
    with Recording(path, "record") as recording:
        live = await read(recording)
    assert live == ["Hello", "stop", "Hel", "one"]
    assert calls_of(path)[0]["response"]["events"][0] == {"json": {"delta": {"content": "Hel"}}}
    assert calls_of(path)[0]["response"]["events"][-1] == {"text": "[DONE]"}
    faults.stop()
    assert await read(Recording(path)) == live


@pytest.mark.parametrize("broken", [b'{"delta": ', b"[{" * 50_000])
async def test_an_event_that_is_broken_is_kept_as_it_came(
    faults: FaultServer, path: Path, broken: bytes
) -> None:
    """The call fails as it does without a recording, and again when it is replayed."""
    faults.plays(stream(delta("Hel"), b"data: " + broken + b"\n\n", DONE))
    address = faults.base_url

    async def read(recording: Recording) -> str:
        client = recording.async_client(api_key=KEY, base_url=address, resume_streams=False)
        with pytest.raises(errors.InvalidResponseError) as caught:
            await client.text.stream("hi").read()
        return caught.value.message

    with Recording(path, "record") as recording:
        live = await read(recording)
    assert calls_of(path)[0]["response"]["events"][1] == {"text": broken.decode()}
    assert await read(Recording(path)) == live


async def test_files_are_kept_too(faults: FaultServer, path: Path) -> None:
    """What was uploaded is part of the question, what was downloaded of the answer."""
    content = bytes(range(256))
    faults.plays(
        reply(201, {"file_id": "file_1", "size": 256}), reply(200, raw=content, content_type="image/png")
    )

    address = faults.base_url

    async def there_and_back(recording: Recording, sent: bytes) -> bytes:
        client = recording.async_client(api_key=KEY, base_url=address)
        file = await client.files.upload(("a.png", sent))
        return await (await client.files.download(file.file_id)).read()

    with Recording(path, "record") as recording:
        assert await there_and_back(recording, content) == content
    faults.stop()
    assert await there_and_back(Recording(path), content) == content
    with pytest.raises(UnexpectedCallError):
        await there_and_back(Recording(path), b"another")


async def test_auto_asks_only_for_what_is_missing(faults: FaultServer, path: Path) -> None:
    """And adds it."""
    faults.plays(reply(200, completed("one")), reply(200, completed("two")))
    for prompts in (["a"], ["a", "b"], ["a", "b"]):
        with Recording(path, "auto") as recording:
            client = recording.async_client(api_key=KEY, base_url=faults.base_url)
            answers = [(await client.text.generate(prompt)).text for prompt in prompts]
            assert answers == ["one", "two"][: len(prompts)]
    assert len(faults.requests) == len(calls_of(path)) == 2


async def test_a_task_that_is_looked_at_more_often(faults: FaultServer, path: Path) -> None:
    """The last look is repeated: how often somebody looks depends on the time."""
    task = {"task_id": "task_1", "status": "running"}
    faults.plays(reply(202, {**task, "status": "queued"}), reply(200, task), reply(200, completed()))
    with Recording(path, "record") as recording:
        client = recording.async_client(api_key=KEY, base_url=faults.base_url)
        assert (await (await client.text.generate_async("hi")).wait()).text == "hello"
    faults.stop()
    recording = Recording(path)
    handle = await recording.async_client().text.generate_async("hi")
    assert (await handle.wait()).text == "hello"
    assert (await handle.refresh()).status == "completed"


async def test_what_may_be_kept_is_for_the_user_to_say(faults: FaultServer, path: Path) -> None:
    """The same is done to what is compared."""
    faults.plays(reply(200, completed("Dear Ada, hello.")))

    def redact(text: str) -> str:
        return text.replace("Ada", "NAME")

    with Recording(path, "record", redact=redact) as recording:
        await recording.async_client(api_key=KEY, base_url=faults.base_url).text.generate("Greet Ada")
    assert "Ada" not in path.read_text(encoding="utf-8")
    replayed = Recording(path, redact=redact).async_client()
    assert (await replayed.text.generate("Greet Ada")).text == "Dear NAME, hello."


async def test_a_connection_that_broke_breaks_again(faults: FaultServer, path: Path) -> None:
    """As an error of the same kind."""
    faults.plays(drop(), drop())
    for mode in ("record", "replay"):
        with Recording(path, mode) as recording:
            client = recording.async_client(api_key=KEY, base_url=faults.base_url, max_retries=1)
            with pytest.raises(errors.NetworkError) as caught:
                await client.text.generate("hi")
            assert len(caught.value.attempts) == 2
    assert len(faults.requests) == 2


async def test_every_client_is_recorded_where_it_is_installed(faults: FaultServer, path: Path) -> None:
    """The default one, too."""
    faults.plays(reply(200, completed("one")))
    nexusai.config.base_url, nexusai.config.api_key = faults.base_url, KEY
    with Recording(path, "record") as recording, recording.installed():
        assert (await nexusai.aio.text.generate("hi")).text == "one"
    nexusai.config.reset()
    with Recording(path).installed():
        assert (await nexusai.aio.text.generate("hi")).text == "one"


async def test_a_wrong_file_or_mode_is_told(path: Path) -> None:
    """At once, and with what to do."""
    with pytest.raises(FileNotFoundError, match="there is no recording yet"):
        Recording(path)
    with pytest.raises(ValueError, match="replay, record, auto"):
        Recording(path, "rewind")
    path.parent.mkdir()
    path.write_text("[]")
    with pytest.raises(ValueError, match="version 1"):
        Recording(path)
