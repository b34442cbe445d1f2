"""Moments as the platform stores and tells them: UTC, in milliseconds."""

from __future__ import annotations

import time
from datetime import datetime, timezone

DAY_MS = 24 * 60 * 60 * 1000


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def iso(moment_ms: int) -> str:
    """ISO 8601 with milliseconds and `Z`."""
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
