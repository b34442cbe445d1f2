"""Providers that speak OpenAI's protocol."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest
from server.upstream import FakeUpstream

from nexus_server.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    PlatformError,
    RateLimited,
    Unavailable,
)
from nexus_server.providers.base import TextChunk, TextRequest, Usage
from nexus_server.providers.openai_compatible import OpenAICompatibleProvider
from nexus_server.settings import UpstreamSettings


def with_provider(
    base_url: str, use: Callable[[OpenAICompatibleProvider], Awaitable[Any]], **settings: Any
) -> Any:
    """What `use` makes of a started provider."""
    settings = {"name": "fake", "api_key": "sk-canary", "max_retries": 0, **settings}

    async def run() -> Any:
        provider = OpenAICompatibleProvider(UpstreamSettings(base_url=base_url, **settings))
        await provider.start()
        try:
            return await use(provider)
        finally:
            await provider.close()

    return asyncio.run(run())


def ask(upstream: FakeUpstream, fake: dict[str, Any] | None = None, **settings: Any) -> list[TextChunk]:
    """All chunks of an answer."""
    options = {"fake": fake} if fake else {}
    request = TextRequest("fake-small", [{"role": "user", "content": "hi"}], options)

    async def collect(provider: OpenAICompatibleProvider) -> list[TextChunk]:
        return [chunk async for chunk in provider.stream_text(request)]

    return cast("list[TextChunk]", with_provider(upstream.base_url, collect, **settings))


def test_chunks(upstream: FakeUpstream) -> None:
    """Text, the finish reason and the usage."""
    chunks = ask(upstream, {"tokens": 2})
    assert [chunk.text for chunk in chunks if chunk.text] == ["w0 ", "w1 "]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(7, 2)]


def test_without_usage(upstream: FakeUpstream) -> None:
    """An upstream that does not count is no reason to fail."""
    chunks = ask(upstream, {"no_usage": True})
    assert not any(chunk.usage for chunk in chunks)


def test_an_upstream_that_refuses_the_usage_option(upstream: FakeUpstream) -> None:
    """It is asked again without it."""
    chunks = ask(upstream, {"no_options": True, "tokens": 1})
    assert "".join(chunk.text for chunk in chunks) == "w0 "


def test_listing_models(upstream: FakeUpstream) -> None:
    """Without a mapping the upstream's own list is offered."""

    async def offered(provider: OpenAICompatibleProvider) -> list[str]:
        return [model.id for model in provider.models()]

    assert with_provider(upstream.base_url, offered) == ["fake-small", "fake-large"]
    assert with_provider(upstream.base_url, offered, models={"a": "b"}) == ["a"]


def test_an_upstream_that_is_not_there() -> None:
    """It offers nothing, and says so when it is asked all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

    async def try_it(provider: OpenAICompatibleProvider) -> None:
        assert provider.models() == []
        async for _ in provider.stream_text(TextRequest("m", [])):
            raise AssertionError

    with pytest.raises(Unavailable, match="'fake' cannot be reached"):
        with_provider(base_url, try_it)


OPENAI_OVERFLOW = {
    "code": "context_length_exceeded",
    "message": "This model's maximum context length is 4097 tokens. However, your messages "
    "resulted in 5000 tokens.",
}
LLAMA_OVERFLOW = {"type": "exceed_context_size_error", "n_ctx": 4097, "n_prompt_tokens": 5000}


@pytest.mark.parametrize("error", [OPENAI_OVERFLOW, LLAMA_OVERFLOW])
@pytest.mark.parametrize("how", [{"status": 400}, {"error_after": 1}])
def test_overflow(upstream: FakeUpstream, error: dict[str, Any], how: dict[str, int]) -> None:
    """Both ways to say it become one, with the numbers."""
    with pytest.raises(ContextLengthExceeded) as overflow:
        ask(upstream, {**how, "error": error})
    assert overflow.value.extra == {"limit": 4097, "size": 5000}
    assert "5000" in overflow.value.detail


def test_overflow_without_numbers(upstream: FakeUpstream) -> None:
    """What is not told is not invented."""
    error = {"code": "context_length_exceeded", "message": "Too long."}
    with pytest.raises(ContextLengthExceeded) as overflow:
        ask(upstream, {"status": 400, "error": error})
    assert overflow.value.extra == {}


@pytest.mark.parametrize(
    ("fake", "kind", "words"),
    [
        ({"status": 400, "error": {"message": "bad top_p"}}, InvalidRequest, "bad top_p"),
        ({"status": 404, "error": {"message": "no model"}}, InvalidRequest, "no model"),
        ({"status": 422, "error": {}}, InvalidRequest, "no reason"),
        ({"status": 401, "error": {"message": "sk-canary"}}, Unavailable, "refuses its key"),
        ({"status": 403, "error": {"message": "sk-canary"}}, Unavailable, "refuses its key"),
        ({"status": 429}, RateLimited, "asked too much"),
        ({"status": 500}, Unavailable, "status 500"),
        ({"status": 503, "error": {"message": "sk-canary"}}, Unavailable, "status 503"),
        ({"error_after": 1}, Unavailable, "it broke"),
        ({"break_after": 1}, Unavailable, "broke off"),
        ({"break_after": 0}, Unavailable, "broke off"),
    ],
)
def test_errors(upstream: FakeUpstream, fake: dict[str, Any], kind: type[PlatformError], words: str) -> None:
    """Each becomes one of ours, which never holds the key."""
    with pytest.raises(kind) as error:
        ask(upstream, fake)
    assert type(error.value) is kind
    assert words in error.value.detail
    assert "sk-canary" not in error.value.detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("Wed, 21 Oct 2015 07:28:00 GMT", None), (None, None)],
)
def test_retry_after(upstream: FakeUpstream, header: str | None, seconds: float | None) -> None:
    """How long to leave the upstream alone is passed on, where it says so in seconds."""
    headers = {"Retry-After": header} if header else {}
    with pytest.raises(RateLimited) as error:
        ask(upstream, {"status": 429, "headers": headers})
    assert error.value.retry_after == seconds


def test_further_attempts(upstream: FakeUpstream) -> None:
    """A busy upstream is asked again, as often as the settings say."""
    before = len(upstream.chats())
    with pytest.raises(Unavailable):
        ask(upstream, {"status": 503}, max_retries=1)
    assert len(upstream.chats()) == before + 2


def test_silence(upstream: FakeUpstream) -> None:
    """An upstream that says nothing is given up after the time-out of the settings."""
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(upstream, {"tokens": 2, "delay": 30}, timeout=0.3)


def test_closing_the_iterator(upstream: FakeUpstream) -> None:
    """The upstream sees the connection close at once."""
    request = TextRequest("fake-small", [], {"fake": {"tokens": 2, "delay": 30}})

    async def read_one(provider: OpenAICompatibleProvider) -> None:
        chunks = cast("Any", provider.stream_text(request))
        async with aclosing(chunks):
            await chunks.__anext__()
        closed = time.monotonic()
        seen = upstream.chats()[-1]
        assert await asyncio.to_thread(seen.ended.wait, 10)
        assert seen.state == "disconnected"
        assert seen.ended_at - closed < 10

    with_provider(upstream.base_url, read_one)
