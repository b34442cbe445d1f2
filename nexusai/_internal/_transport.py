"""The port to the wire: what is sent, what comes back, and what can go wrong on the way.

A transport holds one connection to one origin. Those on httpx are in `_httpx`, pyreqwest's in `_fast`;
nothing here, and nothing above, knows either library.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import AsyncIterator, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import quote, urlencode, urljoin, urlsplit

from typing_extensions import Protocol

Header = Tuple[bytes, bytes]
Body = Union[None, bytes, Iterator[bytes], AsyncIterator[bytes]]
CONNECT_TIMEOUT = 10.0
KEEPALIVE_EXPIRY = 60.0

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_UNRESERVED = "/?%:@!$&'()*+,;=~"
_PLAIN_TARGET = re.compile(r"[A-Za-z0-9._/?%:@!$&'()*+,;=~-]*")


class Url(NamedTuple):
    """An absolute http or https address, in the form in which it is sent."""

    scheme: str
    host: str
    port: Optional[int]
    target: str
    """Path and query."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def authority(self) -> str:
        """Host and port, as in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, _PORTS[self.scheme]) else f"{host}:{self.port}"

    @property
    def origin(self) -> Tuple[str, str, int]:
        """Scheme, host and port: what a key is sent to."""
        return self.scheme, self.host, self.port or _PORTS[self.scheme]

    @property
    def shown(self) -> str:
        """Without the query, which can hold anything."""
        return str(self).partition("?")[0]

    def below(self, path: str, parameters: Mapping[str, str]) -> Url:
        """The address of a path below this one."""
        target = self.target + path
        if not _PLAIN_TARGET.fullmatch(target):
            target = quote(target, safe=_UNRESERVED)
        if parameters:
            target += ("&" if "?" in target else "?") + urlencode(parameters)
        return self._replace(target=target)

    def join(self, address: str) -> Url:
        """What `address`, whole or relative to this one, means.

        Raises:
            ValueError: nothing that can be asked for.
        """
        return parse_url(urljoin(str(self), address))


@lru_cache(maxsize=64)
def parse_url(text: str) -> Url:
    """An address, ready to be sent to.

    Raises:
        ValueError: it is no http or https address, or holds a user's name.
    """
    parts = urlsplit(text)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if parts.scheme not in _PORTS or "@" in parts.netloc or not _HOST.fullmatch(host):
        raise ValueError(f"expected an address like https://host/path, not {text[:200]!r}")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, host, parts.port, quote(target, safe=_UNRESERVED))


class Request(NamedTuple):
    """What is sent, and how long its parts may take.

    `deadline` is a point on the monotonic clock; `idle` seconds bound each silence on the wire. An answer
    that is taken `whole` need not be handed on before its end.
    """

    method: str
    url: Url
    headers: List[Header]
    body: Body
    deadline: float
    idle: float
    whole: bool = False


class TransportError(Exception):
    """The request did not get its answer.

    Attributes:
        timed_out: a limit of time was reached.
        sent: the server may have seen the request.
    """

    def __init__(self, message: str, *, timed_out: bool, sent: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.sent = sent


class Response(Protocol):
    """An answer whose head has come. Read it, then close it."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""

    def chunks(self) -> Iterator[bytes]:
        """The body, decoded, as it comes; `TransportError` where it breaks off."""
        ...

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        ...


class AsyncResponse(Protocol):
    """An answer whose head has come. Read it, then close it."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, decoded, as it comes; `TransportError` where it breaks off."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        ...


class Transport(Protocol):
    """One connection to one origin."""

    def send(self, request: Request) -> Response:
        """Send, and wait for the head of the answer; `TransportError` where there is none."""
        ...

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class AsyncTransport(Protocol):
    """One connection to one origin."""

    async def send(self, request: Request) -> AsyncResponse:
        """Send, and wait for the head of the answer; `TransportError` where there is none."""
        ...

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


def proxy_for(origin: Url) -> Optional[str]:
    """The proxy that the environment names for this origin; none for the machine itself."""
    if origin.host in ("localhost", "127.0.0.1", "::1"):
        return None
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(origin.host):
        return None
    proxies = getproxies()
    found = proxies.get(origin.scheme) or proxies.get("all")
    return f"http://{found}" if found and "://" not in found else found
