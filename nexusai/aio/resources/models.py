"""Models: what the platform can run."""

from __future__ import annotations

from typing import Final

from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._resource import AsyncResource
from nexusai.models import ModelInfo, Page


class AsyncModelsResource(AsyncResource):
    """`client.models`."""

    async def list(self) -> Page[ModelInfo]:
        """The models that can be asked for now, the preferred first."""
        return await self._client.fetch_page("data", ModelInfo, "/models", {})


_default = AsyncModelsResource(default_internal_client)
list: Final = _default.list  # noqa: A001 - `nexusai.resources.models.list`
