"""The HTTP face: one module per resource, and what they share."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from nexus_server.auth import require_caller
from nexus_server.routes import (
    console,
    embeddings,
    files,
    health,
    invoke,
    knowledge_bases,
    models,
    sessions,
    tasks,
    usage,
)

# A new route is put into one of these; all of `api` asks for a key.
api = APIRouter(prefix="/api/v1", dependencies=[Depends(require_caller)])
for _module in (invoke, tasks, files, sessions, knowledge_bases, embeddings, models, usage):
    api.include_router(_module.router)

public = APIRouter()
public.include_router(health.router)
public.include_router(console.router)

__all__ = ["api", "public"]
