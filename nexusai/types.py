"""Names for the shapes of arguments and stream chunks, for users who annotate their code."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Union

from typing_extensions import Literal, TypedDict

TaskType = Literal[
    "text_generation",
    "image_generation",
    "speech_to_text",
    "text_to_speech",
    "document_processing",
]
TaskStatus = Literal["pending", "queued", "running", "completed", "failed", "cancelled"]
TERMINAL_STATUSES = frozenset({"completed", "failed", "cancelled"})
"""A task with one of these has ended. Any other status, known or not, may still change."""

AspectRatio = Literal["1:1", "16:9", "9:16", "4:3", "3:4", "21:9"]
ASPECT_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9")

Role = Literal["system", "user", "assistant"]


class MessageParam(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str


class Fallback(TypedDict, total=False):
    """Who is asked where another cannot answer: a provider, a model, or both."""

    provider: str
    model: str


Fallbacks = Sequence[Union[Fallback, Mapping[str, str]]]
Messages = Sequence[Union[MessageParam, Mapping[str, Any]]]
JSONObject = Dict[str, Any]
JSONArray = List[Any]


class UsageDict(TypedDict, total=False):
    """Tokens of a call, as the wire tells them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Delta(TypedDict, total=False):
    """What a chunk adds."""

    content: str
    role: str


class TextChunk(TypedDict, total=False):
    """One event of a text stream. Most hold only `delta`; the last ones the rest."""

    delta: Delta
    finish_reason: str
    usage: UsageDict
    model: str
    task_id: str
