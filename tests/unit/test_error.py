"""Errors: what they say, and that they survive."""

from __future__ import annotations

import copy
import pickle
from typing import Type

import pytest

import nexusai
from nexusai import error as errors
from nexusai._internal._responses import Answer, status_error

ALL = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_survives_pickling_and_copying(kind: Type[errors.APIError]) -> None:
    """With all that it knows: multiprocessing and task queues send errors around."""
    attempts = (errors.Attempt("503", "req_0", 0.5), errors.Attempt("timed out"))
    error = kind(
        "it broke",
        503,
        "X",
        {"a": 1},
        request_id="r",
        retry_after=1.5,
        attempts=attempts,
        partial_text="half",
        task_id="t",
    )
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)
        assert twin.args == error.args


def test_what_it_says() -> None:
    """Everything that helps, in one line."""
    error = errors.ServerError(
        "It broke.",
        503,
        "OVERLOADED",
        request_id="r1",
        retry_after=2,
        attempts=(errors.Attempt("503"), errors.Attempt("503")),
    )
    assert str(error) == "It broke. (503, OVERLOADED, 2 attempts, retry after 2 s, request id r1)"
    assert str(errors.APIError("Only this.")) == "Only this."
    assert str(errors.APIError("No.", 401, hint="Check the key.")) == "No. (401) Check the key."
    once = errors.ServerError("It broke.", attempts=(errors.Attempt("503"),))
    assert str(once) == "It broke.", "one attempt goes without saying"


def test_the_plan_s_signature() -> None:
    """`APIError(message, status_code, error_code, response_body)` and `RateLimitError(retry_after=…)`."""
    error = errors.RateLimitError("slow", retry_after=3, status_code=429, error_code="X", response_body={})
    assert (error.retry_after, error.status_code, error.is_retryable) == (3, 429, True)
    assert errors.APIError("m", 418, "T", {}).status_code == 418
    assert not errors.NotFoundError("m").is_retryable


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class stands in it, below its parent."""
    tree = errors.__doc__ or ""
    for kind in ALL:
        assert kind.__name__ in tree
    assert issubclass(errors.TaskTimeoutError, errors.APITimeoutError)
    assert issubclass(errors.ValidationError, errors.InvalidRequestError)
    assert issubclass(errors.StreamInterruptedError, errors.StreamError)
    assert not hasattr(nexusai, "PermissionError"), "it would shadow the builtin"


BODIES = [
    (b'{"detail": "why"}', "why"),
    (b'{"detail": [{"loc": ["body", "x"], "msg": "bad"}, "plain"]}', "x: bad; plain"),
    (b'{"detail": []}', "Fields are wrong."),
    (b'{"error": {"message": "inner", "code": 7}}', "inner"),
    (b'{"error": "text"}', "text"),
    (b'{"message": "m"}', "m"),
    (b"plain text", "plain text"),
    (b"<html>nginx</html>", "The platform answered 500 without saying why."),
    (b"", "The platform answered 500 without saying why."),
    (b"{}", "The platform answered 500 without saying why."),
    ("错误".encode("gbk"), "���"),
    (b"x" * 10_000, "x" * 500),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_every_shape_of_body_gives_a_message(body: bytes, message: str) -> None:
    """Bounded, and never a crash."""
    error = status_error(Answer(500, {}, body))
    assert error.message.startswith(message)
    assert len(error.message) <= 500


def test_a_key_that_comes_back_is_hidden() -> None:
    """A server that quotes the key does not get it into a log."""
    body = b'{"detail": "bad key nxs_secret", "nested": {"k": "nxs_secret"}}'
    error = status_error(Answer(401, {}, body, "nxs_secret"))
    assert "nxs_secret" not in str(error) + repr(error.response_body)
    assert "bad key ***" in error.message
