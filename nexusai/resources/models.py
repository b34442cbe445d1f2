# Generated from nexusai/aio/resources/models.py by scripts/unasync.py: edit that file.

"""Models: what the platform can run."""

from __future__ import annotations

from typing import Final

from nexusai._internal._default import default_internal_client
from nexusai._internal._resource import Resource
from nexusai.models import ModelInfo, Page


class ModelsResource(Resource):
    """`client.models`."""

    def list(self) -> Page[ModelInfo]:
        """The models that can be asked for now, the preferred first."""
        return self._client.fetch_page("data", ModelInfo, "/models", {})


_default = ModelsResource(default_internal_client)
list: Final = _default.list  # noqa: A001 - `nexusai.resources.models.list`
