"""`/v1/embeddings`: the same as `/api/v1/embeddings`, with OpenAI's errors."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import field_validator
from starlette.responses import Response

from nexus_server.providers.base import EMBEDDINGS
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.embeddings import EmbeddingsAnswer, EmbeddingsBody, embeddings_body
from nexus_server.routes.openai.running import choose_model
from nexus_server.routes.responses import answer

router = APIRouter(tags=["embeddings"])


class OpenAIEmbeddingsBody(EmbeddingsBody):
    """The same, and a clear word to those who send tokens."""

    @field_validator("input", mode="before")
    @classmethod
    def _texts_only(cls, given: Any) -> Any:
        first = given[0] if isinstance(given, list) and given else None
        if isinstance(first, (int, list)):
            raise ValueError("tokens are not taken, for every model has its own: send texts")
        return given


@router.post("/embeddings", responses={200: {"model": EmbeddingsAnswer}})
async def create_embeddings(body: OpenAIEmbeddingsBody, platform: PlatformDep) -> Response:
    """Embed a text, or several."""
    _, model = choose_model(platform, EMBEDDINGS, body.model)
    texts = [body.input] if isinstance(body.input, str) else body.input
    made = await platform.embeddings.create(texts, model, dimensions=body.dimensions)
    return answer(embeddings_body(made, body.encoding_format))
