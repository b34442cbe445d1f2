"""What requests look like, and how a task is told."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from nexus_server.store.clock import iso
from nexus_server.store.tasks import TaskRecord

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


def task_body(record: TaskRecord, origin: str = "") -> dict[str, Any]:
    """A task as the wire tells it; what is not there yet is left out.

    `origin` is put before the addresses in its output, which are told below it.
    """
    moments = {
        name: iso(moment)
        for name in ("created_at", "started_at", "finished_at")
        if (moment := getattr(record, name)) is not None
    }
    body: dict[str, Any] = {
        "task_id": record.id,
        "status": record.status,
        "task_type": record.task_type,
        **moments,
    }
    if record.progress is not None:
        body["progress"] = 100 if record.status == "completed" else record.progress
    if record.output is not None:
        body["output"] = located(record.output, origin)
    if record.error is not None:
        body["error"] = {name: said for name, said in record.error.items() if name != "status"}
    return body


def located(output: dict[str, Any], origin: str) -> dict[str, Any]:
    """A task's output with whole addresses of the files in it."""
    whole = dict(output)
    for name in ("image_url", "audio_url"):
        if name in whole:
            whole[name] = origin + whole[name]
    if "images" in whole:
        whole["images"] = [{**image, "url": origin + image["url"]} for image in whole["images"]]
    return whole
