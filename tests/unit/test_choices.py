"""Who is asked in turn, and when."""

from __future__ import annotations

import pickle
from typing import Any, List

import pytest

from nexusai import error as errors
from nexusai._internal._choices import Choices, Limits, is_outage
from nexusai.models import Route, Task

BODY = {"task_type": "t", "input": {"prompt": "hi"}, "provider": "a", "model": "m", "config": {"seed": 7}}


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (errors.APITimeoutError("x", 408), True),
        (errors.RateLimitError("x", 429), True),
        (errors.ServerError("x", 500), True),
        (errors.ServerError("x", 503), True),
        (errors.ServerError("x", 529), True),
        (errors.NetworkError("x"), True),
        (errors.APITimeoutError("x"), True),
        (errors.APITimeoutError("x", partial_text="so far"), False),
        (errors.TaskTimeoutError("x", task_id="t"), False),
        (errors.InvalidRequestError("x", 400), False),
        (errors.InvalidRequestError("x", 400, "SERVICE_UNAVAILABLE"), False),
        (errors.AuthenticationError("x", 401), False),
        (errors.PermissionError("x", 403), False),
        (errors.NotFoundError("x", 404), False),
        (errors.ConflictError("x", 409), False),
        (errors.ValidationError("x", 422, errors=[]), False),
        (errors.InvalidResponseError("x", 200), False),
        (errors.InvalidResponseError("x"), False),
        (errors.TaskFailedError("x", error_code="SERVICE_UNAVAILABLE"), True),
        (errors.TaskFailedError("x", error_code="RATE_LIMIT_EXCEEDED"), True),
        (errors.TaskFailedError("x", error_code="INTERNAL_ERROR"), True),
        (errors.TaskFailedError("x", error_code="TASK_FAILED"), False),
        (errors.TaskFailedError("x", error_code="CONTEXT_LENGTH_EXCEEDED"), False),
        (errors.TaskFailedError("x"), False),
        (errors.TaskCancelledError("x", error_code="SERVICE_UNAVAILABLE"), False),
        (errors.StreamError("x", error_code="SERVICE_UNAVAILABLE"), True),
        (errors.StreamError("x", error_code="SERVICE_UNAVAILABLE", partial_text="so far"), False),
        (errors.StreamError("x", error_code="INVALID_REQUEST"), False),
        (errors.StreamInterruptedError("x"), True),
        (errors.StreamInterruptedError("x", partial_text="so far"), False),
        (errors.APIError("x"), False),
    ],
)
def test_only_an_overload_or_an_outage_is_somebody_else_s_turn(error: errors.APIError, is_one: bool) -> None:
    """The table of the module, row by row."""
    assert is_outage(error) is is_one


def test_a_fallback_takes_the_place_of_provider_and_model() -> None:
    """Of both: the model of one provider means nothing to another. All the rest is asked unchanged."""
    choices = Choices(
        BODY, [{"provider": "b", "model": "n"}, {"model": "o"}, {"provider": "c", "model": None}]
    )
    rest = {name: BODY[name] for name in ("task_type", "input", "config")}
    asked: List[Any] = []
    while True:
        asked.append((choices.current.route, choices.current.body))
        if not choices.move_on(errors.ServerError("down", 503)):
            break
    assert asked == [
        (Route(0, "a", "m"), BODY),
        (Route(1, "b", "n"), {**rest, "provider": "b", "model": "n"}),
        (Route(2, None, "o"), {**rest, "model": "o"}),
        (Route(3, "c", None), {**rest, "provider": "c"}),
    ]
    assert choices.is_last


def test_the_last_error_tells_of_those_before() -> None:
    """In words and as errors, also when it has been pickled."""
    choices = Choices({"task_type": "t"}, [{"provider": "b", "model": "n"}, {"model": "o"}])
    first, second = errors.ServerError("down", 503), errors.RateLimitError("busy", 429, retry_after=60)
    last = errors.NetworkError("no way there.")
    assert [choices.move_on(error) for error in (first, second, last)] == [True, True, False]
    assert str(last) == (
        "no way there. This was o. Asked before: the platform's choice: down (503); b/n: busy (429)"
    )
    told = pickle.loads(pickle.dumps(last))
    assert [type(error) for error in told.fallback_errors] == [errors.ServerError, errors.RateLimitError]
    assert [error.route.index for error in (*told.fallback_errors, told)] == [0, 1, 2]
    choices.move_on(last)
    assert str(last).count("Asked before") == 1


def test_nobody_else_is_asked_for_a_mistake_or_too_late() -> None:
    """The error is then the caller's to see; it is about whom it is about."""
    choices = Choices(BODY, [{"model": "n"}])
    mistake = errors.InvalidRequestError("no such voice", 400)
    assert not choices.move_on(mistake)
    assert (mistake.route, mistake.fallback_errors, str(mistake)) == (
        Route(0, "a", "m"),
        (),
        "no such voice (400)",
    )
    assert not choices.move_on(errors.ServerError("down", 503), in_time=False)
    assert choices.current.route.index == 0


def test_a_failed_task_keeps_its_task() -> None:
    """It is told of like any other."""
    choices = Choices(BODY, [{"model": "n"}])
    task = Task(task_id="task_1", status="failed")
    assert choices.move_on(errors.TaskFailedError("x", error_code="TIMEOUT", task=task))
    last = errors.ServerError("down", 503)
    assert not choices.move_on(last)
    (before,) = last.fallback_errors
    assert isinstance(before, errors.TaskFailedError)
    assert before.task is task


@pytest.mark.parametrize(
    ("fallbacks", "kind"),
    [
        ("a/m", TypeError),
        ({"model": "m"}, TypeError),
        (7, TypeError),
        (["m"], TypeError),
        ([{}], ValueError),
        ([{"model": None}], ValueError),
        ([{"model": 7}], ValueError),
        ([{"model": "m", "temperature": 1}], ValueError),
        ([{"modell": "m"}], ValueError),
    ],
)
def test_what_names_nobody_is_refused(fallbacks: Any, kind: Any) -> None:
    """With what was expected."""
    with pytest.raises(kind, match=r"fallbacks: expected .*'provider'.*'model'"):
        Choices(BODY, fallbacks)


def test_who_has_no_providers_takes_models_only() -> None:
    """Vectors are asked for without one."""
    with pytest.raises(ValueError, match=r"fallbacks: expected 'model', not {'provider': 'a'}"):
        Choices({"input": "tea"}, [{"provider": "a"}], ["model"])


def test_a_call_is_tried_again_for_ever_where_nothing_limits_it() -> None:
    """As calls are that have no fallbacks."""
    assert Limits(7.0) == (7.0, float("inf"))
