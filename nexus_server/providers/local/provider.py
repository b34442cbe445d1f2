"""The `local` provider: models of this machine, behind the port that all providers implement."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.models.catalogue import SMALLEST, find
from nexus_server.models.errors import ModelError
from nexus_server.models.storage import InstalledModel, ModelStore
from nexus_server.providers.base import OfferedModel, TextChunk, TextRequest
from nexus_server.providers.local.child import ChildConfig
from nexus_server.providers.local.pool import ModelPool
from nexus_server.providers.local.pulling import BackgroundFetch
from nexus_server.providers.local.supervisor import Child, ModelProcess
from nexus_server.providers.openai_compatible import stream_chat
from nexus_server.settings import ServerSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

logger = logging.getLogger(__name__)

MAX_TOKENS = 1024
"""What a request that names no limit may generate: small models ramble until they are stopped."""

_TASK = "text_generation"
_SILENCE = 120.0
"""Seconds without a byte after which a child hangs: even while it reads a long prompt it sends a
comment every 30 seconds."""


class LocalProvider:
    """Runs the models of `settings.models_dir`, each in a supervised process.

    Models are loaded at their first use. Where this provider is the one that is used by default,
    the preferred model is loaded in the background from the start; and if there is none at all and
    `settings.auto_pull` is on, the smallest of the catalogue is fetched: it is offered meanwhile,
    and requests wait for it.
    """

    name = "local"

    def __init__(
        self,
        settings: ServerSettings,
        *,
        start_timeout: float = 120.0,
        patience: float = 60.0,
        retry_fetch_after: float = 30.0,
        max_loaded: int = 2,
    ) -> None:
        """Times in seconds, and how many models may be in memory.

        `start_timeout` is for a model to load, `patience` for a request to wait until the models
        are verified or the first one is fetched, `retry_fetch_after` from a fetch that failed to
        the next one.
        """
        self._settings = settings
        self._store = ModelStore(settings.models_dir)
        self._start_timeout = start_timeout
        self._patience = patience
        self._retry_fetch_after = retry_fetch_after
        self._pool = ModelPool(self._make_process, max_loaded=max_loaded)
        others_first = settings.default_provider is None and bool(settings.upstreams)
        self._is_default = settings.default_provider in {None, self.name} and not others_first
        self._may_fetch = self._is_default and settings.auto_pull
        self._can_run = importlib.util.find_spec("xllamacpp") is not None
        self._preparing: asyncio.Task[None] | None = None
        self._fetch: BackgroundFetch | None = None
        self._problem: ModelError | None = None
        self._prepared_at = 0.0

    async def start(self) -> None:
        """Begin to verify, fetch and load in the background; returns at once."""
        if self._can_run:
            self._preparing = asyncio.create_task(self._prepare(), name="local models")
        else:
            logger.warning("No local models: xllamacpp is not installed; pip install 'nexus-ai-sdk[local]'")

    async def close(self) -> None:
        """End every child process, and a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.abandon()
        if self._preparing is not None:
            self._preparing.cancel()
            with suppress(asyncio.CancelledError):
                await self._preparing
        await self._pool.close()

    def models(self) -> list[OfferedModel]:
        """The installed models, `settings.default_model` first, then as the catalogue has them.

        With none installed, the one that is fetched for lack of any.
        """
        return [
            OfferedModel(installed.id, context_length=self._context_length(installed))
            for installed in self._installed()
        ] or self._awaited()

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """Generate; one request at a time for each of a model's slots, in order of arrival.

        Without `max_tokens` an answer ends after `MAX_TOKENS`.
        """
        _require_text(request.messages)
        installed = await self._installed_or_wait(request.model)
        request = replace(request, options=with_limit(request.options))
        async with self._pool.lease(installed) as process, process.slots:
            child = await process.ready()
            try:
                async with _connect(child) as client, self._ask(client, request) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except Unavailable:
                await process.examine(child)
                raise

    def _ask(self, client: AsyncOpenAI, request: TextRequest) -> aclosing[AsyncGenerator[TextChunk, None]]:
        chunks = stream_chat(client, request, provider=self.name)
        return aclosing(cast("AsyncGenerator[TextChunk, None]", chunks))

    def _installed(self) -> list[InstalledModel]:
        if not self._can_run:
            return []
        preferred = self._settings.default_model
        texts = [each for each in self._store.installed() if each.model is None or each.model.task == _TASK]
        return sorted(texts, key=lambda installed: installed.id != preferred)

    def _find(self, model_id: str) -> InstalledModel | None:
        return next((found for found in self._installed() if found.id == model_id), None)

    def _awaited(self) -> list[OfferedModel]:
        return [OfferedModel(SMALLEST)] if self._can_run and self._may_fetch else []

    async def _installed_or_wait(self, model_id: str) -> InstalledModel:
        installed = self._find(model_id)
        if installed is None:
            await self._wait_until_prepared()
            installed = self._find(model_id)
        if installed is None:
            names = [model.id for model in self.models()]
            raise InvalidRequest(
                f"The model {model_id!r} is not installed here; installed: {', '.join(names) or 'none'}.",
                extra={"models": names},
            )
        return installed

    async def _wait_until_prepared(self) -> None:
        preparing = self._preparing
        if preparing is None:
            return
        if preparing.done() and self._should_try_again():
            preparing = self._preparing = asyncio.create_task(self._prepare())
        await asyncio.wait({preparing}, timeout=self._patience)
        if not preparing.done():
            detail = self._fetch.describe() if self._fetch else "The models are being verified."
            raise Unavailable(detail, retry_after=10.0)
        if self._problem is not None:
            raise Unavailable(f"No local model is installed. {self._problem}")

    def _should_try_again(self) -> bool:
        wanted = self._may_fetch and not self._installed()
        return wanted and time.monotonic() - self._prepared_at >= self._retry_fetch_after

    async def _prepare(self) -> None:
        """Verify what is there, fetch a model if nothing is, and load the preferred one."""
        self._problem = None
        try:
            await asyncio.to_thread(self._store.verify_all)
            if not self._installed() and self._may_fetch:
                await self._fetch_smallest()
            if self._is_default:
                await self._load_preferred()
        except ModelError as error:
            logger.error("No local model is installed. %s", error)
            self._problem = error
        finally:
            self._prepared_at = time.monotonic()

    async def _fetch_smallest(self) -> None:
        self._fetch = BackgroundFetch(find(SMALLEST), self._settings.models_dir)
        try:
            await self._fetch.wait()
        finally:
            self._fetch.abandon()
            self._fetch = None

    async def _load_preferred(self) -> None:
        installed = self._installed()
        if not installed:
            return
        async with self._pool.lease(installed[0]) as process:
            process.start()
        # Half a second of imports, which the first request should not pay for.
        await asyncio.to_thread(importlib.import_module, "openai")

    def _context_length(self, installed: InstalledModel) -> int:
        limit = self._settings.context_length
        return limit if installed.model is None else min(limit, installed.model.context)

    def _make_process(self, installed: InstalledModel) -> ModelProcess:
        config = ChildConfig(
            path=str(installed.path),
            context_length=self._context_length(installed),
            slots=self._settings.slots,
            threads=self._settings.threads or os.cpu_count() or 1,
            api_key="",
        )
        return ModelProcess(installed.id, config, start_timeout=self._start_timeout)


def with_limit(options: dict[str, Any]) -> dict[str, Any]:
    """The caller's options, and `MAX_TOKENS` where they name no limit of their own."""
    if options.get("max_tokens") is None and options.get("max_completion_tokens") is None:
        return {**options, "max_tokens": MAX_TOKENS}
    return options


def _require_text(messages: list[dict[str, Any]]) -> None:
    """Refuse what these models cannot see; llama.cpp would call that its own failure."""
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        kinds = {part.get("type") for part in parts if isinstance(part, dict)}
        if other := kinds - {"text"}:
            raise InvalidRequest(f"Local models read text only, not {', '.join(map(str, other))}.")


def _connect(child: Child) -> AsyncOpenAI:
    """A client for one request: made in half a millisecond, and nothing to look after."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    return AsyncOpenAI(
        base_url=child.endpoint.base_url,
        api_key=child.endpoint.api_key,
        max_retries=0,
        timeout=_SILENCE,
        # No proxy between us and our own machine, and no certificates to load for plain HTTP.
        http_client=DefaultAsyncHttpxClient(trust_env=False, verify=False),
    )
