"""`/v1`, used by OpenAI's own client."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI
from PIL import Image
from server.process import ServerProcess
from server.upstream import FakeUpstream

ASK: list[Any] = [{"role": "user", "content": "hi"}]


def client_of(server: ServerProcess, key: str | None = None) -> OpenAI:
    base_url = server.url.replace("/api/v1", "/v1")
    return OpenAI(api_key=key or server.key, base_url=base_url, max_retries=0, timeout=60)


@pytest.fixture
def scripted(server: ServerProcess) -> Iterator[OpenAI]:
    """A client of the platform whose provider does as it is told."""
    with client_of(server) as client:
        yield client


@pytest.fixture
def real(platform: ServerProcess) -> Iterator[OpenAI]:
    """A client of the platform with real models."""
    with client_of(platform) as client:
        yield client


def test_chat(scripted: OpenAI, server: ServerProcess) -> None:
    """A whole answer, which is a task like any other."""
    answer = scripted.chat.completions.create(
        model="fake-large",
        messages=[
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "你"}, {"type": "text", "text": "好"}]},
        ],
        temperature=0.5,
        extra_body={"fake": {"text": "你好！"}},
    )
    assert answer.choices[0].message.content == "你好！"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.object) == ("fake-large", "chat.completion")
    assert answer.usage
    assert answer.usage.total_tokens == 8
    task = server.client.get(f"/tasks/{answer.id}").json()
    assert (task["status"], task["task_type"]) == ("completed", "text_generation")


def test_chat_passes_on(scripted: OpenAI, upstream: FakeUpstream) -> None:
    """Roles, joined parts and unknown options reach the provider; what was not said does not."""
    scripted.chat.completions.create(
        model="default",
        messages=[{"role": "developer", "content": [{"type": "text", "text": "a"}]}, *ASK],
        temperature=0.25,
        extra_body={"fake": {"tokens": 1}, "top_k": 3},
    )
    body = upstream.chats()[-1].body
    assert body["messages"] == [{"role": "system", "content": "a"}, *ASK]
    assert (body["temperature"], body["top_k"], body["model"]) == (0.25, 3, "fake-small")
    assert "max_tokens" not in body


@pytest.mark.parametrize("usage", [True, False])
def test_chat_streamed(scripted: OpenAI, *, usage: bool) -> None:
    """Pieces, an end with its reason, and the usage where it was asked for."""
    stream = scripted.chat.completions.create(
        model="fake-small",
        messages=ASK,
        stream=True,
        extra_body={"fake": {"tokens": 3}},
        **({"stream_options": {"include_usage": True}} if usage else {}),
    )
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == "w0 w1 w2 "
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([10] if usage else [])
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_that_is_left(scripted: OpenAI, server: ServerProcess, upstream: FakeUpstream) -> None:
    """The generation stops."""
    fake = {"tokens": 1000, "delay": 0.05}
    with scripted.chat.completions.create(
        model="fake-small", messages=ASK, stream=True, extra_body={"fake": fake}
    ) as stream:
        first = next(iter(stream))
    seen = upstream.chats()[-1]
    assert seen.ended.wait(5)
    assert seen.state == "disconnected"
    assert server.finished(first.id)["status"] == "cancelled"


def test_a_whole_answer_that_is_not_awaited(scripted: OpenAI, upstream: FakeUpstream) -> None:
    """The generation stops, too."""
    fake = {"tokens": 1000, "delay": 0.05}
    with pytest.raises(openai.APITimeoutError):
        scripted.with_options(timeout=1).chat.completions.create(
            model="fake-small", messages=ASK, extra_body={"fake": fake}
        )
    seen = upstream.chats()[-1]
    assert seen.ended.wait(5)
    assert seen.state == "disconnected"


def test_an_answer_that_a_shutdown_cuts_off(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Its caller is told at once, and the task is not done again for nobody."""
    with ServerProcess(tmp_path / "data", upstream.base_url, shutdown_grace=0.2) as server:
        with client_of(server) as client, ThreadPoolExecutor() as threads:
            fake = {"tokens": 1000, "delay": 0.05}
            before = len(upstream.chats())
            asked = threads.submit(
                client.chat.completions.create, model="fake-small", messages=ASK, extra_body={"fake": fake}
            )
            seen = upstream.wait_for_chats(before + 1)[-1]
            assert seen.began.wait(10)
            server.stop()
            with pytest.raises(openai.InternalServerError, match="stopped") as caught:
                asked.result()
        assert caught.value.status_code == 503
        server.start()
        assert [task["status"] for task in server.client.get("/tasks").json()["tasks"]] == ["cancelled"]


def test_a_stream_that_fails(scripted: OpenAI) -> None:
    """Before its first piece as a status; after it as the client's error."""
    with pytest.raises(openai.RateLimitError) as early:
        scripted.chat.completions.create(
            model="fake-small", messages=ASK, stream=True, extra_body={"fake": {"status": 429}}
        )
    assert early.value.code == "rate_limit_exceeded"
    stream = scripted.chat.completions.create(
        model="fake-small", messages=ASK, stream=True, extra_body={"fake": {"error_after": 2}}
    )
    with pytest.raises(openai.APIError, match="it broke|broke") as late:
        list(stream)
    assert isinstance(late.value.body, dict)
    assert set(late.value.body) >= {"message", "type", "code", "param"}


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "messages", "required"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": ASK, "n": 2}, "n", "1"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role", "system"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None, "text"),
        ({"messages": ASK, "tools": [{"type": "function"}]}, None, "not supported"),
    ],
)
def test_bad_chats(scripted: OpenAI, body: dict[str, Any], param: str | None, words: str) -> None:
    """400 in OpenAI's shape, naming the field."""
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        scripted.post("/chat/completions", body=body, cast_to=object)
    assert caught.value.type == "invalid_request_error"
    assert param is None or caught.value.param == param


@pytest.mark.parametrize(
    "more",
    [
        '"temperature": NaN',
        '"seed": 1e999',
        '"stop": ["\\ud800"]',
        f'"x": {"[" * 100}{"]" * 100}',
        f'"x": {"[" * 100_000}{"]" * 100_000}'[:90_000],
    ],
)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", '"messages": [{"role": "user", "content": "hi"}]'),
        ("/images/generations", '"prompt": "hi"'),
        ("/audio/speech", '"input": "hi"'),
    ],
)
def test_what_json_cannot_carry(server: ServerProcess, path: str, body: str, more: str) -> None:
    """400, whatever option holds it."""
    url = server.url.replace("/api/v1", "/v1") + path
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    answer = httpx.post(url, content=f"{{{body}, {more}}}", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_half_a_character(server: ServerProcess) -> None:
    """Is none that could be sent on."""
    url = server.url.replace("/api/v1", "/v1") + "/chat/completions"
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    body = b'{"messages": [{"role": "user", "content": "\\ud800"}]}'
    assert httpx.post(url, content=body, headers=headers).status_code == 400


def test_errors(scripted: OpenAI, server: ServerProcess) -> None:
    """Each becomes the client's own exception."""
    with pytest.raises(openai.NotFoundError, match="fake-small") as missing:
        scripted.chat.completions.create(model="gpt-none", messages=ASK)
    assert missing.value.code == "model_not_found"
    with client_of(server, "nxs_wrong_key") as wrong, pytest.raises(openai.AuthenticationError) as stranger:
        wrong.models.list()
    assert stranger.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as nowhere:
        scripted.get("/nowhere", cast_to=object)
    assert nowhere.value.code == "not_found"
    with pytest.raises(openai.APIStatusError) as method:
        scripted.get("/embeddings", cast_to=object)
    assert method.value.status_code == 405
    with pytest.raises(openai.APIStatusError) as large:
        scripted.chat.completions.create(
            model="fake-small", messages=[{"role": "user", "content": "x" * 200_000}]
        )
    assert large.value.status_code == 413
    with pytest.raises(openai.InternalServerError):
        scripted.chat.completions.create(
            model="fake-small", messages=ASK, extra_body={"fake": {"status": 500}}
        )


def test_every_route_asks_for_a_key(server: ServerProcess) -> None:
    """None is open by mistake."""
    base = server.url.replace("/api/v1", "/v1")
    paths = httpx.get(f"{base}/openapi.json").json()["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods]
    assert len(routes) == 7
    for method, path in routes:
        answer = httpx.request(method, base + path.replace("{model}", "x"), json={})
        assert answer.status_code == 401, path
        assert set(answer.json()["error"]) >= {"message", "type", "code", "param"}


def test_models(scripted: OpenAI) -> None:
    """What can be asked for."""
    assert [model.id for model in scripted.models.list()] == ["fake-small", "fake-large"]
    assert scripted.models.retrieve("fake-large").owned_by == "fake"
    with pytest.raises(openai.NotFoundError, match="fake-small"):
        scripted.models.retrieve("org/none")


def test_what_needs_a_model_that_is_not_there(scripted: OpenAI) -> None:
    """503, and how to get one."""
    with pytest.raises(openai.InternalServerError, match="nexusai models pull") as caught:
        scripted.audio.speech.create(model="default", voice="af_heart", input="hi")
    assert caught.value.status_code == 503


@pytest.mark.parametrize("form", ["float", "base64"])
def test_embeddings(real: OpenAI, form: Any) -> None:
    """Both encodings, and the client's own default."""
    texts = ["the cat sleeps", "猫在睡觉", "quarterly revenue"]
    answer = real.embeddings.create(model="default", input=texts, encoding_format=form)
    rows = [
        row.embedding
        if form == "float"
        else np.frombuffer(base64.b64decode(str(row.embedding)), np.float32).tolist()
        for row in answer.data
    ]
    cat, chinese, money = (np.array(row) for row in rows)
    assert cat @ chinese > cat @ money
    assert answer.usage.total_tokens > 0
    assert len(real.embeddings.create(model="default", input="cat").data) == 1


def test_tokens_are_no_texts(real: OpenAI) -> None:
    """They are refused with the reason."""
    with pytest.raises(openai.BadRequestError, match="send texts"):
        real.embeddings.create(model="default", input=[1, 2, 3])


def test_speech_and_its_transcript(real: OpenAI, tmp_path: Path) -> None:
    """What is read aloud is written down again, in every form; the upload is not kept."""
    spoken = real.audio.speech.create(
        model="default",
        voice="af_heart",
        input="The library opens at nine in the morning.",
        response_format="wav",
    )
    recording = tmp_path / "录音.wav"
    spoken.write_to_file(recording)
    assert recording.read_bytes()[:4] == b"RIFF"
    transcript = real.audio.transcriptions.create(model="whisper-base", file=recording, language="en")
    assert "library opens at" in transcript.text
    detailed = real.audio.transcriptions.create(
        model="default", file=recording, response_format="verbose_json"
    )
    assert detailed.language == "en"
    assert detailed.segments
    assert detailed.segments[0].end > 1
    subtitles = real.audio.transcriptions.create(model="default", file=recording, response_format="srt")
    assert str(subtitles).startswith("1\n00:00:0")
    web = real.audio.transcriptions.create(model="default", file=recording, response_format="vtt")
    assert str(web).startswith("WEBVTT\n\n00:00:0")
    plain = real.audio.transcriptions.create(model="default", file=recording, response_format="text")
    assert "library" in str(plain)
    files = real.get("/../api/v1/files", cast_to=httpx.Response)
    assert recording.name not in files.text


@pytest.mark.parametrize(
    ("options", "words"),
    [({"response_format": "docx"}, "verbose_json"), ({"stream": True}, "not streamed")],
)
def test_bad_transcriptions(real: OpenAI, options: dict[str, Any], words: str) -> None:
    """Told with what there is."""
    with pytest.raises(openai.BadRequestError, match=words):
        real.audio.transcriptions.create(
            model="default", file=("a.wav", b"RIFF\x00\x00\x00\x00WAVEfmt "), **options
        )


def test_bad_speech(real: OpenAI) -> None:
    """A voice that there is not; the error lists those that are."""
    with pytest.raises(openai.BadRequestError, match="af_heart"):
        real.audio.speech.create(model="default", voice="nobody", input="hi")


def test_images(real: OpenAI, platform: ServerProcess) -> None:
    """As bytes in the answer, or as addresses that ask for the key."""
    answer = real.images.generate(
        model="nexus-illustrator-1", prompt="两只猫在海边", n=2, size="512x512", response_format="b64_json"
    )
    pictures = [base64.b64decode(image.b64_json or "") for image in answer.data or []]
    assert len(set(pictures)) == 2
    assert Image.open(io.BytesIO(pictures[0])).size == (512, 512)
    linked = real.images.generate(prompt="a cat", size="256x256").data or []
    assert "cat" in (linked[0].revised_prompt or "")
    url = linked[0].url or ""
    assert httpx.get(url).status_code == 401
    headers = {"Authorization": f"Bearer {platform.key}"}
    assert Image.open(io.BytesIO(httpx.get(url, headers=headers).content)).size == (256, 256)


def test_bad_images(real: OpenAI) -> None:
    """The contract's limits hold here, too."""
    with pytest.raises(openai.BadRequestError, match="WIDTHxHEIGHT"):
        real.images.generate(prompt="a cat", size="1x1")  # type: ignore[call-overload]
    with pytest.raises(openai.BadRequestError, match="num_images"):
        real.images.generate(prompt="a cat", n=9)
