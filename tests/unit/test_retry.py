"""When to come back."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Dict, Optional

import pytest

from nexusai._internal import _retry
from nexusai.error import RateLimit

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, None, None),
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "0.5"}, None, 0.5),
        ({"retry-after": "-3"}, None, 0),
        ({"retry-after": formatdate(NOW + 30)}, None, 30),
        ({"retry-after": formatdate(NOW - 30)}, None, 0),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": ""}, None, None),
        ({"retry-after": "7"}, {"retry_after": 9}, 7),
        ({}, {"retry_after": 9}, 9),
        ({}, {"retry_after": "x"}, None),
        ({}, {"retry_after": 10**400}, None),
        ({}, ["x"], None),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, {}, 12),
        ({"x-ratelimit-reset": "12"}, {}, 12),
        ({"x-ratelimit-reset": "0.5"}, {}, 0.5),
        ({"x-ratelimit-reset": "0"}, {}, None),
        ({"x-ratelimit-reset": "-1"}, {}, None),
        ({"x-ratelimit-reset": "2027-01-15T08:00:30Z"}, {}, 30),
        ({"x-ratelimit-reset": "2027-01-15T08:00:30"}, {}, 30),
        ({"x-ratelimit-reset": "2027-01-15T16:00:30+08:00"}, {}, 30),
        ({"x-ratelimit-reset": "tomorrow"}, {}, None),
        ({"x-ratelimit-reset": "10000000"}, {}, 10_000_000),
        ({"x-ratelimit-reset": "10000001"}, {}, None),
        ({"x-ratelimit-reset": "12", "x-ratelimit-remaining": "0"}, {}, 12),
        ({"x-ratelimit-reset": "1800", "x-ratelimit-remaining": "990"}, {}, None),
        ({"retry-after": "9", "x-ratelimit-reset": "12"}, {"retry_after": 10}, 9),
        ({"retry-after-ms": "1500", "retry-after": "2"}, None, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, None, 2),
        ({"retry-after": "Mon, 99 Foo 2026 99:99:99 GMT"}, None, None),
        ({"retry-after": "1e400"}, None, None),
    ],
)
def test_what_the_server_says(headers: Dict[str, str], body: object, seconds: Optional[float]) -> None:
    """In every form that has been seen; what cannot be read is ignored."""
    assert _retry.retry_after(headers, body, now=NOW) == seconds


def test_a_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever this computer stands."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone cannot be changed here")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        for reset in ("2027-01-15T08:00:30", "2027-01-15T08:00:30Z", "2027-01-15T16:00:30+08:00"):
            assert _retry.retry_after({"x-ratelimit-reset": reset}, None, now=NOW) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_point_in_time_is_told_from_now() -> None:
    """By this computer's clock, unless another is given."""
    wanted = _retry.retry_after({"x-ratelimit-reset": str(time.time() + 50)}, None)
    assert wanted is not None
    assert 40 < wanted <= 50


@pytest.mark.parametrize("prefix", ["x-ratelimit-", "ratelimit-"])
def test_what_is_left_of_a_limit(prefix: str) -> None:
    """In either spelling; what is not told is None, and a period that is over is over."""

    def told(**facts: str) -> Optional[RateLimit]:
        return _retry.rate_limit({prefix + name: value for name, value in facts.items()}, now=NOW)

    assert told(limit="100", remaining="7", reset="12") == RateLimit(100, 7, 12)
    assert told(reset=str(int(NOW) + 12)) == RateLimit(None, None, 12)
    assert told(reset=str(int(NOW) - 12)) == RateLimit(None, None, 0)
    assert told(reset="0.5", remaining="0") == RateLimit(None, 0, 0.5)
    assert told(limit="many", remaining="-", reset="soon") is None
    assert told() is None


def test_the_period_of_a_limit_is_told_from_now() -> None:
    """By this computer's clock, unless another is given."""
    left = _retry.rate_limit({"x-ratelimit-reset": str(time.time() + 50)})
    assert left is not None
    assert left.reset is not None
    assert 40 < left.reset <= 50


def test_the_older_spelling_goes_first() -> None:
    """The platform's own; a gateway before it may tell of another limit."""
    both = {"x-ratelimit-limit": "1", "ratelimit-limit": "2", "ratelimit-remaining": "3"}
    assert _retry.rate_limit(both) == RateLimit(1, 3, None)


def test_the_wait_doubles_to_its_limit() -> None:
    """And loses up to a quarter."""
    assert [_retry.pause(n, None, jitter=0) for n in (1, 2, 3, 4, 5, 6, 99)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert _retry.pause(2, None, jitter=1) == 0.75
    for _ in range(100):
        assert 0.75 <= (_retry.pause(2, None) or 0) <= 1


def test_what_the_server_asks_for_is_never_cut_short() -> None:
    """Only prolonged a little; too long a pause is none."""
    assert _retry.pause(1, 10, jitter=0) == 10
    assert _retry.pause(1, 10, jitter=1) == 11
    assert _retry.pause(1, 60, jitter=0) == 60
    assert _retry.pause(1, 61, jitter=0) is None
    assert _retry.pause(1, 61) is None
    assert _retry.pause(1, 0, jitter=1) == 0


def test_the_budget() -> None:
    """Twenty at once; then one for five calls, or for two seconds; and never more than twenty."""
    budget = _retry.RetryBudget()
    assert abs(budget._counted - time.monotonic()) < 5
    start = budget._counted
    assert budget._calls == 0
    assert [budget.spend(start) for _ in range(21)] == [True] * 20 + [False]
    for _ in range(5):
        budget.earn()
    assert [budget.spend(start) for _ in range(2)] == [True, False]
    assert [budget.spend(start + 2), budget.spend(start + 2)] == [True, False]
    assert [budget.spend(start + 10_000) for _ in range(21)] == [True] * 20 + [False]
