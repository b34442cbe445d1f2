"""Embeddings: texts as vectors, by whichever provider has the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import EMBEDDINGS, Embedder, EmbeddingRequest, Embeddings
from nexus_server.providers.registry import ProviderRegistry

_UNNAMED = "BAAI/bge-base-zh-v1.5"
"""What older clients send when their callers name no model."""

MOST_TEXTS = 2048
"""Texts of one request: OpenAI's limit."""

LONGEST_TEXT = 200_000
"""Characters of one text."""


@dataclass(frozen=True)
class Embedded:
    """Vectors, and the model that made them."""

    model: str
    embeddings: Embeddings


class EmbeddingService:
    """Embeds texts."""

    def __init__(self, registry: ProviderRegistry) -> None:
        self._registry = registry

    def choose(self, model: str | None, provider: str | None = None) -> tuple[str, str]:
        """Names of the provider and the model.

        Older clients' default stands for the platform's own, unless some provider has it.

        Raises:
            InvalidRequest: there is no such model; the error lists those there are.
            Unavailable: there is none at all.
        """
        if model == _UNNAMED and all(offered.id != model for _, offered in self._registry.offers(EMBEDDINGS)):
            model = None
        return self._registry.choose(EMBEDDINGS, provider, model)

    async def create(
        self,
        texts: Sequence[str],
        model: str | None = None,
        *,
        provider: str | None = None,
        dimensions: int | None = None,
        query: bool = False,
    ) -> Embedded:
        """Embed texts: as passages, or as the queries that look for them.

        Raises:
            InvalidRequest: a text is empty or too long, or there is no such model.
        """
        if any(not text for text in texts):
            raise InvalidRequest("A text is empty: there is nothing to embed.")
        if any(len(text) > LONGEST_TEXT for text in texts):
            raise InvalidRequest(f"A text is longer than {LONGEST_TEXT} characters: cut it into passages.")
        provider, model = self.choose(model, provider)
        request = EmbeddingRequest(model, list(texts), query, dimensions)
        return Embedded(model, await self._registry.get(provider, Embedder).embed(request))
