"""Pictures, speech and embeddings."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import filetype
import numpy as np

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.providers.base import (
    EmbeddingRequest,
    Embeddings,
    ImageRequest,
    Picture,
    Segment,
    Speech,
    SpeechRequest,
    Transcript,
    TranscriptionRequest,
)
from nexus_server.providers.openai_compatible.failures import told_as_ours

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_IMAGE_OPTIONS_OF_OURS = frozenset({"size", "aspect_ratio", "num_images", "model", "prompt", "n"})
_SPEECH_OPTIONS_OF_OURS = frozenset({"voice", "format", "speed", "model", "input"})
_LARGEST_PICTURE = 64 * 1024 * 1024
_DEFAULT_VOICE = "alloy"

SPEECH_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "pcm": "audio/pcm",
}
"""The protocol's formats of speech."""


async def draw(client: AsyncOpenAI, provider: str, request: ImageRequest) -> Picture:
    """One picture."""
    options = {n: v for n, v in request.options.items() if n not in _IMAGE_OPTIONS_OF_OURS}
    if options.get("quality") == "standard":  # everybody's default, which some refuse to be told
        del options["quality"]
    with told_as_ours(provider):
        image = await _generate(client, request, options)
    data = base64.b64decode(image.b64_json) if image.b64_json else await _fetch(image.url, provider)
    return Picture(
        data,
        filetype.guess_mime(data) or "image/png",
        request.width,
        request.height,
        image.revised_prompt,
    )


async def _generate(client: AsyncOpenAI, request: ImageRequest, options: dict[str, Any]) -> Any:
    import openai

    size: Any = f"{request.width}x{request.height}"
    arguments: dict[str, Any] = {"model": request.model, "prompt": request.prompt, "size": size, "n": 1}
    try:
        answer = await client.images.generate(**arguments, response_format="b64_json", extra_body=options)
    except openai.BadRequestError as error:
        if "response_format" not in error.message:
            raise
        answer = await client.images.generate(**arguments, extra_body=options)
    return (answer.data or [None])[0]


async def _fetch(url: str | None, provider: str) -> bytes:
    """A picture that the provider gives only an address of."""
    import httpx

    broken = Unavailable(f"The provider {provider!r} made a picture that cannot be fetched.")
    if not url or not url.startswith(("http://", "https://")):
        raise broken
    data = bytearray()
    try:
        async with httpx.AsyncClient(timeout=60) as client, client.stream("GET", url) as response:
            response.raise_for_status()
            async for block in response.aiter_bytes():
                data += block
                if len(data) > _LARGEST_PICTURE:
                    raise broken
    except httpx.HTTPError as error:
        raise broken from error
    return bytes(data)


async def transcribe(client: AsyncOpenAI, provider: str, request: TranscriptionRequest) -> Transcript:
    """What is said in a recording."""
    options = {n: v for n, v in request.options.items() if n not in {"model", "file", "response_format"}}
    with await asyncio.to_thread(request.path.open, "rb") as file, told_as_ours(provider):
        answer = await _transcribe(client, request, file, options)
    segments = [
        Segment(segment.start, segment.end, segment.text.strip())
        for segment in getattr(answer, "segments", None) or []
    ]
    duration = getattr(answer, "duration", None)
    return Transcript(
        answer.text,
        getattr(answer, "language", None),
        float(duration) if duration is not None else None,
        segments,
    )


async def _transcribe(
    client: AsyncOpenAI, request: TranscriptionRequest, file: BinaryIO, options: dict[str, Any]
) -> Any:
    import openai

    create: Any = client.audio.transcriptions.create
    try:
        return await create(
            model=request.model,
            file=(request.filename, file),
            response_format="verbose_json",
            extra_body=options,
        )
    except openai.BadRequestError as error:
        if "response_format" not in error.message:
            raise
    file.seek(0)
    return await create(model=request.model, file=(request.filename, file), extra_body=options)


async def speak(client: AsyncOpenAI, provider: str, request: SpeechRequest, target: Path) -> Speech:
    """A text, read aloud into `target`."""
    form = str(request.options.get("format") or "mp3")
    if form not in SPEECH_TYPES:
        raise InvalidRequest(f"`format` is one of {', '.join(SPEECH_TYPES)}.")
    options = {n: v for n, v in request.options.items() if n not in _SPEECH_OPTIONS_OF_OURS}
    if (speed := request.options.get("speed")) is not None:
        options["speed"] = speed
    create: Any = client.audio.speech.with_streaming_response.create
    with told_as_ours(provider), await asyncio.to_thread(target.open, "xb") as file:
        async with create(
            model=request.model,
            input=request.text,
            voice=request.options.get("voice") or _DEFAULT_VOICE,
            response_format=form,
            extra_body=options,
        ) as response:
            async for block in response.iter_bytes(64 * 1024):
                file.write(block)
    return Speech(SPEECH_TYPES[form], "ogg" if form == "opus" else form)


async def embed(client: AsyncOpenAI, provider: str, request: EmbeddingRequest) -> Embeddings:
    """Vectors of texts."""
    wanted: dict[str, Any] = {} if request.dimensions is None else {"dimensions": request.dimensions}
    with told_as_ours(provider):
        answer = await client.embeddings.create(model=request.model, input=list(request.texts), **wanted)
    rows = sorted(answer.data, key=lambda row: row.index)
    vectors = np.array([row.embedding for row in rows], dtype=np.float32)
    if len(rows) != len(request.texts):
        raise Unavailable(f"The provider {provider!r} left texts out of its answer.")
    return Embeddings(vectors, answer.usage.prompt_tokens if answer.usage else 0)
