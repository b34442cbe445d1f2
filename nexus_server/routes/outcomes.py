"""How a task is answered to who has just asked for it."""

from __future__ import annotations

from starlette.responses import Response

from nexus_server.routes.responses import answer, error_answer
from nexus_server.services.tasks import Accepted
from nexus_server.services.telling import located
from nexus_server.store.tasks import TaskRecord


def accepted_answer(task: TaskRecord, headers: dict[str, str], **more: str) -> Response:
    """202: the task goes on."""
    body = {
        "task_id": task.id,
        "status": task.status,
        "message": "The task goes on: ask for it at status_poll_url.",
        "status_poll_url": f"/api/v1/tasks/{task.id}",
        **more,
    }
    return answer(body, 202, headers)


def ended_answer(task: TaskRecord, headers: dict[str, str], origin: str) -> Response:
    """What a task came to."""
    if task.status == "completed":
        output = located(task.output or {}, origin)
        body = {"task_id": task.id, "status": "completed", "output": output}
        return answer(body, 200, headers)
    return unsuccessful_answer(task, headers)


def unsuccessful_answer(task: TaskRecord, headers: dict[str, str]) -> Response:
    """Why a task ended without a result."""
    if task.status == "cancelled":
        detail = "The task was cancelled."
        return error_answer(409, "TASK_CANCELLED", detail, extra={"task_id": task.id}, headers=headers)
    error = dict(task.error or {})
    status, code, detail = error.pop("status"), error.pop("code"), error.pop("message")
    extra = {**error, "task_id": task.id}
    return error_answer(status, code, detail, extra=extra, headers=headers)


def replayed(accepted: Accepted) -> dict[str, str]:
    """The header that tells a repeated answer from a first one."""
    return {"Idempotent-Replayed": "true"} if accepted.replayed else {}
