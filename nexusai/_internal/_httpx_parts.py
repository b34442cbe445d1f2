"""What both colours of the httpx transport share: limits of time, options, exceptions."""

from __future__ import annotations

import ssl
import sys
import time
from typing import Any, Dict, Optional

import httpx

from nexusai._internal._hints import PROXY
from nexusai._internal._sockets import OPTIONS, tls_context
from nexusai._internal._transport import (
    CONNECT_TIMEOUT,
    KEEPALIVE_EXPIRY,
    Request,
    TransportError,
    Url,
    proxy_for,
)
from nexusai.error import APIError

FAR = float("inf")
_PROXIES = "http://, https://, socks5:// or socks5h://"
_SOCKS = f"Install it: pip install 'httpx[socks]'. {PROXY}"


class Clock:
    """The deadline of the request that a transport is busy with."""

    def __init__(self) -> None:
        self.deadline = FAR

    def clip(self, timeout: Optional[float], error: type) -> Optional[float]:
        """`timeout`, but not beyond the deadline; `error` when that has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error("the time limit was reached")
        if timeout is None:
            return None if left == FAR else left
        return min(timeout, left)


class Translated:
    """Turns the exceptions of httpx (or httpx2) into `TransportError`. It has no state."""

    def __init__(self, library: Any) -> None:
        self._timeout = library.TimeoutException
        self._unsent = (library.ConnectTimeout, library.PoolTimeout, library.ConnectError)
        self._failures = (library.TransportError, library.DecodingError, library.StreamError)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        if error is None or not isinstance(error, self._failures):
            return
        timed_out, sent = isinstance(error, self._timeout), not isinstance(error, self._unsent)
        raise TransportError(_described(error), timed_out=timed_out, sent=sent) from error


OF_HTTPX = Translated(httpx)


def checked(client: Any, wanted: str) -> Any:
    """A user's own client, if it is one of the kind that is `wanted`."""
    if wanted not in {base.__name__ for base in type(client).__mro__}:
        raise TypeError(f"http_client: expected an httpx.{wanted}, not {type(client).__name__}")
    return client


def library_of(client: Any) -> Any:
    """The library that a client comes from: httpx or httpx2."""
    for base in type(client).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("httpx", "httpx2"):
            return sys.modules[package]
    return httpx


def as_httpx(library: Any, request: Request) -> Any:
    """A request in httpx's (or httpx2's) own form."""
    return library.Request(
        request.method,
        str(request.url),
        headers=request.headers,
        content=request.body,
        extensions={"timeout": timeouts(request)},
    )


def timeouts(request: Request) -> Dict[str, float]:
    """The limits of time, in the form in which httpx and httpcore take them."""
    left = max(request.deadline - time.monotonic(), 0.001)
    idle = min(request.idle, left)
    return {"connect": min(CONNECT_TIMEOUT, idle), "read": idle, "write": idle, "pool": idle}


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain http: nothing is ever verified with it, and it costs nothing to make."""


def made_for(origin: Url, kind: Any) -> Any:
    """An httpx transport of this kind, with a single connection.

    Raises:
        APIError: the environment names a proxy that cannot be used.
    """
    try:
        return kind(**options(origin))
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        proxy = proxy_for(origin)
        if proxy is None:
            raise
        needs_more = isinstance(error, ImportError)
        scheme = proxy.partition("://")[0]
    # Outside: the library's own error quotes the address, which may hold a password.
    found = f"The proxy that the environment names for {origin.host} cannot be used"
    if needs_more:
        raise APIError(f"{found}: {scheme}:// needs a package that is not installed.", hint=_SOCKS)
    raise APIError(f"{found}: expected {_PROXIES} with a host and a port, not {scheme}://…", hint=PROXY)


def options(origin: Url) -> Dict[str, Any]:
    """What an httpx transport with a single connection is made with."""
    chosen: Dict[str, Any] = {
        "socket_options": OPTIONS,
        "limits": httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY
        ),
        "trust_env": False,
        "verify": tls_context() if origin.scheme == "https" else _NO_TLS,
    }
    proxy = proxy_for(origin)
    if proxy:
        chosen["proxy"] = httpx.Proxy(proxy)
    return chosen


def _described(error: BaseException) -> str:
    name = type(error).__name__
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return f"{words}: {error}" if str(error) else words
