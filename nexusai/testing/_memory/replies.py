"""Answers on the wire: JSON, bytes, errors, event streams."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Optional

from nexusai.testing._calls import Call
from nexusai.testing._wire import Reply, Trouble
from nexusai.types import JSONObject

_BLOCK = 64 * 1024
_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    408: "TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def json_reply(status: int, body: Any, headers: Optional[Mapping[str, str]] = None) -> Reply:
    """An answer in JSON."""
    content = json.dumps(body, ensure_ascii=False).encode()
    return content_reply(status, content, {"content-type": "application/json", **(headers or {})})


def content_reply(status: int, content: bytes, headers: Mapping[str, str]) -> Reply:
    """An answer of bytes, in blocks."""
    blocks = [content[start : start + _BLOCK] for start in range(0, len(content), _BLOCK)]
    return Reply(status, {**headers, "content-length": str(len(content))}, blocks)


def error_reply(
    status: int,
    message: str,
    now: str,
    *,
    code: Optional[str] = None,
    retry_after: Optional[float] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> Reply:
    """The contract's error body."""
    fallback = "INTERNAL_ERROR" if status >= 500 else "INVALID_REQUEST"
    body = {"detail": message, "error_code": code or _CODES.get(status, fallback), "timestamp": now}
    lines = dict(headers or {})
    if retry_after is not None:
        body["retry_after"] = retry_after  # type: ignore[assignment]  # the other values are texts
        lines["retry-after"] = f"{retry_after:g}"
    return json_reply(status, body, lines)


def page(call: Call, field: str, oldest_first: List[JSONObject]) -> Reply:
    number, size = int(call.query.get("page", 1)), int(call.query.get("per_page", 20))
    rows = oldest_first[::-1]
    facts = {"total": len(rows), "page": number, "per_page": size, "pages": -(-len(rows) // size)}
    return json_reply(200, {field: rows[(number - 1) * size : number * size], **facts})


def applied(call: Call) -> Dict[str, str]:
    """The header that tells which preference was honoured."""
    waits = re.search(r"wait=\d+", call.headers.get("prefer", ""))
    if waits is not None:
        return {"preference-applied": waits[0]}
    return {"preference-applied": "respond-async"} if call.prefers("respond-async") else {}


def event(chunk: Any) -> bytes:
    """One event."""
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def events(pieces: List[str], seen: int, *, ids: bool) -> List[bytes]:
    """The pieces as events, without the first `seen` characters; an id counts characters."""
    told, place = [], 0
    for piece in pieces:
        place += len(piece)
        unseen = piece[max(0, len(piece) - (place - seen)) :] if place > seen else ""
        if unseen:
            told.append(_numbered(place if ids else None, event({"delta": {"content": unseen}})))
    return told


def _numbered(place: Optional[int], told: bytes) -> bytes:
    return told if place is None else b"id: %d\n%s" % (place, told)


def last_events(output: JSONObject, task_id: str, *, ids: bool) -> List[bytes]:
    """What a stream ends with."""
    last = {name: output.get(name) for name in ("usage", "finish_reason", "model")}
    if "metadata" in output:
        last["metadata"] = output["metadata"]
    told = event({**last, "task_id": task_id})
    return [_numbered(len(output["text"]) if ids else None, told), b"data: [DONE]\n\n"]


def event_stream(told: List[bytes], headers: Mapping[str, str], trouble: Optional[Trouble] = None) -> Reply:
    """An answer of events, and perhaps what breaks it off."""
    lines = {"content-type": "text/event-stream; charset=utf-8", **headers}
    return Reply(200, lines, told, trouble=trouble)
