"""Providers that speak OpenAI's protocol, wherever they are."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nexus_server.providers.base import (
    EMBEDDINGS,
    EmbeddingRequest,
    Embeddings,
    ImageRequest,
    OfferedModel,
    OnProgress,
    Picture,
    Speech,
    SpeechRequest,
    TextChunk,
    TextRequest,
    Transcript,
    TranscriptionRequest,
)
from nexus_server.providers.openai_compatible import media
from nexus_server.providers.openai_compatible.chat import stream_chat
from nexus_server.settings import UpstreamSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_logger = logging.getLogger(__name__)

R = TypeVar("R", TextRequest, ImageRequest, TranscriptionRequest, SpeechRequest, EmbeddingRequest)

_FIRST_LISTING_SECONDS = 2.0
_LISTING_SECONDS = 10.0

# By their names, as the protocol's listings do not tell it. The first that is found counts.
_NAMES = (
    (EMBEDDINGS, r"embed|bge-|\be5-|gte-|minilm"),
    ("speech_to_text", r"whisper|transcribe|\bstt\b|sensevoice|paraformer"),
    ("text_to_speech", r"\btts\b|tts-|-tts|kokoro|cosyvoice|speech"),
    ("image_generation", r"dall-e|gpt-image|imagen|stable-diffusion|\bsd3|sdxl|flux|kolors|qwen-image|wanx"),
)


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
        return [OfferedModel(name, self._task_types(name)) for name in self._models]

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """Generate under the provider's own name for the model."""
        async for chunk in stream_chat(self._client, self._renamed(request), provider=self.name):
            yield chunk

    async def draw(self, request: ImageRequest, on_progress: OnProgress) -> list[Picture]:
        """Ask for one picture after the other: not every upstream makes several at once."""
        pictures = []
        for index in range(request.count):
            pictures.append(await media.draw(self._client, self.name, self._renamed(request)))
            on_progress(100 * (index + 1) / request.count)
        return pictures

    async def transcribe(self, request: TranscriptionRequest, on_progress: OnProgress) -> Transcript:
        """Send the whole recording; upstreams tell no progress."""
        return await media.transcribe(self._client, self.name, self._renamed(request))

    async def speak(self, request: SpeechRequest, target: Path, on_progress: OnProgress) -> Speech:
        """Write the recording down as it comes."""
        return await media.speak(self._client, self.name, self._renamed(request), target)

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed the texts; whether they are queries is not told, as the protocol has no word for it."""
        return await media.embed(self._client, self.name, self._renamed(request))

    def _renamed(self, request: R) -> R:
        """The request under the provider's own name for the model."""
        return replace(request, model=self._models.get(request.model, request.model))

    def _task_types(self, name: str) -> tuple[str, ...]:
        said = self._settings.task_types.get(name)
        return tuple(said) if said else (guess_task_type(self._models[name]),)

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


def guess_task_type(model: str) -> str:
    """What a model is for, by its name."""
    for task_type, pattern in _NAMES:
        if re.search(pattern, model, re.IGNORECASE):
            return task_type
    return "text_generation"


def open_client(settings: UpstreamSettings) -> AsyncOpenAI:
    """A client of the upstream."""
    from openai import AsyncOpenAI  # here, because importing it takes half a second

    return AsyncOpenAI(
        base_url=settings.base_url,
        api_key=settings.api_key.get_secret_value(),
        timeout=settings.timeout,
        max_retries=settings.max_retries,
    )
