"""Providers that speak OpenAI's protocol, wherever they are."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from nexus_server.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    PlatformError,
    RateLimited,
    Unavailable,
)
from nexus_server.providers.base import OfferedModel, TextChunk, TextRequest, Usage
from nexus_server.settings import UpstreamSettings

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletionChunk

_logger = logging.getLogger(__name__)

# What the platform decides itself; everything else of a caller's config is passed on as it is.
_OURS = frozenset({"model", "messages", "stream", "n"})
_FIRST_LISTING_SECONDS = 2.0
_LISTING_SECONDS = 10.0
_TOKENS = re.compile(r"(\d+) tokens")  # in OpenAI's sentence: first the limit, then the size
_LONGEST_MESSAGE = 500


class OpenAICompatibleProvider:
    """One upstream, on one connection pool."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._models = dict(settings.models)
        self._listing: asyncio.Task[None] | None = None
        self._listed_at = 0.0

    async def start(self) -> None:
        """Ask which models there are, unless the settings say it; do not wait for it long."""
        self._client = open_client(self._settings)
        if not self._models:
            self._listing = asyncio.create_task(self._list())
            await asyncio.wait([self._listing], timeout=_FIRST_LISTING_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        if self._listing is not None:
            self._listing.cancel()
            await asyncio.wait([self._listing])
        await self._client.close()

    def models(self) -> list[OfferedModel]:
        """The mapped models, or the listed ones; where neither is known yet, ask again."""
        if not self._models:
            self._list_again()
        return [OfferedModel(name) for name in self._models]

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """Generate under the provider's own name for the model."""
        model = self._models.get(request.model, request.model)
        renamed = TextRequest(model, request.messages, request.options)
        async for chunk in stream_chat(self._client, renamed, provider=self.name):
            yield chunk

    def _list_again(self) -> None:
        asked_lately = time.monotonic() - self._listed_at < _LISTING_SECONDS
        if not asked_lately and (self._listing is None or self._listing.done()):
            self._listing = asyncio.create_task(self._list())

    async def _list(self) -> None:
        import openai

        self._listed_at = time.monotonic()
        try:
            page = await self._client.models.list(timeout=_LISTING_SECONDS)
        except openai.OpenAIError as error:
            _logger.warning("Provider %s does not list its models: %s", self.name, error)
            return
        self._models = {model.id: model.id for model in page.data}


def open_client(settings: UpstreamSettings) -> AsyncOpenAI:
    """A client of the upstream."""
    from openai import AsyncOpenAI  # here, because importing it takes half a second

    return AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value(),
        timeout=settings.timeout,
        max_retries=settings.max_retries,
    )


async def stream_chat(
    client: AsyncOpenAI, request: TextRequest, *, provider: str
) -> AsyncIterator[TextChunk]:
    """One chat completion, as the port's chunks.

    Closing this closes the connection, by which upstreams know that nobody wants the rest.

    Raises:
        PlatformError: one of those that the port names, or `RateLimited`.
    """
    import httpx2
    import openai

    finished = False
    try:
        async with await _open_stream(client, request) as stream:
            async for chunk in stream:
                converted = _convert(chunk)
                finished = finished or converted.finish_reason is not None
                yield converted
    except openai.APIStatusError as error:
        raise _refusal(error, provider) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise Unavailable(f"The provider {provider!r} cannot be reached.") from error
    except openai.APIError as error:  # an error event within the stream
        raise _broken(error, provider) from error
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


def _refusal(error: APIStatusError, provider: str) -> PlatformError:
    """What an upstream's error status means to our caller."""
    status = error.status_code
    if (overflow := _overflow(error.body)) is not None:
        return overflow
    if status in (401, 403):
        return Unavailable(f"The provider {provider!r} refuses its key: correct the settings.")
    if status == 429:
        return RateLimited(
            f"The provider {provider!r} is asked too much.",
            retry_after=_seconds(error.response.headers.get("retry-after")),
        )
    if status in (400, 404, 413, 422):
        return InvalidRequest(f"The provider {provider!r} refuses this: {_message(error.body)}")
    return Unavailable(f"The provider {provider!r} failed with status {status}.")


def _broken(error: Any, provider: str) -> PlatformError:
    overflow = _overflow(error.body)
    return overflow or Unavailable(f"The provider {provider!r} failed: {_message(error.body)}")


def _overflow(body: object) -> ContextLengthExceeded | None:
    """OpenAI's and llama.cpp's ways to say that a prompt is too long."""
    details = _details(body)
    if details.get("type") == "exceed_context_size_error":
        return ContextLengthExceeded(limit=details.get("n_ctx"), size=details.get("n_prompt_tokens"))
    if details.get("code") == "context_length_exceeded":
        counts = [int(number) for number in _TOKENS.findall(_message(body))[:2]]
        limit, size = [*counts, None, None][:2]
        return ContextLengthExceeded(limit=limit, size=size)
    return None


def _message(body: object) -> str:
    message = _details(body).get("message")
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) else "it gives no reason."


def _details(body: object) -> Mapping[str, Any]:
    """The error object; some upstreams wrap it once more."""
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _seconds(header: str | None) -> float | None:
    """A `Retry-After` in seconds; as a date it is left out."""
    try:
        return float(header) if header else None
    except ValueError:
        return None
