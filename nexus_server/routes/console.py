"""The web console: one static page at the platform's address, and the files that it stands on.

It holds no secret: the key comes from whoever opens it, and stays in their tab. It asks no other host for
anything, and its policy lets nothing run that is not one of these files.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from nexus_server.errors import NotFound
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.settings import ServerSettings

router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).resolve().parents[1] / "console"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    # No text ever becomes markup or code, whatever a model, a file's name or a document says.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",  # kept, and asked about each time: an upgrade shows at once
    "Vary": "Accept-Encoding",
}
_REFUSAL = (
    "The console is not shown under this name, so that no other site can pass for it. Open it by its address "
    "(such as http://127.0.0.1:8000/) or as localhost, or name the origin in the setting public_url.\n"
)


@dataclass(frozen=True)
class Asset:
    """A file of the console, as it is and compressed."""

    content_type: str
    plain: bytes
    packed: bytes
    tag: str


@cache
def assets() -> Mapping[str, Asset]:
    """The files of the console by their path below `console/`."""
    return {
        path.relative_to(_FOLDER).as_posix(): _asset(path)
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    tag = f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'
    return Asset(_TYPES[path.suffix], plain, gzip.compress(plain, mtime=0), tag)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request, platform: PlatformDep) -> Response:
    """The console's page."""
    return _answer(request, platform.settings, "index.html")


@router.api_route("/console/{path:path}", methods=["GET", "HEAD"])
async def file(path: str, request: Request, platform: PlatformDep) -> Response:
    """A file of the console."""
    return _answer(request, platform.settings, path)


def _answer(request: Request, settings: ServerSettings, path: str) -> Response:
    if not is_own_name(request.headers.get("host", ""), settings):
        return PlainTextResponse(_REFUSAL, 421, _HEADERS)
    asset = assets().get(path)
    if asset is None:
        raise NotFound("The console has no such file.")
    headers = {**_HEADERS, "ETag": asset.tag}
    if asset.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(asset.plain, headers=headers, media_type=asset.content_type)
    headers["Content-Encoding"] = "gzip"
    return Response(asset.packed, headers=headers, media_type=asset.content_type)


def is_own_name(host: str, settings: ServerSettings) -> bool:
    """Whether a `Host` header names this platform: an address, localhost, or a name from the settings.

    Any other name may be a stranger's that was made to lead here, to show the console as its own page and to
    read what is pasted into it.
    """
    name = _hostname(f"//{host}")
    if name is None:
        return False
    with suppress(ValueError):
        ip_address(name)
        return True
    named = {"localhost", settings.host.lower(), _hostname(settings.public_url or "")}
    return name in named or name.endswith(".localhost")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
