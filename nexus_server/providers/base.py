"""The port that every provider implements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class OfferedModel:
    """A model that a provider can run now. `id` is the name callers use for it."""

    id: str
    task_types: tuple[str, ...] = ("text_generation",)


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


class Provider(Protocol):
    """Does the work. One instance lives as long as the server, on its event loop."""

    name: str

    async def start(self) -> None:
        """Get ready. A failure here must not stop the server: report it through `models()`."""

    async def close(self) -> None:
        """Give everything back; called once, at shutdown."""

    def models(self) -> list[OfferedModel]:
        """The models that can be asked for now, the preferred first."""

    def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """Generate. Closing the iterator stops the generation within a second.

        Raises:
            ContextLengthExceeded: the prompt does not fit.
            InvalidRequest: the provider refuses the request for what it says.
            Unavailable: the provider cannot be reached, or is not ready.
        """
