"""What may be kept of what the platform answers, under which name, and as which bytes. No I/O.

| call | is kept |
| --- | --- |
| `GET /models`, `GET /embeddings/models` | always |
| `GET /files/{id}` | until this client deletes it |
| `GET /tasks/{id}` | once the task has ended: it never changes again |
| `POST /embeddings` | always: the same text has the same vector |
| `POST /invoke` | a text with `temperature` 0 and a `seed`, once it is completed |

Everything else is asked for each time: streams, sessions, searches, pictures, what costs nothing to repeat,
what changes by itself, and every error.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Callable, List, Mapping, Optional, Pattern, Tuple

from nexusai._internal import _bodies
from nexusai._internal._responses import Answer
from nexusai.models import Task

_FORMAT = "nexusai answers 1"
"""Changes with what `packed` writes, so that no version reads what another means differently."""

_TOLD = ("content-type", "x-request-id")
"""Headers that are kept with a body."""


def _always(body: Any) -> bool:
    return True


def _is_deterministic(body: Any) -> bool:
    """Whether the caller has said that this text generation gives the same each time, and does only that."""
    config = body.get("config") if isinstance(body, Mapping) else None
    if not isinstance(config, Mapping) or body.get("task_type") != "text_generation":
        return False
    alone = set(body) <= {"task_type", "input", "provider", "model", "config"}
    temperature, seed = config.get("temperature"), config.get("seed")
    return alone and _is_number(temperature) and temperature == 0 and isinstance(seed, int)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_RULES: Tuple[Tuple[str, Pattern[str], Callable[[Any], bool]], ...] = (
    ("GET", re.compile(r"/models"), _always),
    ("GET", re.compile(r"/embeddings/models"), _always),
    ("GET", re.compile(r"/files/[^/]+"), _always),
    ("GET", re.compile(r"/tasks/[^/]+"), _always),
    ("POST", re.compile(r"/embeddings"), _always),
    ("POST", re.compile(r"/invoke"), _is_deterministic),
)


def scope_of(base_url: str, headers: List[_bodies.Header]) -> str:
    """What stands for a client: its address, its key and its headers, none of which can be read from it."""
    lines = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in sorted(headers)]
    return _digest([_FORMAT, base_url, lines])


def key_of(
    scope: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    params: Optional[Mapping[str, Any]] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> Optional[str]:
    """The name under which the answer to a call is kept; None where it must not be.

    The order of keys in a body makes no difference, everything else does. A call with headers of its own
    is not like any other, unless they only say how long the platform may wait.
    """
    if not all(name.lower() == "prefer" and _only_waits(value) for name, value in (headers or {}).items()):
        return None
    if not any(method == of and where.fullmatch(path) and is_safe(body) for of, where, is_safe in _RULES):
        return None
    try:
        return _digest([scope, method, path, _bodies.query(params or {}), body])
    except (TypeError, ValueError, RecursionError):
        return None  # it is no JSON: sending it tells so


def may_keep(method: str, result: Any) -> bool:
    """Whether what was answered will be the answer the next time, too."""
    if not isinstance(result, Task):
        return True
    return result.has_ended if method == "GET" else result.status == "completed"


def packed(answer: Answer) -> bytes:
    """An answer as bytes."""
    told = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
    return json.dumps([answer.status, told]).encode("ascii") + b"\n" + answer.content


def unpacked(kept: bytes) -> Optional[Answer]:
    """The answer that these bytes are; None where they are something else."""
    head, _, content = kept.partition(b"\n")
    try:
        status, told = json.loads(head)
        return Answer(int(status), {str(name): str(value) for name, value in told.items()}, content)
    except (ValueError, TypeError, AttributeError):
        return None


def _only_waits(value: str) -> bool:
    return re.fullmatch(r"wait=\d+", value) is not None


def _digest(facts: Any) -> str:
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
