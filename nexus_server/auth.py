"""Keys, and who is calling.

A key is `nxs_<id>_<secret>` with 256 bits from the system's generator, so one fast hash protects
it as well as a slow one would. The key itself is stored nowhere but in the first key's file.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from nexus_server.errors import RateLimited, StartupError, Unauthorized
from nexus_server.services.rate_limits import RateLimiter, SlidingWindow
from nexus_server.store import api_keys
from nexus_server.store.data_dir import write_private
from nexus_server.store.database import Database

_KEY = re.compile(r"nxs_([0-9a-f]{12})_([A-Za-z0-9_-]{22,128})")
_TRUST_SECONDS = 2.0
_CACHE_SIZE = 1024
_FAILURES_A_MINUTE = 60  # from one address


@dataclass(frozen=True)
class Caller:
    """Who is calling: the id of the API key."""

    api_key_id: str


def new_key() -> str:
    """A fresh key."""
    return f"nxs_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"


class KeyRing:
    """Checks keys against their stored hashes, and makes the first one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Hash → when it has to be looked up again: a disabled key stops within two seconds.
        self._trusted: dict[str, float] = {}
        self._failures: RateLimiter = SlidingWindow(_FAILURES_A_MINUTE)

    async def ensure_first_key(self, path: Path) -> None:
        """Make the key in `path` work; without that file, make a key and write it there.

        The file outlives the database: where only the database was deleted, programs that hold
        the key go on.

        Raises:
            StartupError: the file holds something else than a key.
        """
        key = _read_key(path) or new_key()
        key_id = key.split("_")[1]
        self._trusted[_hash(key)] = 0.0  # the one that the owner has
        async with self._database.write() as connection:
            if await api_keys.get(connection, key_id) is None:
                await api_keys.insert(connection, key_id, "first key", _hash(key))
        write_private(path, key + "\n")

    async def authenticate(self, authorization: str | None, address: str = "") -> Caller:
        """Whose key it is.

        After too many wrong keys from one address, no other is looked at from there for a while; but
        for those that were right before, so that a guesser locks nobody out who is at work.

        Raises:
            Unauthorized: with one of the contract's three sentences.
            RateLimited: there were too many wrong keys from this address.
        """
        if not authorization:
            raise Unauthorized("Missing Authorization header")
        try:
            return await self._check(authorization, address)
        except Unauthorized:
            await self._failures.take(address)
            raise

    async def _check(self, authorization: str, address: str) -> Caller:
        scheme, _, key = authorization.strip().partition(" ")
        match = _KEY.fullmatch(key.strip())
        key_hash = _hash(match[0]) if match else ""
        if key_hash not in self._trusted:
            await self._refuse_guesses(address)
        if scheme.lower() != "bearer" or match is None:
            raise Unauthorized("Invalid API key")
        await self._verify(match[1], key_hash)
        return Caller(match[1])

    async def _refuse_guesses(self, address: str) -> None:
        allowance = await self._failures.look(address)
        if allowance.retry_after is not None:
            raise RateLimited(
                f"Too many wrong API keys came from this address: try again in {allowance.retry_after} s.",
                retry_after=allowance.retry_after,
            )

    async def _verify(self, key_id: str, key_hash: str) -> None:
        now = time.monotonic()
        if self._trusted.get(key_hash, 0.0) > now:
            return
        async with self._database.read() as connection:
            stored = await api_keys.get(connection, key_id)
        if not hmac.compare_digest(stored.hash if stored else "", key_hash) or stored is None:
            raise Unauthorized("Invalid API key")
        if stored.disabled:
            raise Unauthorized("API key is disabled")
        if len(self._trusted) >= _CACHE_SIZE:
            self._trusted.clear()
        self._trusted[key_hash] = now + _TRUST_SECONDS


def _read_key(path: Path) -> str | None:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        key = ""
    if not _KEY.fullmatch(key):
        raise StartupError(f"{path} does not hold an API key: correct it, or delete it.")
    return key


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


# Only describes the scheme in the API document; the checking is ours, for the contract's words.
_bearer = HTTPBearer(auto_error=False, description="An API key, `nxs_…`.")


async def require_caller(request: Request, _: Annotated[object, Depends(_bearer)]) -> Caller:
    """The dependency that guards every route of the API, and counts its requests."""
    platform = request.app.state.platform
    keys: KeyRing = platform.keys
    limiter: RateLimiter | None = platform.rate_limiter
    caller = await keys.authenticate(request.headers.get("authorization"), _neighbourhood(request))
    if limiter is None:
        return caller
    allowance = await limiter.take(caller.api_key_id)
    request.state.allowance = allowance  # `RateLimitMiddleware` tells it in the answer's headers
    if allowance.retry_after is not None:
        raise RateLimited(
            f"More than {allowance.limit} requests in a minute: try again in {allowance.retry_after} s.",
            retry_after=allowance.retry_after,
        )
    return caller


def _neighbourhood(request: Request) -> str:
    """The caller's address; of IPv6 the network, for whoever has one address there has them all."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 4 or address.ipv4_mapped:
        return host
    return str(ip_network((int(address) >> 64 << 64, 64)))


CallerDep = Annotated[Caller, Depends(require_caller)]
