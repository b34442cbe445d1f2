"""Slots."""

from __future__ import annotations

import time

import httpx
import pytest

from nexusai._internal._pool import Pool


class _Stubborn(httpx.BaseTransport):
    """A connection that cannot even be closed."""

    def close(self) -> None:
        raise OSError("no")


def test_a_slot_comes_back_whatever_closing_raises() -> None:
    """Else each such failure would make the client one connection smaller."""
    pool = Pool(_Stubborn, 1)
    for _ in range(3):
        transport = pool.take(time.monotonic() + 5)
        with pytest.raises(OSError, match="no"):
            pool.give(transport, reusable=False)
