"""`/embeddings`, with the real model, and with a provider elsewhere."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from server.inside import serving
from server.process import ServerProcess

from nexus_server.providers.base import EMBEDDINGS, EmbeddingRequest, Embeddings, OfferedModel
from nexus_server.settings import ServerSettings


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("embedder")
    with ServerProcess(folder / "data", local=True, auto_pull=False, models_dir=str(folder)) as server:
        yield server


def post(server: ServerProcess, path: str = "/embeddings", **body: Any) -> httpx.Response:
    return server.client.post(path, json=body)


def test_meaning(embedder: ServerProcess) -> None:
    """What means the same is near, across languages."""
    texts = ["The cat sleeps on the sofa.", "猫在沙发上睡觉。", "The stock market fell sharply."]
    body = post(embedder, input=texts).json()
    cat, chinese, market = (np.array(row["embedding"]) for row in body["data"])
    assert cat @ chinese > cat @ market
    assert cat.shape == (384,)
    assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-3)
    assert (body["object"], body["model"]) == ("list", "multilingual-e5-small-q4")
    assert [row["index"] for row in body["data"]] == [0, 1, 2]
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 10


def test_encodings(embedder: ServerProcess) -> None:
    """Base64 and floats are the same numbers; one text and a list of one are the same."""
    floats = post(embedder, input="茶").json()["data"][0]["embedding"]
    encoded = post(embedder, input=["茶"], encoding_format="base64").json()["data"][0]["embedding"]
    assert struct.unpack("<384f", base64.b64decode(encoded)) == pytest.approx(floats)


def test_batch(embedder: ServerProcess) -> None:
    """Both shapes in one answer."""
    body = post(embedder, "/embeddings/batch", texts=["one", "two"], batch_size=1).json()
    assert body["vectors"] == [row["embedding"] for row in body["data"]]
    assert len(body["vectors"]) == 2


def test_what_there_is(embedder: ServerProcess) -> None:
    """Models and health."""
    (model,) = embedder.client.get("/embeddings/models").json()["data"]
    assert model["id"] == "multilingual-e5-small-q4"
    assert (model["dimensions"], model["max_input"], model["owned_by"]) == (384, 512, "local")
    health = embedder.client.get("/embeddings/health").json()
    assert (health["status"], health["model_dimension"]) == ("healthy", 384)
    listed = {row["id"]: row["task_types"] for row in embedder.client.get("/models").json()["data"]}
    assert listed["multilingual-e5-small-q4"] == ["embeddings"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"input": ""}, 422),
        ({"input": []}, 422),
        ({"input": ["a", ""]}, 422),
        ({"input": [1, 2]}, 422),
        ({"input": ["x"] * 2049}, 422),
        ({"input": "x", "encoding_format": "hex"}, 422),
        ({"input": "x", "model": "nothing"}, 400),
        ({"input": "x", "dimensions": 100}, 400),
    ],
)
def test_what_cannot_be(embedder: ServerProcess, body: dict[str, Any], status: int) -> None:
    """Each is told; a model that does not exist with those that do."""
    answer = post(embedder, **body)
    assert answer.status_code == status, answer.text
    if body.get("model"):
        assert answer.json()["available"] == [{"provider": "local", "model": "multilingual-e5-small-q4"}]


def test_long_texts(embedder: ServerProcess) -> None:
    """They are read to their end: what stands there changes the vector."""
    start = "The history of tea in China is long. " * 120
    rows = post(embedder, input=[start, start + "Submarines dive deep. " * 60]).json()["data"]
    first, second = (np.array(row["embedding"]) for row in rows)
    assert first @ second < 0.999


def test_without_a_model(server: ServerProcess) -> None:
    """503, and health says so."""
    assert post(server, input="x").status_code == 503
    assert server.client.get("/embeddings/health").json()["status"] == "unhealthy"


class _Elsewhere:
    """A provider of embeddings that counts what it is asked."""

    name = "elsewhere"

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def models(self) -> list[OfferedModel]:
        return [OfferedModel("big", (EMBEDDINGS,))]

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        size = request.dimensions or 3
        return Embeddings(np.ones((len(request.texts), size), np.float32), 7)


def test_another_provider(tmp_path: Path) -> None:
    """Its model, its dimensions."""
    with serving(ServerSettings(data_dir=tmp_path), [_Elsewhere()]) as client:
        body = client.post("/embeddings", json={"input": ["a", "b"], "model": "big", "dimensions": 2}).json()
    assert [row["embedding"] for row in body["data"]] == [[1.0, 1.0], [1.0, 1.0]]
    assert body["usage"]["prompt_tokens"] == 7
