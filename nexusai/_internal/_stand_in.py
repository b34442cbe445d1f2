"""What takes the network's place where a program tests itself: see `nexusai.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional

if TYPE_CHECKING:
    from nexusai._internal._pool import Pools
    from nexusai._internal._transport import AsyncTransport, Transport
    from nexusai.aio._internal._pool import AsyncPools


class StandIn:
    """A wire that leads to no socket, and the time that passes on it.

    Given to a client as its `http_client`, or `installed` for all that have none of their own.

    Attributes:
        clock: what deadlines are told by, and pauses are made on.
        transport: has the methods of a transport; `async_transport` is the same, awaited.
        pools: slots for this transport; `async_pools` for the other.
    """

    clock: Any
    transport: Transport
    async_transport: AsyncTransport
    pools: Pools
    async_pools: AsyncPools


installed: List[StandIn] = []
"""The last of them counts."""


def current() -> Optional[StandIn]:
    """What is installed now."""
    return installed[-1] if installed else None
