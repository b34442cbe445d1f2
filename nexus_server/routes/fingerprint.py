"""Whether two requests are the same."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel

from nexus_server.errors import InvalidRequest

_DEEPEST = 64


def fingerprint(body: BaseModel) -> str:
    """A hash of the body.

    Raises:
        InvalidRequest: it holds what no JSON may: NaN, an infinity, half a surrogate pair. Or it is
            nested so deep that writing it down could exhaust the stack.
    """
    if any(_is_deeper(part, _DEEPEST) for _, part in body):
        raise InvalidRequest(f"The body is nested more than {_DEEPEST} levels deep.")
    try:
        canonical = json.dumps(body.model_dump(), sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()
    except ValueError as error:
        raise InvalidRequest("The body holds a number or text that JSON cannot carry.") from error


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and dicts stand within each other more than so many levels deep."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for item in layer
            if isinstance(item, (list, dict))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, (list, dict)) for item in layer)
