"""Telling what goes over the wire: to hooks, to the log, to OpenTelemetry. Never a key, a body or a query."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

from nexusai import error as errors
from nexusai._internal._bodies import masked

if TYPE_CHECKING:
    from nexusai._internal._telemetry import Operation, Telemetry

logger = logging.getLogger("nexusai")
logger.addHandler(logging.NullHandler())  # silent, unless the program or `NEXUS_LOG` wants it told
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class RequestInfo(NamedTuple):
    """An attempt that is about to be made."""

    method: str
    url: str
    """Without the query."""
    attempt: int
    """Counts from 1."""


class ResponseInfo(NamedTuple):
    """What an attempt came to: the head of an answer, or an error; neither where it was cancelled."""

    request: RequestInfo
    status_code: Optional[int]
    request_id: Optional[str]
    seconds: float
    """From the beginning of the attempt to its whole answer; of a stream, to its head."""
    error: Optional[errors.APIError]


OnRequest = Callable[[RequestInfo], Any]
OnResponse = Callable[[ResponseInfo], Any]


class Observer:
    """Tells of the attempts of a client's calls, and of its streams.

    Raises:
        TypeError: a hook is no plain function.
    """

    def __init__(
        self,
        on_request: Optional[OnRequest],
        on_response: Optional[OnResponse],
        secret: str,
        telemetry: Optional[Telemetry],
    ) -> None:
        self._on_request = _checked_hook("on_request", on_request)
        self._on_response = _checked_hook("on_response", on_response)
        self._secret = secret
        self._telemetry = telemetry
        self._hooked = on_request is not None or on_response is not None

    def begin(self, call: Any, attempt: int) -> Union[Observation, Operation, None]:
        """Tell that an attempt begins; None when nobody wants to know."""
        operation = None if self._telemetry is None else self._telemetry.current()
        if not self._hooked and not logger.isEnabledFor(logging.INFO):
            return operation
        request = RequestInfo(call.method, self._url(call), attempt)
        logger.debug("%s %s, attempt %d", *request)
        _tell(self._on_request, request)
        return Observation(request, self._on_response, self._secret, operation)

    @property
    def watches_streams(self) -> bool:
        """Whether anybody wants to know of the next stream."""
        return self._telemetry is not None or logger.isEnabledFor(logging.INFO)

    def stream(self, call: Any) -> StreamObservation:
        """A stream that is about to be read."""
        return StreamObservation(f"{call.method} {self._url(call)}", self._secret, self._telemetry, call)

    def _url(self, call: Any) -> str:
        return masked(call.url.shown, self._secret)


class Observation:
    """One attempt, from its beginning on."""

    def __init__(
        self,
        request: RequestInfo,
        on_response: Optional[OnResponse],
        secret: str,
        operation: Optional[Operation],
    ) -> None:
        self._request = request
        self._on_response = on_response
        self._secret = secret
        self._operation = operation
        self._began = time.monotonic()

    def answered(self, status_code: Optional[int], request_id: Optional[str]) -> None:
        """There is an answer."""
        seconds = time.monotonic() - self._began
        method, url, _ = self._request
        shown = _shown(request_id, self._secret)
        logger.info("%s %s: %s in %.3f s, request id %s", method, url, status_code, seconds, shown)
        _tell(self._on_response, ResponseInfo(self._request, status_code, request_id, seconds, None))
        if self._operation is not None:
            self._operation.answered(status_code, request_id)

    def failed(self, error: errors.APIError, delay: Optional[float]) -> None:
        """There is none, or one that tells an error; `delay` seconds until the next attempt."""
        seconds = time.monotonic() - self._began
        method, url, attempt = self._request
        then = "given up" if delay is None else f"again in {delay:.1f} s"
        what = _shown(_reason(error), self._secret)
        logger.info("%s %s, attempt %d, after %.3f s: %s; %s", method, url, attempt, seconds, what, then)
        told = ResponseInfo(self._request, error.status_code, error.request_id, seconds, error)
        _tell(self._on_response, told)
        if self._operation is not None:
            self._operation.failed(error, delay)

    def interrupted(self) -> None:
        """It was cancelled, or interrupted by Ctrl-C or by the caller's own code."""
        seconds = time.monotonic() - self._began
        method, url, attempt = self._request
        logger.info("%s %s, attempt %d, after %.3f s: interrupted", method, url, attempt, seconds)
        _tell(self._on_response, ResponseInfo(self._request, None, None, seconds, None))


class StreamObservation:
    """A stream, from its first request until nothing more comes of it."""

    def __init__(self, what: str, secret: str, telemetry: Optional[Telemetry], call: Any) -> None:
        self._what = what
        self._secret = secret
        self._chunks = 0
        self._began = time.monotonic()
        self._operation = telemetry.stream(call) if telemetry is not None else None

    def active(self) -> Any:
        """What happens within `with watch.active():` belongs to the stream."""
        return self._operation.active() if self._operation is not None else nullcontext()

    def came(self) -> None:
        """A chunk has come."""
        self._chunks += 1
        if self._operation is not None:
            self._operation.came()

    def resumed(self, error: errors.APIError) -> None:
        """It broke off, and is taken up again."""
        logger.info("%s: the stream broke off, and is taken up again", self._what)
        if self._operation is not None:
            self._operation.resumed(error)

    def ended(self, how: str, error: Optional[BaseException], facts: Any, request_id: Optional[str]) -> None:
        """It is over: `how` is read, failed, cancelled or left."""
        seconds = time.monotonic() - self._began
        size = len(facts["text"].encode("utf-8", "replace"))
        logger.info(
            "%s: the stream was %s after %.3f s, %d chunks and %d bytes of text, request id %s",
            *(self._what, how, seconds, self._chunks, size, _shown(request_id, self._secret)),
        )
        if self._operation is not None:
            self._operation.told(facts)
            self._operation.end(error, left=how == "left")


def telemetry_of(wanted: Optional[bool], base_url: str, secret: str) -> Optional[Telemetry]:
    """OpenTelemetry, where it is wanted; left open, where the program has imported it already.

    Raises:
        ValueError: it is wanted, and not installed.
    """
    if wanted is False or (wanted is None and "opentelemetry" not in sys.modules):
        return None
    try:
        from nexusai._internal._telemetry import Telemetry
    except ImportError as error:
        if wanted is None:
            return None
        raise ValueError(
            "otel: OpenTelemetry is not installed. Expected: pip install 'nexus-ai-sdk[otel]'"
        ) from error
    return Telemetry(base_url, secret)


def set_up_logging() -> None:
    """Print the log to stderr where `NEXUS_LOG` asks for it: debug, info, warning or error.

    Raises:
        ValueError: it asks for something else.
    """
    wanted = os.environ.get("NEXUS_LOG")
    if not wanted:
        return
    if wanted.lower() not in _LEVELS:
        raise ValueError(f"NEXUS_LOG: expected one of {', '.join(_LEVELS)}, not {wanted!r}")
    logger.setLevel(_LEVELS[wanted.lower()])
    printed = any(type(handler) is logging.StreamHandler for handler in logger.handlers)
    if not printed and not logging.getLogger().handlers:  # else the program has a place for it
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


def _checked_hook(name: str, hook: Any) -> Any:
    if hook is None:
        return None
    if not callable(hook) or inspect.iscoroutinefunction(hook):
        raise TypeError(
            f"{name}: expected a plain function, not {hook!r}. It is called in the middle of a call and "
            "only watches: what takes time goes to a queue or a task of its own."
        )
    return hook


def _reason(error: errors.APIError) -> str:
    """What went wrong. Of an answer not its message, which may quote what was sent."""
    kind = type(error).__name__
    if error.status_code is None:
        return f"{kind}: {error}"
    facts = [str(error.status_code), (error.error_code or "")[:100]]
    facts.append(f"request id {error.request_id}" if error.request_id else "")
    return f"{kind} ({', '.join(filter(None, facts))})"


def _shown(text: Any, secret: str) -> str:
    """On one line, whatever a server has put into it, and without the API key."""
    line = masked(str(text), secret)
    return line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)


def _tell(hook: Optional[Callable[[Any], Any]], info: Any) -> None:
    if hook is None:
        return
    try:
        told = hook(info)
        if inspect.iscoroutine(told):
            told.close()
            raise TypeError("it is a coroutine function, and never ran: expected a plain function")
    except Exception:  # whoever watches must not break what is watched
        logger.exception("A hook failed")
