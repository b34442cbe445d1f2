"""`/usage`: what was done for the key that asks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.responses import answer
from nexus_server.store import usage
from nexus_server.store.clock import iso, now_ms

router = APIRouter(tags=["usage"])

_DAY_MS = 24 * 60 * 60 * 1000


class UsageKey(BaseModel):
    """The key that asks; the key itself is stored nowhere."""

    id: str
    name: str
    created_at: str


class UsageRow(BaseModel):
    """The tasks of one type that one model did, and the tokens that it told."""

    task_type: str
    provider: str
    model: str
    completed: int
    failed: int
    cancelled: int
    open: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class UsageFiles(BaseModel):
    """The files that are kept for the key: uploads, and what tasks have made."""

    count: int
    bytes: int


class UsageAnswer(BaseModel):
    """What was done for a key. Embeddings and searches are no tasks, and are not counted."""

    key: UsageKey
    since: str | None
    tasks: list[UsageRow]
    files: UsageFiles


@router.get("/usage", responses={200: {"model": UsageAnswer}})
async def get_usage(
    platform: PlatformDep, caller: CallerDep, days: Annotated[int | None, Query(ge=1, le=3660)] = None
) -> Response:
    """What was done for the key that asks: in the last `days`, or since there is the key."""
    since = now_ms() - days * _DAY_MS if days else 0
    async with platform.database.read() as connection:
        key = await usage.key(connection, caller.api_key_id)
        work = await usage.work(connection, caller.api_key_id, since)
        count, size = await usage.kept(connection, caller.api_key_id)
    return answer(
        {
            "key": {**asdict(key), "created_at": iso(key.created_at)},
            "since": iso(since) if days else None,
            "tasks": [asdict(row) for row in work],
            "files": {"count": count, "bytes": size},
        }
    )
