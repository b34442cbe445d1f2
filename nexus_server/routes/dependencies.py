"""What routes are given."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from nexus_server.errors import InvalidRequest
from nexus_server.routes.preferences import Preferences, parse_prefer
from nexus_server.services.platform import Platform

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def get_platform(request: Request) -> Platform:
    """The services behind this application."""
    platform: Platform = request.app.state.platform
    return platform


def get_preferences(request: Request) -> Preferences:
    """What the `Prefer` headers ask for."""
    return parse_prefer(request.headers.getlist("prefer"))


def get_idempotency_key(
    idempotency_key: Annotated[str | None, Header(description="≤ 255 visible characters")] = None,
) -> str | None:
    """The `Idempotency-Key`, if there is one.

    Raises:
        InvalidRequest: it cannot be one.
    """
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise InvalidRequest("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return idempotency_key


def get_origin(request: Request) -> str:
    """The address under which the caller reaches the platform, such as `http://localhost:8000`."""
    return str(request.base_url).rstrip("/")


OriginDep = Annotated[str, Depends(get_origin)]
PlatformDep = Annotated[Platform, Depends(get_platform)]
PreferencesDep = Annotated[Preferences, Depends(get_preferences)]
IdempotencyKeyDep = Annotated[str | None, Depends(get_idempotency_key)]
