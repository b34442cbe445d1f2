"""Whether somebody watches httpx: a mock, a recorder or a tracer that has replaced its functions."""

from __future__ import annotations

import os
import sys
from types import FunctionType
from typing import Any, List

_PLACES = (
    ("httpx", "HTTPTransport", "handle_request"),
    ("httpx", "AsyncHTTPTransport", "handle_async_request"),
    ("httpcore", "ConnectionPool", "handle_request"),
    ("httpcore", "AsyncConnectionPool", "handle_async_request"),
)
"""What pytest-httpx, respx, vcrpy and OpenTelemetry replace."""

_known: List[Any] = []
"""The functions at these places, once they were found to be the library's own."""


def httpx_is_patched() -> bool:
    """Asked before each request, so that who begins to watch later sees the next one."""
    if "httpx" not in sys.modules:
        return False  # then nobody can have replaced anything in it
    functions = [_function(*place) for place in _PLACES]
    if _known and all(function is known for function, known in zip(functions, _known)):
        return False  # not by `==`: a wrapper may say that it equals what it wraps
    if not all(_is_own(function, package) for function, (package, _, _) in zip(functions, _PLACES)):
        return True
    _known[:] = functions
    return False


def _function(package: str, kind: str, name: str) -> Any:
    return vars(getattr(sys.modules.get(package), kind, object)).get(name)


def _is_own(function: Any, package: str) -> bool:
    """Wrappers may take over name and module of what they wrap, but not its type and code together."""
    if package not in sys.modules:
        return True
    home = os.path.dirname(getattr(sys.modules.get(package), "__file__", None) or "")
    return type(function) is FunctionType and function.__code__.co_filename.startswith(home + os.sep)
