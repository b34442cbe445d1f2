"""`/embeddings`: texts as vectors."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from nexus_server.providers.base import EMBEDDINGS
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.responses import answer
from nexus_server.services.embeddings import LONGEST_TEXT, MOST_TEXTS, Embedded
from nexus_server.store.clock import now_ms

router = APIRouter(tags=["embeddings"])

_CREATED = 1735689600  # OpenAI's listings tell when a model was made; clients want a number
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class EmbeddingsBody(BaseModel):
    """The body of `POST /embeddings`, in OpenAI's shape."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
    model: str | None = Field(default=None, max_length=255)
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, le=65536)


class EmbeddingsBatchBody(BaseModel):
    """The body of `POST /embeddings/batch`. `batch_size` is ignored: parts are made as they fit."""

    texts: list[Text] = Field(min_length=1, max_length=MOST_TEXTS)
    model: str | None = Field(default=None, max_length=255)
    batch_size: int | None = Field(default=None, ge=1, le=100)


class EmbeddingRow(BaseModel):
    """The vector of one text; as base64 it is float32 in little-endian order."""

    object: Literal["embedding"]
    embedding: list[float] | str
    index: int


class EmbeddingsUsage(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """Vectors in the texts' order. `vectors` is the older name of the same, of a batch only."""

    object: Literal["list"]
    data: list[EmbeddingRow]
    model: str
    usage: EmbeddingsUsage
    vectors: list[list[float]] | None = None


class EmbeddingModelRow(BaseModel):
    """A model that makes vectors."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    dimensions: int | None
    max_input: int | None
    description: str


class EmbeddingModels(BaseModel):
    """The models that make vectors, the preferred first."""

    object: Literal["list"]
    data: list[EmbeddingModelRow]


class EmbeddingsHealth(BaseModel):
    """Whether vectors can be made now."""

    status: Literal["healthy", "unhealthy"]
    service: str
    embedding_service: str
    model_dimension: int | None
    timestamp: float
    """Seconds since 1970, and not a moment as elsewhere: older clients read a number here."""


@router.post("/embeddings", responses={200: {"model": EmbeddingsAnswer}})
async def create_embeddings(body: EmbeddingsBody, platform: PlatformDep) -> Response:
    """Embed a text, or several."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    made = await platform.embeddings.create(texts, body.model, dimensions=body.dimensions)
    return answer(embeddings_body(made, body.encoding_format))


@router.post("/embeddings/batch", responses={200: {"model": EmbeddingsAnswer}})
async def create_batch(body: EmbeddingsBatchBody, platform: PlatformDep) -> Response:
    """Embed many texts at once."""
    made = await platform.embeddings.create(body.texts, body.model)
    told = embeddings_body(made, "float")
    return answer({**told, "vectors": [row["embedding"] for row in told["data"]]})


@router.get("/embeddings/models", responses={200: {"model": EmbeddingModels}})
async def list_embedding_models(platform: PlatformDep) -> Response:
    """The models that make vectors."""
    rows = [
        {
            "id": model.id,
            "object": "model",
            "created": _CREATED,
            "owned_by": provider.name,
            "dimensions": model.dimensions,
            "max_input": model.context_length,
            "description": f"{model.id}, by {provider.name}",
        }
        for provider, model in platform.registry.offers(EMBEDDINGS)
    ]
    return answer({"object": "list", "data": rows})


@router.get("/embeddings/health", responses={200: {"model": EmbeddingsHealth}})
async def embeddings_health(platform: PlatformDep) -> Response:
    """Whether vectors can be made now."""
    offers = platform.registry.offers(EMBEDDINGS)
    return answer(
        {
            "status": "healthy" if offers else "unhealthy",
            "service": "embeddings",
            "embedding_service": "available" if offers else "no model",
            "model_dimension": offers[0][1].dimensions if offers else None,
            "timestamp": now_ms() / 1000,
        }
    )


def embeddings_body(made: Embedded, encoding: str) -> dict[str, Any]:
    """Vectors in OpenAI's shape."""
    vectors = made.embeddings.vectors
    rows = (
        vectors.tolist()
        if encoding == "float"
        else [_encoded(row.tobytes()) for row in vectors.astype("<f4")]
    )
    tokens = made.embeddings.tokens
    return {
        "object": "list",
        "data": [{"object": "embedding", "embedding": row, "index": index} for index, row in enumerate(rows)],
        "model": made.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
