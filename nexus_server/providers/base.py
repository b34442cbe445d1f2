"""The ports that providers implement: one for each kind of work, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

OnProgress = Callable[[float], None]
"""Told how much of the work is done, in percent. It may be called from any thread."""

EMBEDDINGS = "embeddings"
"""The kind of model that `/embeddings` asks for; the others are called like their tasks."""


@dataclass(frozen=True)
class OfferedModel:
    """A model that a provider can run now. `id` is the name callers use for it.

    `context_length` is in tokens, `dimensions` those of an embedding; None where nobody knows.
    """

    id: str
    task_types: tuple[str, ...] = ("text_generation",)
    context_length: int | None = None
    dimensions: int | None = None


@dataclass(frozen=True)
class TextRequest:
    """What to generate: OpenAI-shaped messages, one of the provider's models, and options.

    `options` are the caller's `config`, untouched: temperature, max_tokens, top_p, stop, seed, …
    """

    model: str
    messages: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int

    def as_dict(self) -> dict[str, int]:
        """The contract's three numbers."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass(frozen=True)
class TextChunk:
    """A piece of an answer. The last pieces carry the finish reason and the usage."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class ImageRequest:
    """What to draw: `count` pictures of `width` × `height` pixels.

    `options` are the caller's `config`, untouched: quality, seed, style, …
    """

    model: str
    prompt: str
    width: int
    height: int
    count: int = 1
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A drawn picture, encoded. `details` go into the answer beside it, such as what drew it."""

    data: bytes
    content_type: str
    width: int
    height: int
    revised_prompt: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TranscriptionRequest:
    """A recording to write down: a file, and the name that its owner gave it."""

    model: str
    path: Path
    filename: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """What was said between two moments, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """What was said. `duration` in seconds, `language` as its ISO 639-1 code."""

    text: str
    language: str | None = None
    duration: float | None = None
    segments: Sequence[Segment] = ()


@dataclass(frozen=True)
class SpeechRequest:
    """A text to read aloud. `options` are the caller's `config`: voice, format, and so on."""

    model: str
    text: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Speech:
    """A recording that was written to a file."""

    content_type: str
    extension: str
    duration: float | None = None


@dataclass(frozen=True)
class EmbeddingRequest:
    """Texts to embed: as passages that are looked for, or as the queries that look for them."""

    model: str
    texts: Sequence[str]
    query: bool = False
    dimensions: int | None = None


@dataclass(frozen=True)
class Embeddings:
    """One row of float32 for each text, and the number of tokens that were read."""

    vectors: NDArray[np.float32]
    tokens: int


class Provider(Protocol):
    """Does work of some kinds. One instance lives as long as the server, on its event loop.

    Interrupting what it does (cancelling the task that awaits it) stops the work within a second.
    Each kind may raise:
        InvalidRequest: the provider refuses the request for what it says.
        Unavailable: the provider cannot be reached, or is not ready.
        RateLimited: it is asked too much.
    """

    name: str

    async def start(self) -> None:
        """Get ready. A failure here must not stop the server: report it through `models()`."""

    async def close(self) -> None:
        """Give everything back; called once, at shutdown."""

    def models(self) -> list[OfferedModel]:
        """The models that can be asked for now, the preferred first."""


@runtime_checkable
class TextProvider(Provider, Protocol):
    """Generates text."""

    def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """Generate. Closing the iterator stops the generation within a second.

        Raises:
            ContextLengthExceeded: the prompt does not fit.
        """


@runtime_checkable
class ImageProvider(Provider, Protocol):
    """Draws pictures."""

    async def draw(self, request: ImageRequest, on_progress: OnProgress) -> list[Picture]:
        """Draw them all."""


@runtime_checkable
class Transcriber(Provider, Protocol):
    """Writes down what is said in a recording."""

    async def transcribe(self, request: TranscriptionRequest, on_progress: OnProgress) -> Transcript:
        """Listen to the whole recording, in bounded memory."""


@runtime_checkable
class Speaker(Provider, Protocol):
    """Reads texts aloud."""

    async def speak(self, request: SpeechRequest, target: Path, on_progress: OnProgress) -> Speech:
        """Write the recording to `target`, which is a new file."""


@runtime_checkable
class Embedder(Provider, Protocol):
    """Turns texts into vectors whose nearness is nearness of meaning."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed them all, in their order."""
