"""Telling what goes over the wire: to hooks, and to the log. Never a key, a body or a query."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Callable, NamedTuple, Optional

from nexusai import error as errors

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
    """What an attempt came to: the head of an answer, or an error."""

    request: RequestInfo
    status_code: Optional[int]
    request_id: Optional[str]
    seconds: float
    """From the beginning of the attempt to its whole answer; of a stream, to its head."""
    error: Optional[errors.APIError]


OnRequest = Callable[[RequestInfo], Any]
OnResponse = Callable[[ResponseInfo], Any]


class Observer:
    """Tells of the attempts of a client's calls."""

    def __init__(self, on_request: Optional[OnRequest], on_response: Optional[OnResponse]) -> None:
        self._on_request = on_request
        self._on_response = on_response
        self._hooked = on_request is not None or on_response is not None

    def begin(self, call: Any, attempt: int) -> Optional[Observation]:
        """Tell that an attempt begins; None when nobody wants to know."""
        if not self._hooked and not logger.isEnabledFor(logging.INFO):
            return None
        request = RequestInfo(call.method, call.url.shown, attempt)
        logger.debug("%s %s, attempt %d", *request)
        _tell(self._on_request, request)
        return Observation(request, self._on_response)


class Observation:
    """One attempt, from its beginning on."""

    def __init__(self, request: RequestInfo, on_response: Optional[OnResponse]) -> None:
        self._request = request
        self._on_response = on_response
        self._began = time.monotonic()

    def answered(self, status_code: Optional[int], request_id: Optional[str]) -> None:
        """There is an answer."""
        seconds = time.monotonic() - self._began
        method, url, _ = self._request
        logger.info("%s %s: %s in %.3f s, request id %s", method, url, status_code, seconds, request_id)
        _tell(self._on_response, ResponseInfo(self._request, status_code, request_id, seconds, None))

    def failed(self, error: errors.APIError, delay: Optional[float]) -> None:
        """There is none, or one that tells an error; `delay` seconds until the next attempt."""
        seconds = time.monotonic() - self._began
        method, url, attempt = self._request
        then = "given up" if delay is None else f"again in {delay:.1f} s"
        logger.info("%s %s, attempt %d: %s; %s", method, url, attempt, error, then)
        _tell(
            self._on_response,
            ResponseInfo(self._request, error.status_code, error.request_id, seconds, error),
        )


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
    if not any(type(handler) is logging.StreamHandler for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


def _tell(hook: Optional[Callable[[Any], Any]], info: Any) -> None:
    if hook is None:
        return
    try:
        hook(info)
    except Exception:  # whoever watches must not break what is watched
        logger.exception("A hook failed")
