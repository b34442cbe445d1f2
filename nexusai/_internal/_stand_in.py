"""What takes the network's place where a program tests itself: see `nexusai.testing`."""

from __future__ import annotations

from typing import Any, List, Optional


class StandIn:
    """A wire that leads to no socket, and the time that passes on it.

    Given to a client as its `http_client`, or `installed` for all that have none of their own.

    Attributes:
        clock: what deadlines are told by, and pauses are made on.
        transport: has the methods of a transport; `async_transport` is the same, awaited.
        pools: slots for this transport; `async_pools` for the other.
    """

    clock: Any
    transport: Any
    async_transport: Any
    pools: Any
    async_pools: Any


installed: List[StandIn] = []
"""The last of them counts."""


def current() -> Optional[StandIn]:
    """What is installed now."""
    return installed[-1] if installed else None
