"""What happens to every request, as plain ASGI: nothing here stands between a stream and its reader."""

from __future__ import annotations

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus_server.routes.responses import crash_answer, error_answer
from nexus_server.services.rate_limits import Allowance

_logger = logging.getLogger(__name__)

_UPLOADS = re.compile(r"/(files|documents|transcriptions)$")  # read block by block, never as a whole
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestIdMiddleware:
    """Gives every answer an `X-Request-ID`, the caller's if it sent a good one.

    It stands outside of everything, so it also answers for what crashed within.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:  # in the midst of its body: nobody is left to hear an answer
            _logger.info("Request %s (%s %s) was broken off", request_id, scope["method"], scope["path"])
        except Exception:
            _logger.exception("Request %s (%s %s) crashed", request_id, scope["method"], scope["path"])
            if not started:
                await crash_answer()(scope, receive, send_with_id)


class BodyLimitMiddleware:
    """Refuses a body that is too large: before reading it, where its length is told."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._sentence = f"The body is larger than {limit} bytes."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or _is_upload(scope):  # it has a limit of its own
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._limit:
            extra = {"limit": self._limit}
            refusal = error_answer(413, "PAYLOAD_TOO_LARGE", self._sentence, extra=extra)
            await refusal(scope, receive, send)
            return
        size = 0

        async def receive_within_limit() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                # The framework lets this one pass while it reads a body, and only this one.
                raise HTTPException(413, self._sentence)
            return message

        await self._app(scope, receive_within_limit, send)


class RateLimitMiddleware:
    """Tells in every answer to a key with a limit how much of it is left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def send_with_allowance(message: Message) -> None:
            allowance: Allowance | None = scope.get("state", {}).get("allowance")
            if message["type"] == "http.response.start" and allowance is not None:
                MutableHeaders(scope=message).update(allowance.headers)
            await send(message)

        await self._app(scope, receive, send_with_allowance)


def _is_upload(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").lower()
    return kind.startswith("multipart/form-data") and _UPLOADS.search(scope["path"]) is not None
