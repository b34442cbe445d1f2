"""Which provider and model are asked when others cannot answer. Nothing here sends.

| what became of a choice | the next one is asked |
| --- | --- |
| 408, 429, 500 and above, after the retries there was time for | yes |
| no connection, a broken one, no answer within `timeout` | yes, if nothing of a stream's text had come |
| a task or a stream that failed with a code of `OUTAGES` | yes, if nothing of a stream's text had come |
| any other status, answer, failure or cancellation | no: it would become of the next one, too |
| a task that does not end within `poll_timeout` | no: it goes on |
"""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence

from nexusai import error as errors
from nexusai.models import Route
from nexusai.types import JSONObject

OUTAGES = frozenset({"INTERNAL_ERROR", "RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE", "TIMEOUT"})
"""The platform's words for an overload or an outage."""

_PARTS = ("provider", "model")


class Limits(NamedTuple):
    """When a call must have ended, and until when it may be tried again; on the monotonic clock."""

    deadline: float
    retry_until: float = float("inf")


class Choice(NamedTuple):
    """Who is asked, and the body that asks."""

    route: Route
    body: JSONObject


class Choices:
    """Who is asked in turn: whom the call itself names, then its fallbacks.

    Raises:
        TypeError: `fallbacks` is no sequence of mappings.
        ValueError: one of them holds something else than a provider, a model or both.
    """

    def __init__(self, body: JSONObject, fallbacks: Any, allowed: Sequence[str] = _PARTS) -> None:
        rest = {name: value for name, value in body.items() if name not in _PARTS}
        asked = {name: body[name] for name in _PARTS if name in body}
        chosen = [asked, *(_checked(fallback, allowed) for fallback in _sequence(fallbacks))]
        self._choices = [
            Choice(Route(index, choice.get("provider"), choice.get("model")), {**rest, **choice})
            for index, choice in enumerate(chosen)
        ]
        self._failures: List[errors.APIError] = []

    @property
    def current(self) -> Choice:
        """Who is asked now."""
        return self._choices[len(self._failures)]

    @property
    def is_last(self) -> bool:
        """Whether there is nobody else to ask."""
        return len(self._failures) == len(self._choices) - 1

    def move_on(self, error: errors.APIError, *, in_time: bool = True) -> bool:
        """Whether the next one is to be asked because of `error`. If not, it is told of those before."""
        error.route = self.current.route
        if self.is_last or not in_time or not is_outage(error):
            self._tell(error)
            return False
        self._failures.append(error)
        return True

    def _tell(self, error: errors.APIError) -> None:
        if error.fallback_errors or not self._failures:
            return
        error.fallback_errors = tuple(self._failures)
        before = "; ".join(f"{_name(failure.route)}: {_briefly(failure)}" for failure in self._failures)
        first = error.message if error.message.endswith((".", "!", "?", "。")) else f"{error.message}."
        error.message = f"{first} This was {_name(error.route)}. Asked before: {before}"


def _briefly(error: errors.APIError) -> str:
    return error.message if error.status_code is None else f"{error.message} ({error.status_code})"


def is_outage(error: errors.APIError) -> bool:
    """Whether somebody else may do better, and nothing has been delivered yet."""
    if getattr(error, "partial_text", ""):
        return False
    if isinstance(error, (errors.TaskTimeoutError, errors.TaskCancelledError)):
        return False
    if isinstance(error, errors.StreamInterruptedError):
        return True
    if isinstance(error, (errors.TaskFailedError, errors.StreamError)):
        return error.error_code in OUTAGES
    if error.status_code is not None:
        return error.status_code in (408, 429) or error.status_code >= 500
    return isinstance(error, (errors.NetworkError, errors.APITimeoutError))


def _sequence(fallbacks: Any) -> Sequence[Any]:
    if isinstance(fallbacks, (str, bytes)) or not isinstance(fallbacks, Sequence):
        raise TypeError("fallbacks: expected a list like [{'provider': …, 'model': …}]")
    return fallbacks


def _checked(fallback: Any, allowed: Sequence[str]) -> JSONObject:
    if not isinstance(fallback, Mapping):
        raise TypeError(f"fallbacks: expected {{'provider': …, 'model': …}}, not {fallback!r}")
    given = {name: value for name, value in fallback.items() if value is not None}
    if not given or not all(name in allowed and isinstance(given[name], str) for name in given):
        raise ValueError(f"fallbacks: expected {' and '.join(map(repr, allowed))}, not {fallback!r}")
    return given


def _name(route: Optional[Route]) -> str:
    """`a/b`, `a` or `b`; whom the platform would choose."""
    named = [part for part in (route.provider, route.model) if part] if route is not None else []
    return "/".join(named) or "the platform's choice"
