"""Requests that make a thing at once: done only once for each idempotency key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import Conflict
from nexus_server.store import idempotency
from nexus_server.store.database import Database
from nexus_server.store.idempotency import IdempotencyKey


@dataclass(frozen=True)
class Made:
    """What a request is answered with: now, or the first time its key was used."""

    body: dict[str, Any]
    replayed: bool = False


async def once(
    database: Database,
    key: IdempotencyKey | None,
    make: Callable[[AsyncConnection], Awaitable[dict[str, Any]]],
) -> Made:
    """Make the thing and remember the answer in one transaction; or give the first answer again.

    Raises:
        Conflict: the key was used for another request.
    """
    async with database.write() as connection:
        if key is not None and (earlier := await idempotency.recall(connection, key)):
            if earlier.fingerprint != key.fingerprint:
                raise Conflict("The Idempotency-Key was used for another request.")
            if earlier.answer is not None:
                return Made(earlier.answer, replayed=True)
        body = await make(connection)
        if key is not None:
            await idempotency.remember(connection, key, answer=body)
    return Made(body)
