"""What the platform returns.

Fields that are not named here are kept, and reachable as attributes: a newer platform never breaks
an older client. Every result tells its `request_id`.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Dict, Generic, List, Optional, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)
from typing_extensions import Annotated

from nexusai.types import TERMINAL_STATUSES

__all__ = [
    "Deletion",
    "File",
    "Image",
    "Model",
    "ModelInfo",
    "Page",
    "Result",
    "TTSResponse",
    "Task",
    "TaskFailure",
    "TextResponse",
    "TranscriptSegment",
    "TranscriptionResponse",
    "Usage",
]

T = TypeVar("T")


def _utc(value: Any) -> Any:
    """Times with an offset and a `Z`, or with no zone at all, have been seen on the wire."""
    if isinstance(value, str):
        value = re.sub(r"([+-]\d\d:?\d\d)Z$", r"\1", value.strip())
        if not re.search(r"(Z|[+-]\d\d:?\d\d)$", value, re.IGNORECASE):
            value += "Z"
    elif isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=timezone.utc)
    return value


Time = Annotated[datetime, BeforeValidator(_utc)]
"""An aware datetime, read leniently."""


class Model(BaseModel):
    """The base of everything that the platform returns."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Result(Model):
    """The base of what a call returns as a whole."""

    _request_id: Optional[str] = PrivateAttr(default=None)

    @property
    def request_id(self) -> Optional[str]:
        """What to quote when asking the platform's operators about this call."""
        return self._request_id


class Usage(Model):
    """Tokens of a call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class TextResponse(Result):
    """Generated text.

    Attributes:
        finish_reason: `stop` where the model ended by itself, `length` where `max_tokens` cut it.
    """

    text: str
    usage: Optional[Usage] = None
    model: Optional[str] = None
    finish_reason: Optional[str] = None


class TaskFailure(Model):
    """Why a task failed."""

    code: str = "TASK_FAILED"
    message: str = "The platform gave no reason."


class Task(Result):
    """Work that the platform has accepted.

    Attributes:
        status: `pending`, `queued`, `running`, `completed`, `failed`, `cancelled`; a newer platform
            may know others.
        progress: 0 to 100, where the platform tells.
        output: the result, by the contract of its `task_type`; None until it has completed.
    """

    task_id: str
    status: str
    task_type: Optional[str] = None
    created_at: Optional[Time] = None
    started_at: Optional[Time] = None
    finished_at: Optional[Time] = None
    progress: Optional[float] = None
    output: Optional[Dict[str, Any]] = None
    error: Optional[TaskFailure] = None

    @property
    def has_ended(self) -> bool:
        """Whether the task has reached its end, good or bad."""
        return self.status in TERMINAL_STATUSES


class File(Result):
    """An uploaded file.

    Attributes:
        size: in bytes.
    """

    file_id: str
    filename: str = ""
    content_type: Optional[str] = Field(
        default=None, validation_alias=AliasChoices("content_type", "mime_type")
    )
    size: Optional[int] = None
    created_at: Optional[Time] = None


class Deletion(Result):
    """That something is gone."""

    message: str = ""
    deleted_count: int = 1


class Image(Result):
    """A generated picture.

    Attributes:
        image_url: where it is: at the platform, which asks for the key, elsewhere, or a `data:` URL.
        width: in pixels; so is `height`.
        revised_prompt: what the model made of the prompt, where it tells.
        images: all pictures of the task, where it made several; this one is the first.
    """

    image_url: str
    width: int = 0
    height: int = 0
    revised_prompt: Optional[str] = None
    images: List[Image] = []

    @model_validator(mode="before")
    @classmethod
    def _either_shape(cls, value: Any) -> Any:
        """`{image_url, …}`, `{images: [{url, …}]}`, and an item of the latter."""
        if not isinstance(value, dict) or "image_url" in value:
            return value
        images = value.get("images")
        first = images[0] if isinstance(images, list) and images else value
        if not isinstance(first, dict):
            return value
        return {**value, **first, "image_url": first.get("image_url", first.get("url"))}


class TranscriptSegment(Model):
    """What was said between two moments, in seconds."""

    start: float
    end: float
    text: str


class TranscriptionResponse(Result):
    """What is said in a recording.

    Attributes:
        language: its code, such as `zh`.
        duration: of the recording, in seconds.
    """

    text: str
    language: Optional[str] = None
    duration: Optional[float] = None
    segments: List[TranscriptSegment] = []


class TTSResponse(Result):
    """A text that was read aloud.

    Attributes:
        audio_url: where the recording is: see `Image.image_url`.
        duration: in seconds, where the platform tells.
    """

    audio_url: str
    duration: Optional[float] = None
    content_type: Optional[str] = None


class ModelInfo(Model):
    """A model that the platform can run now."""

    id: str
    owned_by: Optional[str] = None
    task_types: List[str] = []
    default_for: List[str] = []


class Page(List[T], Generic[T]):
    """One page of a listing: a list that knows where it stands.

    Attributes:
        total: items on all pages; None where the platform does not tell.
        page: this page's number, from 1.
        per_page: items on a full page.
        pages: how many pages there are; None where the platform does not tell.
    """

    total: Optional[int] = None
    page: int = 1
    per_page: int = 20
    pages: Optional[int] = None
    request_id: Optional[str] = None


TASK_OUTPUTS: Dict[str, Any] = {
    "text_generation": TextResponse,
    "image_generation": Image,
    "speech_to_text": TranscriptionResponse,
    "text_to_speech": TTSResponse,
}
"""The model of a task's output, by task type."""
