"""`/embeddings` and `/models`."""

from __future__ import annotations

import base64
import struct
from typing import Any, List, Optional

from nexusai.testing._calls import Call
from nexusai.testing._memory import media
from nexusai.testing._memory.outputs import MODEL_OF, MODELS, tokens
from nexusai.testing._memory.replies import RefusalError, json_reply
from nexusai.testing._memory.store import Store
from nexusai.testing._script import Vectors
from nexusai.testing._wire import Reply
from nexusai.types import JSONObject

_DIMENSIONS = 64


class Embeddings:
    """Texts as vectors, and what there is to ask for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, call: Call, answer: Any) -> Reply:
        body = call.body
        given = body.get("texts", body.get("input"))
        texts: List[str] = [given] if isinstance(given, str) else list(given or [])
        vectors = _vectors(texts, answer, int(body.get("dimensions") or _DIMENSIONS))
        count = sum(map(tokens, texts))
        as_text = body.get("encoding_format") == "base64"
        rows = [
            {"object": "embedding", "embedding": _base64(vector) if as_text else vector, "index": index}
            for index, vector in enumerate(vectors)
        ]
        told: JSONObject = {
            "object": "list",
            "data": rows,
            "model": call.model or MODEL_OF["embeddings"],
            "usage": {"prompt_tokens": count, "total_tokens": count},
        }
        return json_reply(200, {**told, "vectors": vectors} if "texts" in body else told)

    def list_models(self, call: Call, _: Any) -> Reply:
        row = {
            "id": MODEL_OF["embeddings"],
            "object": "model",
            "created": 1767225600,
            "owned_by": "scripted",
            "dimensions": _DIMENSIONS,
            "max_input": 8192,
            "description": "Vectors of texts that share words are near each other.",
        }
        return json_reply(200, {"object": "list", "data": [row]})

    def health(self, call: Call, _: Any) -> Reply:
        body = {
            "status": "healthy",
            "service": "embeddings",
            "embedding_service": "available",
            "model_dimension": _DIMENSIONS,
            "timestamp": self._store.moment.timestamp(),
        }
        return json_reply(200, body)

    def list_all_models(self, call: Call, _: Any) -> Reply:
        rows = [
            {
                "id": model,
                "object": "model",
                "owned_by": "scripted",
                "task_types": [task_type],
                "default_for": [task_type],
            }
            for model, task_type in MODELS.items()
        ]
        return json_reply(200, {"object": "list", "data": rows})

    def platform_health(self, call: Call, _: Any) -> Reply:
        return json_reply(200, {"status": "healthy"})


def _vectors(texts: List[str], answer: Optional[Vectors], dimensions: int) -> List[List[float]]:
    if answer is None:
        return [media.vector(text, dimensions) for text in texts]
    if callable(answer):
        return [[float(number) for number in answer(text)] for text in texts]
    if len(answer) < len(texts):
        raise RefusalError(
            400, f"Scripted are {len(answer)} vectors, but {len(texts)} texts are to be embedded."
        )
    return [[float(number) for number in vector] for vector in answer[: len(texts)]]


def _base64(vector: List[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
