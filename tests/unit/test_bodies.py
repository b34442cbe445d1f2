"""What is sent."""

from __future__ import annotations

import re
from typing import Optional

import pytest

from nexusai._internal import _bodies
from nexusai.error import InvalidRequestError


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, "\ud800"])
def test_what_is_no_json_is_refused(value: object) -> None:
    """Before anything is sent, as a request that is wrong."""
    with pytest.raises(InvalidRequestError, match="cannot be written as JSON"):
        _bodies.json_body({"x": value}, 1000)


def test_a_body_within_itself_is_refused() -> None:
    """And does not end the interpreter."""
    loop: dict = {}  # type: ignore[type-arg]
    loop["loop"] = loop
    with pytest.raises(InvalidRequestError):
        _bodies.json_body(loop, 1000)


def test_the_limit_is_a_limit_of_bytes() -> None:
    """Not of characters."""
    assert _bodies.json_body("中" * 10, 32) == ('"' + "中" * 10 + '"').encode()
    with pytest.raises(InvalidRequestError, match="32 bytes long and was not sent: the limit is 31"):
        _bodies.json_body("中" * 10, 31)


def test_keys_are_uuids_and_differ() -> None:
    """Version 4, of the variant of RFC 9562."""
    keys = {_bodies.idempotency_key().decode() for _ in range(1000)}
    assert len(keys) == 1000
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(key) for key in keys)


@pytest.mark.parametrize(
    ("patience", "seconds"), [(30, 27), (5, 4), (2, 1), (1.5, None), (0.1, None), (600, 60), (66, 59)]
)
def test_the_server_is_asked_to_answer_in_time(patience: float, seconds: Optional[int]) -> None:
    """A tenth is kept for the way, and no more than a minute is asked for."""
    assert _bodies.server_wait(patience) == seconds


@pytest.mark.parametrize(
    ("task_id", "path"), [("a", "/tasks/a"), ("a/../b", "/tasks/a%2F..%2Fb"), ("é", "/tasks/%C3%A9")]
)
def test_a_segment_stays_one(task_id: str, path: str) -> None:
    """Whatever is in it."""
    assert _bodies.path("tasks", task_id) == path


def test_a_lone_surrogate_is_no_id() -> None:
    """It cannot be written as UTF-8."""
    with pytest.raises(ValueError, match="surrogates"):
        _bodies.path("tasks", "\ud800")
