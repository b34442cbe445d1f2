"""Every error that the SDK raises.

    APIError                          the base: status_code, error_code, response_body, request_id,
    │                                 retry_after, attempts, rate_limit, hint, is_retryable
    ├── AuthenticationError           401, or no usable API key
    ├── PermissionError               403
    ├── NotFoundError                 404
    ├── ConflictError                 409
    ├── InvalidRequestError           400, 413, 415, and requests refused before they are sent
    │   └── ValidationError           422; .errors lists {loc, msg, type}
    ├── RateLimitError                429
    ├── ServerError                   5xx
    ├── APITimeoutError               408, or one of the client's own limits was reached
    │   └── TaskTimeoutError          .task_id: the task may still be running
    ├── NetworkError                  no connection could be made, or it broke
    ├── InvalidResponseError          an answer that the API's contract does not allow
    ├── StreamError                   an error event inside a stream
    │   └── StreamInterruptedError    .partial_text, .task_id: the stream was cut before its end
    └── TaskFailedError               .task
        └── TaskCancelledError

`PermissionError` is the plan's name; it is kept here and not exported by `nexusai` itself, where
it would shadow the builtin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple, Type

if TYPE_CHECKING:
    from nexusai.models import Route, Task

__all__ = [
    "APIError",
    "APITimeoutError",
    "Attempt",
    "AuthenticationError",
    "ConflictError",
    "InvalidRequestError",
    "InvalidResponseError",
    "NetworkError",
    "NotFoundError",
    "PermissionError",
    "RateLimit",
    "RateLimitError",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "TaskCancelledError",
    "TaskFailedError",
    "TaskTimeoutError",
    "ValidationError",
]

_LONGEST_ID = 200


class RateLimit(NamedTuple):
    """How much of a limit is left, as the platform told it. What it did not tell is None."""

    limit: Optional[int] = None
    """Calls in a period."""
    remaining: Optional[int] = None
    """Calls left in this one."""
    reset: Optional[float] = None
    """Seconds until the next one."""


class Attempt(NamedTuple):
    """One try of a call: what came of it, and the pause that followed."""

    outcome: str
    """`503`, or the name of what went wrong on the way: `connection refused`, `timed out` …"""
    request_id: Optional[str] = None
    delay: float = 0.0
    """Seconds waited before the next try; 0 after the last."""


class APIError(Exception):
    """The base of all errors of the SDK.

    Attributes:
        message: what happened, in a sentence; `str(error)` adds status, code and request id.
        status_code: the HTTP status, where there was an answer.
        error_code: the platform's word for it, such as `CONTEXT_LENGTH_EXCEEDED`.
        response_body: the answer's JSON, or the start of its text.
        request_id: what to quote when asking the platform's operators.
        retry_after: seconds from now after which the platform wants to be asked again.
        attempts: what became of each try of this call, in order.
        rate_limit: the caller's limit, and what is left of it, where the answer tells.
        hint: what to do about it, where that can be said.
        task_id: the task that was waited for, which goes on: `client.tasks.wait(task_id)` waits further.
        route: of a call with `fallbacks`, whom this is about.
        fallback_errors: what became of those who were asked before, in order.
    """

    task_id: Optional[str] = None
    route: Optional[Route] = None
    fallback_errors: Tuple[APIError, ...] = ()

    is_retryable = False
    """Whether the same call may succeed later, with nothing changed."""

    def __init__(
        self,
        message: str,
        status_code: Optional[int] = None,
        error_code: Optional[str] = None,
        response_body: Any = None,
        *,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
        attempts: Tuple[Attempt, ...] = (),
        rate_limit: Optional[RateLimit] = None,
        hint: Optional[str] = None,
        **details: Any,
    ) -> None:
        """`details` become attributes: what a subclass knows besides."""
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.error_code = error_code
        self.response_body = response_body
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempts = attempts
        self.rate_limit = rate_limit
        self.hint = hint
        self.__dict__.update(details)

    def __str__(self) -> str:
        facts = [str(fact) for fact in (self.status_code, self.error_code) if fact is not None]
        if len(self.attempts) > 1:
            facts.append(f"{len(self.attempts)} attempts")
        if self.retry_after is not None:
            facts.append(f"retry after {self.retry_after:g} s")
        if self.request_id:
            facts.append(f"request id {self.request_id[:_LONGEST_ID]}")
        told = f"{self.message} ({', '.join(facts)})" if facts else self.message
        return f"{told} {self.hint}" if self.hint else told

    def __reduce__(self) -> Tuple[Any, ...]:
        # Exceptions pickle by their positional arguments, which would lose all the rest:
        # an error must survive multiprocessing and task queues whole.
        return _restore, (type(self), dict(self.__dict__))


def _restore(cls: Type[APIError], state: Dict[str, Any]) -> APIError:
    error = cls.__new__(cls, state["message"])
    error.args = (state["message"],)
    error.__dict__.update(state)
    return error


class AuthenticationError(APIError):
    """There is no usable API key, or the platform does not accept it (401)."""


class PermissionError(APIError):  # noqa: A001 - the plan's name
    """The key does not allow this (403)."""


class NotFoundError(APIError):
    """There is nothing of that name (404)."""


class ConflictError(APIError):
    """The state of the thing forbids it (409), or an idempotency key was used for another body."""


class InvalidRequestError(APIError):
    """The request is wrong (400, 413, 415); nothing was done."""


class ValidationError(InvalidRequestError):
    """Fields of the request are wrong (422).

    Attributes:
        errors: one `{"loc": [...], "msg": str, "type": str}` for each field.
    """

    errors: List[Dict[str, Any]]


class RateLimitError(APIError):
    """Too many requests (429); `retry_after` says how long to wait, where the platform told."""

    is_retryable = True


class ServerError(APIError):
    """The platform failed (5xx)."""

    is_retryable = True


class APITimeoutError(APIError):
    """The platform gave up waiting (408), or one of the client's own limits was reached."""

    is_retryable = True


class TaskTimeoutError(APITimeoutError):
    """A task did not end within `poll_timeout`. It may still be running.

    Attributes:
        task_id: `client.tasks.get(task_id).wait()` goes on waiting.
    """

    task_id: str  # pyright: ignore[reportIncompatibleVariableOverride] - here it is always there


class NetworkError(APIError):
    """No connection could be made, or it broke."""

    is_retryable = True


class InvalidResponseError(APIError):
    """The answer is not one that the API's contract allows.

    Attributes:
        raw_text: what a model gave in place of a value (`text.parse`).
        problems: what is wrong with it.
    """

    raw_text: Optional[str] = None
    problems: Optional[str] = None


class StreamError(APIError):
    """The platform reported an error inside a stream.

    Attributes:
        partial_text: the text that had arrived.
        task_id: the stream's task, where the platform told it.
    """

    partial_text: str = ""
    task_id: Optional[str] = None


class StreamInterruptedError(StreamError):
    """A stream ended before its end was announced: what arrived is not the whole answer."""

    is_retryable = True


class TaskFailedError(APIError):
    """A task ended without a result.

    Attributes:
        task: the task as it stands, with `task.error.code` and `task.error.message`.
    """

    task: Task


class TaskCancelledError(TaskFailedError):
    """A task was cancelled."""
