"""Whether to try again, and when. Nothing here waits or sends."""

from __future__ import annotations

import random
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Mapping, Optional

from nexusai._internal._runtime import renewed_in_children
from nexusai.constants import (
    MAX_RETRY_AFTER,
    RETRY_BASE_DELAY,
    RETRY_BUDGET,
    RETRY_BUDGET_PER_CALL,
    RETRY_BUDGET_PER_SECOND,
    RETRY_MAX_DELAY,
)
from nexusai.error import RateLimit

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
EPOCH_FROM = 10_000_000
"""A rate limit's reset above this is a point in time, not a number of seconds from now."""


def retry_after(headers: Mapping[str, str], body: object, *, now: Optional[float] = None) -> Optional[float]:
    """Seconds from now after which the server wants to be asked again; None where it does not say.

    `Retry-After-Ms`, then `Retry-After` (seconds or a date), then `retry_after` in the body, then
    `X-RateLimit-Reset` (epoch seconds, seconds from now, or an ISO date), unless that is over, or some of the
    limit is left and the answer is about something else. What cannot be read is ignored.
    """
    current = time.time() if now is None else now
    candidates = (
        _number(headers.get("retry-after-ms"), 0.001),
        _number(headers.get("retry-after")),
        _date(headers.get("retry-after"), current),
        _number(body.get("retry_after")) if isinstance(body, dict) else None,
        _limit_reset(headers, current),
    )
    return next((max(0.0, value) for value in candidates if value is not None), None)


def rate_limit(headers: Mapping[str, str], *, now: Optional[float] = None) -> Optional[RateLimit]:
    """The caller's limit, from `X-RateLimit-…` or `RateLimit-…`; None where nothing is told."""
    fields = RateLimit._fields
    told = {name: headers.get(f"x-ratelimit-{name}", headers.get(f"ratelimit-{name}")) for name in fields}
    limit, remaining = _number(told["limit"]), _number(told["remaining"])
    reset = _reset(told["reset"], time.time() if now is None else now)
    found = RateLimit(
        int(limit) if limit is not None else None,
        int(remaining) if remaining is not None else None,
        max(0.0, reset) if reset is not None else None,
    )
    return found if found != RateLimit() else None


def _limit_reset(headers: Mapping[str, str], now: float) -> Optional[float]:
    left = _number(headers.get("x-ratelimit-remaining"))
    reset = _reset(headers.get("x-ratelimit-reset"), now)
    return None if left or reset is None or reset <= 0 else reset


def _number(value: object, unit: float = 1.0) -> Optional[float]:
    try:
        number = unit * float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None


def _date(value: Optional[str], now: float) -> Optional[float]:
    try:
        return parsedate_to_datetime(value or "").timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _reset(value: Optional[str], now: float) -> Optional[float]:
    number = _number(value)
    if number is None:
        return _iso(value, now)
    return number - now if number > EPOCH_FROM else number


def _iso(value: Optional[str], now: float) -> Optional[float]:
    try:
        moment = datetime.fromisoformat((value or "").replace("Z", "+00:00"))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return aware.timestamp() - now
    except (ValueError, OverflowError):
        return None


def pause(failures: int, wanted: Optional[float], *, jitter: Optional[float] = None) -> Optional[float]:
    """Seconds to wait before the next attempt; None when the server asks for too long a pause.

    `failures` counts from 1. The wait doubles from `RETRY_BASE_DELAY` to `RETRY_MAX_DELAY` and
    loses up to a quarter of itself by `jitter` (0–1, random when left out), so that clients which
    failed together do not come back together. What the server asked for is never cut short.
    """
    spread = random.random() if jitter is None else jitter  # noqa: S311 - no secret depends on it
    if wanted is not None:
        return wanted * (1 + 0.1 * spread) if wanted <= MAX_RETRY_AFTER else None
    delay = min(RETRY_BASE_DELAY * 2.0 ** min(failures - 1, 30), RETRY_MAX_DELAY)
    return delay * (1 - 0.25 * spread)


class RetryBudget:
    """How many calls of a client may be repeated now, so that retries do not feed an outage."""

    def __init__(self) -> None:
        self._left = RETRY_BUDGET
        self._calls = 0
        self._counted = time.monotonic()
        self._renew()
        renewed_in_children(self)

    def _renew(self) -> None:
        """This is a new process."""
        self._lock = Lock()

    def earn(self) -> None:
        """A call begins."""
        self._calls += 1  # a lost count between threads does no harm, and a lock for each call would

    def spend(self, now: Optional[float] = None) -> bool:
        """Whether one call may be repeated; `now` is on the monotonic clock."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            calls, self._calls = self._calls, 0
            earned = RETRY_BUDGET_PER_CALL * calls + RETRY_BUDGET_PER_SECOND * (moment - self._counted)
            self._left = min(RETRY_BUDGET, self._left + earned)
            self._counted = moment
            if self._left < 1:
                return False
            self._left -= 1
            return True
