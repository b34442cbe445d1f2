"""Chat completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from nexus_server.errors import Unavailable
from nexus_server.providers.base import TextChunk, TextRequest, Usage
from nexus_server.providers.openai_compatible.failures import told_as_ours

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

# What the platform decides itself; everything else of a caller's config is passed on as it is.
_OURS = frozenset({"model", "messages", "stream", "n"})


async def stream_chat(
    client: AsyncOpenAI, request: TextRequest, *, provider: str
) -> AsyncIterator[TextChunk]:
    """One chat completion, as the port's chunks.

    Closing this closes the connection, by which upstreams know that nobody wants the rest.

    Raises:
        PlatformError: one of those that the port names, or `RateLimited`.
    """
    finished = False
    with told_as_ours(provider):
        async with await _open_stream(client, request) as stream:
            async for chunk in stream:
                converted = _convert(chunk)
                finished = finished or converted.finish_reason is not None
                yield converted
    if not finished:
        raise Unavailable(f"The provider {provider!r} broke off its answer.")


async def _open_stream(client: AsyncOpenAI, request: TextRequest) -> AsyncStream[ChatCompletionChunk]:
    import openai

    options = {name: value for name, value in request.options.items() if name not in _OURS}
    usage = {"stream_options": {"include_usage": True}}
    try:
        return await _create(client, request, {**usage, **options})
    except openai.BadRequestError as error:
        if "stream_options" not in error.message:
            raise
        return await _create(client, request, options)  # an upstream that cannot count


async def _create(
    client: AsyncOpenAI, request: TextRequest, options: dict[str, Any]
) -> AsyncStream[ChatCompletionChunk]:
    messages: list[Any] = request.messages
    # `extra_body` takes options that the client has never heard of, and checks none.
    return await client.chat.completions.create(
        model=request.model, messages=messages, stream=True, extra_body=options
    )


def _convert(chunk: ChatCompletionChunk) -> TextChunk:
    choice = chunk.choices[0] if chunk.choices else None
    usage = chunk.usage
    return TextChunk(
        text=(choice.delta.content or "") if choice else "",
        finish_reason=choice.finish_reason if choice else None,
        usage=Usage(usage.prompt_tokens, usage.completion_tokens) if usage else None,
    )
