"""The SDK and the platform, with a real model: SmolLM2 for what it writes, a scripted provider for when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nexusai
from nexusai import error as errors

if TYPE_CHECKING:
    from server.process import ServerProcess

pytestmark = pytest.mark.anyio


async def test_a_real_answer(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Words, counted, from the model that was named."""
    answer = await async_live.text.generate("Say hello.", temperature=0, max_tokens=12)
    assert "hello" in answer.text.lower()
    assert answer.model == "smollm2-135m"
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.request_id


async def test_a_conversation(async_live: nexusai.AsyncNexusAIClient) -> None:
    """What was said before is known."""
    answer = await async_live.text.generate(
        messages=[
            {"role": "system", "content": "You repeat the user's last word."},
            {"role": "user", "content": "My favourite colour is blue. Which colour do I like?"},
        ],
        temperature=0,
        max_tokens=20,
    )
    assert "blue" in answer.text.lower()


async def test_the_same_seed_gives_the_same_words(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Options reach the model."""
    asked = {"temperature": 0.9, "seed": 7, "max_tokens": 12}
    first = await async_live.text.generate("Tell me something.", **asked)  # type: ignore[arg-type]
    second = await async_live.text.generate("Tell me something.", **asked)  # type: ignore[arg-type]
    assert first.text == second.text


async def test_a_real_stream(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Piece by piece the same words as at once."""
    whole = await async_live.text.generate("Count to five.", temperature=0, max_tokens=20)
    stream = async_live.text.stream("Count to five.", temperature=0, max_tokens=20)
    pieces = [text async for text in stream.text_deltas]
    assert len(pieces) > 3
    assert "".join(pieces) == stream.response.text == whole.text
    assert stream.response.usage == whole.usage
    assert stream.response.finish_reason == whole.finish_reason
    assert stream.task_id is not None
    task = await async_live.tasks.get(stream.task_id)
    assert task.output is not None
    assert task.output["text"] == whole.text


async def test_a_real_task(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Submitted, found again, waited for elsewhere."""
    handle = await async_live.text.generate_async("Say hello.", temperature=0, max_tokens=12)
    assert handle.status == "queued"
    elsewhere = await async_live.tasks.get(handle.task_id)
    states = []
    answer = await elsewhere.wait(on_progress=lambda task: states.append(task.status))
    assert "hello" in answer.text.lower()
    assert states[-1] == "completed"
    assert (await handle.wait()).text == answer.text
    assert handle.created_at is not None
    assert handle.finished_at is not None
    assert handle.created_at <= handle.finished_at
    assert handle.task_id in [task.task_id for task in await async_live.tasks.list(status="completed")]


async def test_every_script_survives_the_way(async_live: nexusai.AsyncNexusAIClient) -> None:
    """There and back, at once and as a stream."""
    text = '你好，世界！\u2028😀 e\u0301 "引号" \\ مرحبا'
    fake = {"text": text}
    answer = await async_live.text.generate("写" * 10, "fake", "fake-small", fake=fake)
    assert answer.text == text
    assert (await async_live.text.stream("写", "fake", "fake-small", fake=fake).read()).text == text


async def test_work_that_outlasts_the_timeout_is_not_lost(async_live: nexusai.AsyncNexusAIClient) -> None:
    """The platform answers in time that it goes on, and the client goes on waiting."""
    impatient = async_live.with_options(timeout=2)
    slow = {"tokens": 5, "delay": 0.7}
    answer = await impatient.text.generate("hi", "fake", "fake-small", fake=slow)
    assert answer.text == "w0 w1 w2 w3 w4 "


async def test_leaving_a_stream_stops_its_task(async_live: nexusai.AsyncNexusAIClient) -> None:
    """The platform hears of it."""
    endless = {"tokens": 10_000, "delay": 0.02}
    async with async_live.text.stream("hi", "fake", "fake-small", fake=endless) as stream:
        async for _ in stream:
            break
        task_id = stream.task_id
    assert task_id is not None
    with pytest.raises(errors.TaskCancelledError):
        await async_live.tasks.wait(task_id, timeout=10)


async def test_cancelling_a_running_task(async_live: nexusai.AsyncNexusAIClient) -> None:
    """It ends at once, and only once."""
    endless = {"tokens": 10_000, "delay": 0.02}
    handle = await async_live.text.generate_async("hi", "fake", "fake-small", fake=endless)
    assert (await handle.cancel()).status == "cancelled"
    with pytest.raises(errors.TaskCancelledError):
        await handle.wait()
    with pytest.raises(errors.ConflictError):
        await async_live.tasks.cancel(handle.task_id)


async def test_a_prompt_that_does_not_fit(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Nothing is silently cut: the limit and the size are told."""
    with pytest.raises(errors.InvalidRequestError) as caught:
        await async_live.text.generate("word " * 9000)
    assert caught.value.error_code == "CONTEXT_LENGTH_EXCEEDED"
    assert caught.value.response_body["limit"] < 9000 < caught.value.response_body["size"]


async def test_what_does_not_exist_is_answered_with_what_does(
    async_live: nexusai.AsyncNexusAIClient,
) -> None:
    """Model, provider, task."""
    with pytest.raises(errors.InvalidRequestError, match="smollm2-135m"):
        await async_live.text.generate("hi", model="gpt-99")
    with pytest.raises(errors.InvalidRequestError, match="fake"):
        await async_live.text.generate("hi", provider="nobody")
    with pytest.raises(errors.NotFoundError):
        await async_live.tasks.get("task_of_nobody")


async def test_models(async_live: nexusai.AsyncNexusAIClient) -> None:
    """All providers' models, with what they can do."""
    models = {model.id: model for model in await async_live.models.list()}
    assert models["smollm2-135m"].owned_by == "local"
    assert models["fake-small"].owned_by == "fake"
    assert "text_generation" in models["smollm2-135m"].task_types
    assert "text_generation" in models["smollm2-135m"].default_for


async def test_a_wrong_key(platform: ServerProcess) -> None:
    """Refused, and never quoted."""
    async with nexusai.AsyncNexusAIClient("nxs_wrong_canary", platform.url) as stranger:
        with pytest.raises(errors.AuthenticationError, match="Invalid API key") as caught:
            await stranger.text.generate("hi")
        assert "canary" not in str(caught.value)
        with pytest.raises(errors.AuthenticationError):
            await stranger.text.stream("hi").read()


async def test_a_provider_that_fails(async_live: nexusai.AsyncNexusAIClient) -> None:
    """At once, as a task, and in the middle of a stream."""
    once = async_live.with_options(max_retries=0)
    broken = {"status": 500, "error": {"message": "boom"}}
    with pytest.raises(errors.ServerError):
        await once.text.generate("hi", "fake", "fake-small", fake=broken)
    handle = await once.text.generate_async("hi", "fake", "fake-small", fake=broken)
    with pytest.raises(errors.TaskFailedError):
        await handle.wait()
    with pytest.raises(errors.StreamError) as caught:
        await once.text.stream("hi", "fake", "fake-small", fake={"error_after": 2}).read()
    assert caught.value.partial_text == "w0 w1 "


async def test_all_tasks_one_after_another(async_live: nexusai.AsyncNexusAIClient) -> None:
    """Pages are turned by themselves."""
    for _ in range(3):
        await async_live.text.generate("hi", "fake", "fake-small", fake={"tokens": 1})
    total = (await async_live.tasks.list(per_page=1)).total
    assert total is not None
    seen = [task.task_id async for task in async_live.tasks.iter(per_page=2)]
    assert len(seen) == len(set(seen)) == total
    await async_live.warmup()
