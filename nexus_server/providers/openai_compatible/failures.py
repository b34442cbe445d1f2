"""What an upstream's failures mean to our callers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nexus_server.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    PlatformError,
    RateLimited,
    Unavailable,
)

if TYPE_CHECKING:
    from openai import APIStatusError

_TOKENS = re.compile(r"(\d+) tokens")  # in OpenAI's sentence: first the limit, then the size
_LONGEST_MESSAGE = 500


@contextmanager
def told_as_ours(provider: str) -> Iterator[None]:
    """Turn the client's errors into the port's.

    Raises:
        PlatformError: one of those that the port names, or `RateLimited`.
    """
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(error, provider) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise Unavailable(f"The provider {provider!r} cannot be reached.") from error
    except openai.APIError as error:  # an error event within the stream
        raise _broken(error, provider) from error


def _refusal(error: APIStatusError, provider: str) -> PlatformError:
    """What an upstream's error status means to our caller."""
    status = error.status_code
    if (overflow := _overflow(error.body)) is not None:
        return overflow
    if status in (401, 403):
        return Unavailable(f"The provider {provider!r} refuses its key: correct the settings.")
    if status == 429:
        return RateLimited(
            f"The provider {provider!r} is asked too much.",
            retry_after=_seconds(error.response.headers.get("retry-after")),
        )
    if status in (400, 404, 413, 422):
        return InvalidRequest(f"The provider {provider!r} refuses this: {_message(error.body)}")
    return Unavailable(f"The provider {provider!r} failed with status {status}.")


def _broken(error: Any, provider: str) -> PlatformError:
    overflow = _overflow(error.body)
    return overflow or Unavailable(f"The provider {provider!r} failed: {_message(error.body)}")


def _overflow(body: object) -> ContextLengthExceeded | None:
    """OpenAI's and llama.cpp's ways to say that a prompt is too long."""
    details = _details(body)
    if details.get("type") == "exceed_context_size_error":
        return ContextLengthExceeded(limit=details.get("n_ctx"), size=details.get("n_prompt_tokens"))
    if details.get("code") == "context_length_exceeded":
        counts = [int(number) for number in _TOKENS.findall(_message(body))[:2]]
        limit, size = [*counts, None, None][:2]
        return ContextLengthExceeded(limit=limit, size=size)
    return None


def _message(body: object) -> str:
    message = _details(body).get("message")
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) else "it gives no reason."


def _details(body: object) -> Mapping[str, Any]:
    """The error object; some upstreams wrap it once more."""
    if not isinstance(body, Mapping):
        return {}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _seconds(header: str | None) -> float | None:
    """A `Retry-After` in seconds; as a date it is left out."""
    try:
        return float(header) if header else None
    except ValueError:
        return None
