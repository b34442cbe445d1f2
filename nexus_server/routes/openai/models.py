"""`/v1/models`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.openai.running import ModelNotFound
from nexus_server.routes.responses import answer
from nexus_server.services.platform import Platform

router = APIRouter(tags=["models"])

_CREATED = 1735689600  # when a model was made; clients want a number


@router.get("/models")
async def list_models(platform: PlatformDep) -> Response:
    """Every model that can be asked for now."""
    return answer({"object": "list", "data": list(_rows(platform).values())})


@router.get("/models/{model:path}")
async def get_model(model: str, platform: PlatformDep) -> Response:
    """One of them."""
    rows = _rows(platform)
    if model not in rows:
        raise ModelNotFound(f"There is no model of this name. There are: {', '.join(rows) or 'none'}.")
    return answer(rows[model])


def _rows(platform: Platform) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for provider, model in platform.registry.offers():
        row = {"id": model.id, "object": "model", "created": _CREATED, "owned_by": provider.name}
        rows.setdefault(model.id, row)
    return rows
