"""What requests and answers look like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

TaskType = Literal[
    "text_generation",
    "image_generation",
    "speech_to_text",
    "text_to_speech",
    "document_processing",
]
TaskStatus = Literal["queued", "running", "completed", "failed", "cancelled"]


class InvokeBody(BaseModel):
    """The body of `POST /invoke`. Unknown fields are ignored."""

    task_type: TaskType
    input: dict[str, Any]
    provider: str | None = Field(default=None, max_length=255)
    model: str | None = Field(default=None, max_length=255)
    config: dict[str, Any] | None = None
    stream: bool = False
    webhook_url: str | None = Field(default=None, max_length=2048)


class TaskError(BaseModel):
    """Why a task failed."""

    code: str
    message: str


class TaskBody(BaseModel):
    """A task."""

    task_id: str
    status: TaskStatus
    task_type: TaskType
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    progress: int | None = None
    output: dict[str, Any] | None = None
    error: TaskError | None = None


class TaskPage(BaseModel):
    """A page of tasks, newest first."""

    tasks: list[TaskBody]
    total: int
    page: int
    per_page: int
    pages: int


class FileBody(BaseModel):
    """A file. `mime_type` is the older name of `content_type`."""

    file_id: str
    filename: str
    content_type: str
    mime_type: str
    size: int
    created_at: str


class UploadedFile(FileBody):
    """A file that was just uploaded."""

    message: str


class FilePage(BaseModel):
    """A page of files, newest first."""

    files: list[FileBody]
    total: int
    page: int
    per_page: int
    pages: int


class DeletedFile(BaseModel):
    """That a file is gone."""

    message: str
    deleted_count: int


class InvokeOutput(BaseModel):
    """A task that ended in time."""

    task_id: str
    status: Literal["completed"]
    output: dict[str, Any]


class InvokeAccepted(BaseModel):
    """A task that goes on."""

    task_id: str
    status: TaskStatus
    message: str
    status_poll_url: str


class ErrorBody(BaseModel):
    """What every error looks like."""

    detail: str | list[dict[str, Any]]
    error_code: str
    timestamp: str
