"""How often somebody may do something."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Allowance:
    """What is left to somebody. `reset_at` is in seconds since the epoch."""

    limit: int
    remaining: int
    reset_at: int
    """When the oldest of what was counted is forgotten, so that one more is allowed."""
    retry_after: int | None = None
    """Seconds until then, if nothing was left: what was asked for is refused, and not counted."""

    @property
    def headers(self) -> dict[str, str]:
        """As an answer tells it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_at),
        }


class RateLimiter(Protocol):
    """Counts by name. Several processes that serve one platform need one that they share."""

    async def take(self, name: str) -> Allowance:
        """Count one, if it is allowed."""
        ...

    async def look(self, name: str) -> Allowance:
        """What `take` would answer, counting nothing."""
        ...


class SlidingWindow:
    """A limiter in memory: in no minute, wherever it begins, is more allowed than the limit.

    It keeps one moment for each thing that it counted, and forgets the names that were not heard of
    for longest when there are more than `most_names`.
    """

    def __init__(self, limit: int, *, seconds: float = 60.0, most_names: int = 10_000) -> None:
        self._limit = limit
        self._seconds = seconds
        self._most_names = most_names
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()

    async def take(self, name: str) -> Allowance:
        """Count one, if it is allowed."""
        now = time.monotonic()
        taken = self._recent(name, now)
        if len(taken) >= self._limit:
            return self._refusal(taken, now)
        taken.append(now)
        self._taken[name] = taken
        self._taken.move_to_end(name)
        if len(self._taken) > self._most_names:
            self._taken.popitem(last=False)
        return self._allowance(taken, now)

    async def look(self, name: str) -> Allowance:
        """What `take` would answer, counting nothing."""
        now = time.monotonic()
        taken = self._recent(name, now)
        return self._refusal(taken, now) if len(taken) >= self._limit else self._allowance(taken, now)

    def _recent(self, name: str, now: float) -> deque[float]:
        taken = self._taken.get(name, deque())
        while taken and taken[0] <= now - self._seconds:
            taken.popleft()
        return taken

    def _allowance(self, taken: deque[float], now: float) -> Allowance:
        remaining = self._limit - len(taken)
        return Allowance(self._limit, remaining, math.ceil(time.time() + self._wait(taken, now)))

    def _refusal(self, taken: deque[float], now: float) -> Allowance:
        wait = self._wait(taken, now)
        return Allowance(self._limit, 0, math.ceil(time.time() + wait), max(math.ceil(wait), 1))

    def _wait(self, taken: deque[float], now: float) -> float:
        """Seconds until the oldest is forgotten."""
        return taken[0] + self._seconds - now if taken else 0.0
