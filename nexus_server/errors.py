"""What can go wrong on the platform, and how the wire tells it.

Services and providers raise a `PlatformError`; `app.py` turns it into the contract's body
`{"detail", "error_code", "timestamp"}`. Anything else that escapes is a bug: it is logged with
its traceback and answered as a bare 500.
"""

from __future__ import annotations

from typing import ClassVar


class PlatformError(Exception):
    """The base: `status`, `error_code`, and a `detail` that a caller may read."""

    status: ClassVar[int] = 500
    error_code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self,
        detail: str,
        *,
        error_code: str | None = None,
        retry_after: float | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        """`extra` goes into the body beside `detail`: limits, sizes, what exists instead."""
        super().__init__(detail)
        self.detail = detail
        self.code = error_code or self.error_code
        self.retry_after = retry_after
        self.extra = extra or {}

    @property
    def told(self) -> dict[str, object]:
        """What a caller is told beside the code and the detail."""
        wait = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return {**self.extra, **wait}


class InvalidRequest(PlatformError):
    """400: the request asks for something that cannot be."""

    status, error_code = 400, "INVALID_REQUEST"


class ContextLengthExceeded(InvalidRequest):
    """400: the prompt does not fit the model's context window."""

    error_code = "CONTEXT_LENGTH_EXCEEDED"

    def __init__(self, *, limit: int | None = None, size: int | None = None) -> None:
        """`limit` and `size` in tokens, as far as the provider tells them."""
        known = {"limit": limit, "size": size}
        super().__init__(
            _overflow_sentence(limit, size),
            extra={name: tokens for name, tokens in known.items() if tokens is not None},
        )


def _overflow_sentence(limit: int | None, size: int | None) -> str:
    has = f"has {size} tokens" if size is not None else "is too long"
    holds = f", and the model's context holds {limit}" if limit is not None else " for the model"
    return f"The prompt {has}{holds}: shorten it, or choose a model with a larger context."


class Unauthorized(PlatformError):
    """401: no key, or not one of ours."""

    status, error_code = 401, "UNAUTHORIZED"


class NotFound(PlatformError):
    """404: nothing of that id belongs to the caller."""

    status, error_code = 404, "NOT_FOUND"


class Conflict(PlatformError):
    """409: the state of the thing forbids it."""

    status, error_code = 409, "CONFLICT"


class PayloadTooLarge(PlatformError):
    """413: the body is larger than the platform takes."""

    status, error_code = 413, "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(PlatformError):
    """415: a file of a type that is not taken."""

    status, error_code = 415, "UNSUPPORTED_MEDIA_TYPE"


class Unavailable(PlatformError):
    """503: a provider, a model or the platform itself cannot answer now."""

    status, error_code = 503, "SERVICE_UNAVAILABLE"


class TaskCancelled(Conflict):
    """409: the task was cancelled while its answer was waited for."""

    error_code = "TASK_CANCELLED"


class RateLimited(PlatformError):
    """429: too much was asked, here or at the provider; `retry_after` says when to come back."""

    status, error_code = 429, "RATE_LIMIT_EXCEEDED"


class StartupError(Exception):
    """The server cannot start. The message is one sentence for the person who started it."""
