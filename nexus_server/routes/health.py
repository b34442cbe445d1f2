"""Whether the server is there."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter

from nexus_server.routes.dependencies import PlatformDep

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(platform: PlatformDep) -> dict[str, Any]:
    """Healthy as soon as the server answers; `closing` once it has begun to stop."""
    return {"status": "closing" if platform.closing else "healthy", "pid": os.getpid()}
