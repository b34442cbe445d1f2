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
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from nexus_server.errors import StartupError, Unauthorized
from nexus_server.store import api_keys
from nexus_server.store.data_dir import write_private
from nexus_server.store.database import Database

_KEY = re.compile(r"nxs_([0-9a-f]{12})_([A-Za-z0-9_-]{22,128})")
_TRUST_SECONDS = 2.0
_CACHE_SIZE = 1024


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

    async def ensure_first_key(self, path: Path) -> None:
        """Make the key in `path` work; without that file, make a key and write it there.

        The file outlives the database: where only the database was deleted, programs that hold
        the key go on.

        Raises:
            StartupError: the file holds something else than a key.
        """
        key = _read_key(path) or new_key()
        key_id = key.split("_")[1]
        async with self._database.write() as connection:
            if await api_keys.get(connection, key_id) is None:
                await api_keys.insert(connection, key_id, "first key", _hash(key))
        write_private(path, key + "\n")

    async def authenticate(self, authorization: str | None) -> Caller:
        """Whose key it is.

        Raises:
            Unauthorized: with one of the contract's three sentences.
        """
        if not authorization:
            raise Unauthorized("Missing Authorization header")
        scheme, _, key = authorization.strip().partition(" ")
        match = _KEY.fullmatch(key.strip())
        if scheme.lower() != "bearer" or match is None:
            raise Unauthorized("Invalid API key")
        await self._verify(match[1], _hash(match[0]))
        return Caller(match[1])

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
    """The dependency that guards every route of the API."""
    keys: KeyRing = request.app.state.platform.keys
    return await keys.authenticate(request.headers.get("authorization"))


CallerDep = Annotated[Caller, Depends(require_caller)]
