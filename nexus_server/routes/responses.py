"""JSON answers, errors among them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nexus_server.errors import PlatformError
from nexus_server.services.replays import Made
from nexus_server.store.clock import iso, now_ms

LAST_PAGE = 1_000_000_000
"""Pages beyond this are not asked for by anybody, and do not fit the database's numbers."""

_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def encode(body: object) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer of a body that is already as it should be."""
    return Response(encode(body), status, headers, media_type="application/json")


def made_answer(made: Made, status: int) -> Response:
    """The answer to a request that made a thing, or that made it before."""
    headers = {"Idempotent-Replayed": "true"} if made.replayed else None
    return answer(made.body, status, headers)


def error_answer(
    status: int,
    code: str,
    detail: object,
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The contract's error body."""
    body = {**(extra or {}), "detail": detail, "error_code": code, "timestamp": iso(now_ms())}
    headers = dict(headers or {})
    if isinstance(seconds := body.get("retry_after"), (int, float)):
        headers["Retry-After"] = str(math.ceil(seconds))
    return answer(body, status, headers)


def platform_error_answer(error: PlatformError, **extra: object) -> Response:
    """A domain error, with what it says beside its detail."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    extra = {**error.told, **extra}
    return error_answer(error.status, error.code, error.detail, extra=extra, headers=headers)


def crash_answer() -> Response:
    """A bug of ours. What it was is in the log, and there only."""
    return error_answer(500, "INTERNAL_ERROR", "The platform failed to answer; its log says why.")


def install_error_handlers(app: FastAPI) -> None:
    """Give every error that a route or the framework raises the contract's body."""

    @app.exception_handler(PlatformError)
    async def platform_error(_: Request, error: PlatformError) -> Response:
        return platform_error_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # Only these three: the others repeat what was sent, which may be long, or secret.
        told = [{key: fault[key] for key in ("loc", "msg", "type")} for fault in error.errors()]
        return error_answer(422, "VALIDATION_ERROR", told)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "INTERNAL_ERROR")
        return error_answer(error.status_code, code, error.detail, headers=error.headers)
