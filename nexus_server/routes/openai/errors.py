"""Errors as OpenAI tells them: `{"error": {"message", "type", "code", "param"}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nexus_server.errors import PlatformError
from nexus_server.routes.responses import answer
from nexus_server.store.tasks import TaskRecord

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {"UNAUTHORIZED": "invalid_api_key"}


class OpenAIErrorDetails(BaseModel):
    """What went wrong. `param` names the field that is to blame, where one is."""

    model_config = ConfigDict(extra="allow")

    message: str
    type: str
    code: str
    param: str | None


class OpenAIErrorBody(BaseModel):
    """The body of every error."""

    error: OpenAIErrorDetails


def told_error(
    status: int, code: str, message: str, *, param: str | None = None, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The error's body, with whatever else is known of it beside the four fields."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    told = {"message": message, "type": kind, "code": _CODES.get(code, code.lower()), "param": param}
    return {"error": {**(more or {}), **told}}


def error_answer(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error of this status."""
    headers = dict(headers or {})
    if isinstance(seconds := (more or {}).get("retry_after"), (int, float)):
        headers["Retry-After"] = str(math.ceil(seconds))
    return answer(told_error(status, code, message, param=param, more=more), status, headers)


def platform_error_answer(error: PlatformError) -> Response:
    """A domain error."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return error_answer(error.status, error.code, error.detail, more=error.told, headers=headers)


def unsuccessful_answer(task: TaskRecord) -> Response:
    """Why a task ended without a result."""
    if task.status == "cancelled":
        return error_answer(409, "TASK_CANCELLED", "The task was cancelled.", more={"task_id": task.id})
    error = dict(task.error or {})
    status, code, message = error.pop("status"), error.pop("code"), error.pop("message")
    return error_answer(status, code, message, more={**error, "task_id": task.id})


def install_error_handlers(app: FastAPI) -> None:
    """Give every error that a route or the framework raises OpenAI's body."""

    @app.exception_handler(PlatformError)
    async def platform_error(_: Request, error: PlatformError) -> Response:
        return platform_error_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # Of what may be one thing or another the deepest fault is the nearest to what was meant. Only
        # where and why are told: what was sent may be long, or secret.
        fault = max(error.errors(), key=lambda each: len(each["loc"]))
        where = ".".join(str(part) for part in fault["loc"] if part != "body")
        message = f"{where}: {fault['msg']}" if where else str(fault["msg"])
        return error_answer(400, "INVALID_REQUEST", message, param=where or None)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}
        code = codes.get(error.status_code, "INVALID_REQUEST")
        return error_answer(error.status_code, code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def crash(_: Request, __: Exception) -> Response:
        message = "The platform failed to answer; its log says why."
        return error_answer(500, "INTERNAL_ERROR", message)
