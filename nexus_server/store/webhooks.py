"""Queries on webhook deliveries: one row for each task that ended and whose maker wants to hear of it."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.clock import DAY_MS, now_ms
from nexus_server.store.tables import webhook_deliveries

_KEPT_MS = 7 * DAY_MS


@dataclass(frozen=True)
class Delivery:
    """A row of `webhook_deliveries`. `next_attempt_at` is None when it was delivered or given up."""

    id: str
    task_id: str
    url: str
    receiver: str
    body: str
    created_at: int
    next_attempt_at: int | None
    attempts: int = 0
    delivered_at: int | None = None
    last_error: str | None = None


def new_delivery_id() -> str:
    """`msg_` and 32 hex digits; the receiver knows a repeated delivery by it."""
    return f"msg_{secrets.token_hex(16)}"


async def insert(connection: AsyncConnection, delivery: Delivery) -> None:
    """Write a new delivery's row."""
    await connection.execute(webhook_deliveries.insert().values(**asdict(delivery)))


async def due(
    connection: AsyncConnection,
    moment: int,
    *,
    under_way: Collection[str],
    busy: Collection[str],
    limit: int,
) -> list[Delivery]:
    """What is to be attempted by then and is not `under_way`, to receivers that are not `busy`."""
    query = (
        sa.select(webhook_deliveries)
        .where(
            webhook_deliveries.c.next_attempt_at <= moment,
            webhook_deliveries.c.id.not_in(under_way),
            webhook_deliveries.c.receiver.not_in(busy),
        )
        .order_by(webhook_deliveries.c.next_attempt_at)
        .limit(limit)
    )
    return [Delivery(**row) for row in (await connection.execute(query)).mappings()]


async def next_moment(connection: AsyncConnection, after: int) -> int | None:
    """When the first attempt later than that is due."""
    first = sa.func.min(webhook_deliveries.c.next_attempt_at)
    query = sa.select(first).where(webhook_deliveries.c.next_attempt_at > after)
    moment: int | None = (await connection.execute(query)).scalar_one()
    return moment


async def set_delivered(connection: AsyncConnection, delivery_id: str) -> None:
    """The receiver has it."""
    await _attempted(connection, delivery_id, delivered_at=now_ms(), next_attempt_at=None, last_error=None)


async def set_failed(
    connection: AsyncConnection, delivery_id: str, *, error: str, next_attempt_at: int | None
) -> None:
    """The attempt failed; without a next one the delivery is given up."""
    await _attempted(connection, delivery_id, next_attempt_at=next_attempt_at, last_error=error)


async def purge(connection: AsyncConnection) -> None:
    """Forget deliveries that came to an end, a week after they began."""
    await connection.execute(
        webhook_deliveries.delete().where(
            webhook_deliveries.c.next_attempt_at.is_(None),
            webhook_deliveries.c.created_at < now_ms() - _KEPT_MS,
        )
    )


async def _attempted(connection: AsyncConnection, delivery_id: str, **values: object) -> None:
    attempts = webhook_deliveries.c.attempts + 1
    await connection.execute(
        webhook_deliveries.update()
        .where(webhook_deliveries.c.id == delivery_id)
        .values(attempts=attempts, **values)
    )
