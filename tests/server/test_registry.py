"""Which provider and model do a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from server.inside import Scripted

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.providers.base import OfferedModel, TextChunk, TextProvider, TextRequest
from nexus_server.providers.openai_compatible import OpenAICompatibleProvider
from nexus_server.providers.registry import ProviderRegistry, build_providers
from nexus_server.settings import ServerSettings

TEXT = "text_generation"


class Shelf:
    """A provider that only offers models."""

    def __init__(self, name: str, *models: str, task_type: str = TEXT) -> None:
        self.name = name
        self._models = [OfferedModel(model, (task_type,)) for model in models]

    async def start(self) -> None:
        raise OSError("no such file")

    async def close(self) -> None:
        raise OSError("no such file")

    def models(self) -> list[OfferedModel]:
        return self._models

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        yield TextChunk(request.model)


SHELVES = [
    Shelf("pictures", "paint", task_type="image_generation"),
    Shelf("cloud", "large", "small"),
    Shelf("here", "small", "tiny"),
]


@pytest.mark.parametrize(
    ("provider", "model", "chosen"),
    [
        (None, None, ("cloud", "large")),
        ("here", None, ("here", "small")),
        (None, "tiny", ("here", "tiny")),
        (None, "small", ("cloud", "small")),
        ("here", "small", ("here", "small")),
    ],
)
def test_choosing(provider: str | None, model: str | None, chosen: tuple[str, str]) -> None:
    """What the caller names, else the first that can do it."""
    assert ProviderRegistry(SHELVES).choose(TEXT, provider, model) == chosen


@pytest.mark.parametrize(
    ("default_provider", "default_model", "chosen"),
    [
        ("here", None, ("here", "small")),
        (None, "tiny", ("here", "tiny")),
        ("here", "tiny", ("here", "tiny")),
        ("gone", None, ("cloud", "large")),
        ("cloud", "tiny", ("cloud", "large")),
    ],
)
def test_defaults(default_provider: str | None, default_model: str | None, chosen: tuple[str, str]) -> None:
    """The settings' choice, while it exists; never against what the caller names."""
    registry = ProviderRegistry(SHELVES, default_provider=default_provider, default_model=default_model)
    assert registry.choose(TEXT, None, None) == chosen
    assert registry.choose(TEXT, "cloud", None) == ("cloud", "large")


@pytest.mark.parametrize(
    ("provider", "model"),
    [("gone", None), (None, "gone"), ("cloud", "tiny"), ("pictures", None), (None, "paint")],
)
def test_what_does_not_exist(provider: str | None, model: str | None) -> None:
    """The refusal lists what does, for this type of task."""
    with pytest.raises(InvalidRequest) as refusal:
        ProviderRegistry(SHELVES).choose(TEXT, provider, model)
    assert "cloud/large, cloud/small, here/small, here/tiny" in refusal.value.detail
    assert {"provider": "here", "model": "tiny"} in refusal.value.extra["available"]
    assert "paint" not in str(refusal.value.extra)


def test_nothing_at_all() -> None:
    """Whether something is named or not, it is said how to get a model."""
    with pytest.raises(Unavailable, match="nexusai models pull"):
        ProviderRegistry([]).choose(TEXT, None, None)
    with pytest.raises(InvalidRequest, match="Available: nothing"):
        ProviderRegistry([]).choose(TEXT, "cloud", None)


def test_a_provider_that_is_gone() -> None:
    """An accepted task may outlive its provider."""
    registry = ProviderRegistry(SHELVES)
    assert registry.get("here", TextProvider) is SHELVES[2]
    with pytest.raises(Unavailable, match="gone"):
        registry.get("gone", TextProvider)


def test_a_provider_that_cannot_start(caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, and the others go on."""
    good = Scripted()
    registry = ProviderRegistry([SHELVES[0], good])

    async def live() -> None:
        await registry.start()
        await registry.close()

    asyncio.run(live())
    assert good.closed
    said = [record.getMessage() for record in caplog.records]
    assert said == ["Provider pictures failed to start", "Provider pictures failed to close"]


def test_building_from_settings() -> None:
    """Upstreams come in their order, and this machine only where it is wanted."""
    upstreams = [{"name": name, "base_url": "http://127.0.0.1:9/v1"} for name in ("b", "a")]
    built = build_providers(ServerSettings(upstreams=upstreams, local=False))
    assert [provider.name for provider in built] == ["b", "a"]
    assert all(isinstance(provider, OpenAICompatibleProvider) for provider in built)
