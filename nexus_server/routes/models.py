"""`/models`: what can be asked for."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.responses import answer

router = APIRouter(tags=["models"])


@router.get("/models")
async def list_models(platform: PlatformDep) -> Response:
    """Every model that can be asked for now, and what each is the default for."""
    registry = platform.registry
    offers = registry.offers()
    types = {task_type for _, model in offers for task_type in model.task_types}
    defaults = {task_type: registry.choose(task_type, None, None) for task_type in types}
    data = [
        {
            "id": model.id,
            "object": "model",
            "owned_by": provider.name,
            "task_types": list(model.task_types),
            "default_for": [
                task_type
                for task_type in model.task_types
                if defaults[task_type] == (provider.name, model.id)
            ],
        }
        for provider, model in offers
    ]
    return answer({"object": "list", "data": data})
