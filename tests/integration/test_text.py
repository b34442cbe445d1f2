# Generated from tests/aio/integration/test_text.py by scripts/unasync.py: edit that file.

"""The SDK and the platform, with a real model: SmolLM2 for what it writes, a scripted provider for when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nexusai
from nexusai import error as errors

if TYPE_CHECKING:
    from server.process import ServerProcess


def test_a_real_answer(live: nexusai.NexusAIClient) -> None:
    """Words, counted, from the model that was named."""
    answer = live.text.generate("Say hello.", temperature=0, max_tokens=12)
    assert "hello" in answer.text.lower()
    assert answer.model == "smollm2-135m"
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.request_id


def test_a_conversation(live: nexusai.NexusAIClient) -> None:
    """What was said before is known."""
    answer = live.text.generate(
        messages=[
            {"role": "system", "content": "You repeat the user's last word."},
            {"role": "user", "content": "My favourite colour is blue. Which colour do I like?"},
        ],
        temperature=0,
        max_tokens=20,
    )
    assert "blue" in answer.text.lower()


def test_the_same_seed_gives_the_same_words(live: nexusai.NexusAIClient) -> None:
    """Options reach the model."""
    asked = {"temperature": 0.9, "seed": 7, "max_tokens": 12}
    first = live.text.generate("Tell me something.", **asked)  # type: ignore[arg-type]
    second = live.text.generate("Tell me something.", **asked)  # type: ignore[arg-type]
    assert first.text == second.text


def test_a_real_stream(live: nexusai.NexusAIClient) -> None:
    """Piece by piece the same words as at once."""
    whole = live.text.generate("Count to five.", temperature=0, max_tokens=20)
    stream = live.text.stream("Count to five.", temperature=0, max_tokens=20)
    pieces = [text for text in stream.text_deltas]
    assert len(pieces) > 3
    assert "".join(pieces) == stream.response.text == whole.text
    assert stream.response.usage == whole.usage
    assert stream.response.finish_reason == whole.finish_reason
    assert stream.task_id is not None
    task = live.tasks.get(stream.task_id)
    assert task.output is not None
    assert task.output["text"] == whole.text


def test_a_real_task(live: nexusai.NexusAIClient) -> None:
    """Submitted, found again, waited for elsewhere."""
    handle = live.text.generate_async("Say hello.", temperature=0, max_tokens=12)
    assert handle.status == "queued"
    elsewhere = live.tasks.get(handle.task_id)
    states = []
    answer = elsewhere.wait(on_progress=lambda task: states.append(task.status))
    assert "hello" in answer.text.lower()
    assert states[-1] == "completed"
    assert (handle.wait()).text == answer.text
    assert handle.created_at is not None
    assert handle.finished_at is not None
    assert handle.created_at <= handle.finished_at
    assert handle.task_id in [task.task_id for task in live.tasks.list(status="completed")]


def test_every_script_survives_the_way(live: nexusai.NexusAIClient) -> None:
    """There and back, at once and as a stream."""
    text = '你好，世界！\u2028😀 e\u0301 "引号" \\ مرحبا'
    fake = {"text": text}
    answer = live.text.generate("写" * 10, "fake", "fake-small", fake=fake)
    assert answer.text == text
    assert (live.text.stream("写", "fake", "fake-small", fake=fake).read()).text == text


def test_work_that_outlasts_the_timeout_is_not_lost(live: nexusai.NexusAIClient) -> None:
    """The platform answers in time that it goes on, and the client goes on waiting."""
    impatient = live.with_options(timeout=2)
    slow = {"tokens": 5, "delay": 0.7}
    answer = impatient.text.generate("hi", "fake", "fake-small", fake=slow)
    assert answer.text == "w0 w1 w2 w3 w4 "


def test_leaving_a_stream_stops_its_task(live: nexusai.NexusAIClient) -> None:
    """The platform hears of it."""
    endless = {"tokens": 10_000, "delay": 0.02}
    with live.text.stream("hi", "fake", "fake-small", fake=endless) as stream:
        for _ in stream:
            break
        task_id = stream.task_id
    assert task_id is not None
    with pytest.raises(errors.TaskCancelledError):
        live.tasks.wait(task_id, timeout=10)


def test_cancelling_a_running_task(live: nexusai.NexusAIClient) -> None:
    """It ends at once, and only once."""
    endless = {"tokens": 10_000, "delay": 0.02}
    handle = live.text.generate_async("hi", "fake", "fake-small", fake=endless)
    assert (handle.cancel()).status == "cancelled"
    with pytest.raises(errors.TaskCancelledError):
        handle.wait()
    with pytest.raises(errors.ConflictError):
        live.tasks.cancel(handle.task_id)


def test_a_prompt_that_does_not_fit(live: nexusai.NexusAIClient) -> None:
    """Nothing is silently cut: the limit and the size are told."""
    with pytest.raises(errors.InvalidRequestError) as caught:
        live.text.generate("word " * 9000)
    assert caught.value.error_code == "CONTEXT_LENGTH_EXCEEDED"
    assert caught.value.response_body["limit"] < 9000 < caught.value.response_body["size"]


def test_what_does_not_exist_is_answered_with_what_does(
    live: nexusai.NexusAIClient,
) -> None:
    """Model, provider, task."""
    with pytest.raises(errors.InvalidRequestError, match="smollm2-135m"):
        live.text.generate("hi", model="gpt-99")
    with pytest.raises(errors.InvalidRequestError, match="fake"):
        live.text.generate("hi", provider="nobody")
    with pytest.raises(errors.NotFoundError):
        live.tasks.get("task_of_nobody")


def test_models(live: nexusai.NexusAIClient) -> None:
    """All providers' models, with what they can do."""
    models = {model.id: model for model in live.models.list()}
    assert models["smollm2-135m"].owned_by == "local"
    assert models["fake-small"].owned_by == "fake"
    assert "text_generation" in models["smollm2-135m"].task_types
    assert "text_generation" in models["smollm2-135m"].default_for


def test_a_wrong_key(platform: ServerProcess) -> None:
    """Refused, and never quoted."""
    with nexusai.NexusAIClient("nxs_wrong_canary", platform.url) as stranger:
        with pytest.raises(errors.AuthenticationError, match="Invalid API key") as caught:
            stranger.text.generate("hi")
        assert "canary" not in str(caught.value)
        with pytest.raises(errors.AuthenticationError):
            stranger.text.stream("hi").read()


def test_a_provider_that_fails(live: nexusai.NexusAIClient) -> None:
    """At once, as a task, and in the middle of a stream."""
    once = live.with_options(max_retries=0)
    broken = {"status": 500, "error": {"message": "boom"}}
    with pytest.raises(errors.ServerError):
        once.text.generate("hi", "fake", "fake-small", fake=broken)
    handle = once.text.generate_async("hi", "fake", "fake-small", fake=broken)
    with pytest.raises(errors.TaskFailedError):
        handle.wait()
    with pytest.raises(errors.StreamError) as caught:
        once.text.stream("hi", "fake", "fake-small", fake={"error_after": 2}).read()
    assert caught.value.partial_text == "w0 w1 "


def test_all_tasks_one_after_another(live: nexusai.NexusAIClient) -> None:
    """Pages are turned by themselves."""
    for _ in range(3):
        live.text.generate("hi", "fake", "fake-small", fake={"tokens": 1})
    total = (live.tasks.list(per_page=1)).total
    assert total is not None
    seen = [task.task_id for task in live.tasks.iter(per_page=2)]
    assert len(seen) == len(set(seen)) == total
    live.warmup()
