"""`/tasks`: looking at tasks, waiting for them, cancelling them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.routes.dependencies import OriginDep, PlatformDep, PreferencesDep
from nexus_server.routes.responses import LAST_PAGE, answer
from nexus_server.routes.schemas import TaskBody, TaskPage, TaskStatus, TaskType
from nexus_server.services.telling import task_body

router = APIRouter(tags=["tasks"])


@router.get("/tasks", responses={200: {"model": TaskPage}})
async def list_tasks(
    *,
    platform: PlatformDep,
    caller: CallerDep,
    origin: OriginDep,
    status: TaskStatus | None = None,
    task_type: TaskType | None = None,
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The caller's tasks, newest first."""
    records, total = await platform.tasks.list(
        caller.api_key_id,
        status=status,
        task_type=task_type,
        limit=per_page,
        skip=(page - 1) * per_page,
    )
    return answer(
        {
            "tasks": [task_body(record, origin) for record in records],
            "total": total,
            "page": page,
            "per_page": per_page,
            "pages": -(-total // per_page),
        }
    )


@router.get(
    "/tasks/{task_id}",
    responses={200: {"model": TaskBody}, 202: {"model": TaskBody, "description": "Not ended yet"}},
)
async def get_task(
    task_id: str, platform: PlatformDep, caller: CallerDep, preferences: PreferencesDep, origin: OriginDep
) -> Response:
    """A task. With `Prefer: wait=N` the answer is held until the task ends, or N seconds."""
    tasks = platform.tasks
    if preferences.wait is None:
        return answer(task_body(await tasks.get(caller.api_key_id, task_id), origin))
    record = await tasks.wait(caller.api_key_id, task_id, preferences.wait, tasks.polls)
    status = 200 if record.ended else 202
    return answer(task_body(record, origin), status, preferences.applied)


@router.post("/tasks/{task_id}/cancel", responses={200: {"model": TaskBody}})
async def cancel_task(task_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """Cancel a task; what it does stops at once."""
    return answer(task_body(await platform.tasks.cancel(caller.api_key_id, task_id)))
