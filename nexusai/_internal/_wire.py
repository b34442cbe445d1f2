# Generated from nexusai/aio/_internal/_wire.py by scripts/unasync.py: edit that file.

"""The default transport: straight on a socket, or through httpx where somebody counts on that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from nexusai._internal._http11 import HTTP11Transport
from nexusai._internal._patched import httpx_is_patched
from nexusai._internal._transport import Request, Response, Transport, Url, proxy_for

if TYPE_CHECKING:
    from nexusai._internal._httpx import HTTPXTransport

_IDENTITY = (b"accept-encoding", b"identity")


class Wire:
    """One connection to one origin.

    httpx is used where a mock or a tracer watches it, where a proxy stands between, and where compressed
    answers are asked for: mocks of httpx see every request, and what is rarely needed is not written twice.
    """

    def __init__(self, origin: Url) -> None:
        self._origin = origin
        self._proxied = proxy_for(origin) is not None
        self._straight = HTTP11Transport(origin)
        self._httpx: Optional[HTTPXTransport] = None
        self._used: Transport = self._straight

    def send(self, request: Request) -> Response:
        """Send, and wait for the head of the answer."""
        plain = not self._proxied and _IDENTITY in request.headers and not httpx_is_patched()
        self._used = self._straight if plain else self._through_httpx()
        return self._used.send(request)

    def _through_httpx(self) -> HTTPXTransport:
        if self._httpx is None:
            from nexusai._internal._httpx import HTTPXTransport

            self._httpx = HTTPXTransport(self._origin)
        return self._httpx

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        return self._used.hasten(seconds)

    def abandon(self) -> None:
        """Close the connection of an event loop that is closed."""
        self._straight.abandon()
        if self._httpx is not None:
            self._httpx.abandon()

    def close(self) -> None:
        """Close the connection."""
        self._straight.close()
        if self._httpx is not None:
            self._httpx.close()
