"""`/tasks`: looking at tasks, waiting for them, cancelling them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.errors import Conflict
from nexus_server.routes.dependencies import IdempotencyKeyDep, OriginDep, PlatformDep, PreferencesDep
from nexus_server.routes.responses import LAST_PAGE, answer
from nexus_server.routes.schemas import TaskBody, TaskPage, TaskStatus, TaskType
from nexus_server.routes.sse import ContractWording, EventStreamResponse, replay
from nexus_server.services.telling import task_body
from nexus_server.store.idempotency import IdempotencyKey

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


@router.get("/tasks/{task_id}/events", responses={200: {"content": {"text/event-stream": {}}}})
async def follow_task(
    task_id: str,
    platform: PlatformDep,
    caller: CallerDep,
    last_event_id: Annotated[int, Header(ge=0, le=LAST_PAGE)] = 0,
) -> Response:
    """Take up a stream that was made with `Prefer: resumable`, after the event of `Last-Event-ID`."""
    record = await platform.tasks.get(caller.api_key_id, task_id)
    headers = {"X-Task-ID": task_id, "Preference-Applied": "resumable"}
    if stream := platform.streams.find(task_id):
        return EventStreamResponse(
            stream.follow(last_event_id),
            wording=ContractWording(task_id, seen=last_event_id),
            heartbeat=platform.settings.heartbeat,
            headers=headers,
        )
    if not record.ended:
        record = await platform.tasks.get(caller.api_key_id, task_id)
    if not record.streamed or record.status != "completed":
        raise Conflict(f"There is no stream to take up: the task is {record.status}.")
    return replay(record, headers, seen=last_event_id)


@router.post("/tasks/{task_id}/cancel", responses={200: {"model": TaskBody}})
async def cancel_task(
    task_id: str, platform: PlatformDep, caller: CallerDep, idempotency_key: IdempotencyKeyDep
) -> Response:
    """Cancel a task; what it does stops at once."""
    route = f"POST /tasks/{task_id}/cancel"
    key = IdempotencyKey(caller.api_key_id, route, idempotency_key, "") if idempotency_key else None
    cancelled = await platform.tasks.cancel(caller.api_key_id, task_id, key)
    headers = {"Idempotent-Replayed": "true"} if cancelled.replayed else None
    return answer(task_body(cancelled.task), headers=headers)
