"""What the platform returns.

Fields that are not named here are kept, and reachable as attributes: a newer platform never breaks
an older client. Every result tells its `request_id`.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Dict, Generic, List, Optional, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr
from typing_extensions import Annotated

from nexusai.types import TERMINAL_STATUSES

__all__ = [
    "Model",
    "ModelInfo",
    "Page",
    "Result",
    "Task",
    "TaskFailure",
    "TextResponse",
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


TASK_OUTPUTS: Dict[str, Any] = {"text_generation": TextResponse}
"""The model of a task's output, by task type."""
