"""A platform behind a platform: what the one offers at `/v1` the other uses as its provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from server.process import ServerProcess, text

MODELS = {
    "smollm2-135m": "text_generation",
    "nexus-illustrator-1": "image_generation",
    "whisper-base": "speech_to_text",
    "kokoro-82m": "text_to_speech",
    "multilingual-e5-small-q4": "embeddings",
}


@pytest.fixture(scope="module")
def front(platform: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A platform without a model of its own."""
    upstream = {
        "name": "behind",
        "base_url": platform.url.replace("/api/v1", "/v1"),
        "api_key": platform.key,
        "models": {name: name for name in MODELS},
        "task_types": {name: [kind] for name, kind in MODELS.items()},
        "max_retries": 0,
    }
    directory = tmp_path_factory.mktemp("front") / "data"
    with ServerProcess(directory, upstreams=json.dumps([upstream])) as running:
        yield running


def output(front: ServerProcess, task_type: str, given: dict[str, Any], **config: Any) -> dict[str, Any]:
    """What a task came to."""
    body = {"task_type": task_type, "input": given, "config": config}
    answer = front.invoke(body, Prefer="wait=60")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["output"])


def test_text(front: ServerProcess, platform: ServerProcess) -> None:
    """The same words as from behind, whole and streamed."""
    config = {"max_tokens": 12, "temperature": 0}
    direct = output(platform, "text_generation", {"prompt": "Say hello."}, **config)
    through = output(front, "text_generation", {"prompt": "Say hello."}, **config)
    assert (through["text"], through["usage"]) == (direct["text"], direct["usage"])
    streamed = front.invoke(text("Say hello.", stream=True, config=config)).text
    events = [json.loads(event[6:]) for event in streamed.strip().split("\n\n")[:-1]]
    assert "".join(event["delta"]["content"] for event in events[:-1]) == direct["text"]
    assert events[-1]["usage"] == direct["usage"]


def test_images(front: ServerProcess) -> None:
    """As many as were asked for, kept here."""
    drawn = output(front, "image_generation", {"prompt": "两只猫在海边"}, num_images=2, size="256x256")
    assert [(each["width"], each["height"]) for each in drawn["images"]] == [(256, 256)] * 2
    assert "猫" in drawn["revised_prompt"]
    assert drawn["image_url"].startswith(front.url)
    picture = front.client.get(drawn["image_url"])
    assert (picture.headers["content-type"], picture.content[1:4]) == ("image/png", b"PNG")


def test_speech(front: ServerProcess) -> None:
    """Read aloud behind, kept here, and written down behind."""
    spoken = output(
        front, "text_to_speech", {"text": "The library opens at nine."}, voice="af_heart", format="wav"
    )
    file_id = spoken["audio_url"].split("/")[-2]
    heard = output(front, "speech_to_text", {"file_id": file_id}, language="en")
    assert "library opens" in heard["text"]
    assert (heard["language"], len(heard["segments"])) == ("en", 1)


def test_embeddings(front: ServerProcess, platform: ServerProcess) -> None:
    """The same vectors."""
    body = {"input": ["猫", "cat"], "encoding_format": "base64"}
    direct, through = (server.client.post("/embeddings", json=body).json() for server in (platform, front))
    assert through["data"] == direct["data"]


def test_refusals_pass_through(front: ServerProcess) -> None:
    """What the one behind will not do is told with its reason."""
    body = {"task_type": "text_to_speech", "input": {"text": "hi"}, "config": {"voice": "nobody"}}
    answer = front.invoke(body, Prefer="wait=60")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_REQUEST")
    assert "af_heart" in answer.json()["detail"]
