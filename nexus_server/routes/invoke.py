"""`/invoke`: everything that makes something."""

from __future__ import annotations

import hashlib
import json

from fastapi import APIRouter
from starlette.responses import Response

from nexus_server.auth import Caller, CallerDep
from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.routes.dependencies import IdempotencyKeyDep, OriginDep, PlatformDep, PreferencesDep
from nexus_server.routes.inputs import check_input, read_input
from nexus_server.routes.preferences import Preferences
from nexus_server.routes.responses import answer, error_answer
from nexus_server.routes.schemas import InvokeAccepted, InvokeBody, InvokeOutput
from nexus_server.routes.sse import EventStreamResponse, replay
from nexus_server.services.platform import Platform
from nexus_server.services.tasks import Accepted, NewTask
from nexus_server.services.telling import located
from nexus_server.services.webhooks import check_webhook_url
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.tasks import TaskRecord

_DEEPEST = 64
router = APIRouter(tags=["invoke"])

_ALWAYS_ASYNC = ("image_generation",)  # answered 202, unless the caller says how long it would wait


@router.post(
    "/invoke",
    responses={
        200: {"model": InvokeOutput, "description": "Ended; or, with `stream`, its events"},
        202: {"model": InvokeAccepted, "description": "Goes on as a task"},
    },
)
async def invoke(
    *,
    body: InvokeBody,
    platform: PlatformDep,
    caller: CallerDep,
    preferences: PreferencesDep,
    idempotency_key: IdempotencyKeyDep,
    origin: OriginDep,
) -> Response:
    """Make something: at once, as a task (`Prefer: respond-async`), or as a stream (`stream`)."""
    fingerprint = _fingerprint(body)
    new = await _new_task(body, platform, caller)
    key = (
        IdempotencyKey(caller.api_key_id, "POST /invoke", idempotency_key, fingerprint)
        if idempotency_key
        else None
    )
    if body.stream:
        return await _stream(platform, new, key)
    accepted = await platform.tasks.accept(new, key)
    return await _hold(platform, accepted, preferences, origin)


async def _hold(platform: Platform, accepted: Accepted, preferences: Preferences, origin: str) -> Response:
    """Wait for the task as long as the caller prefers, and tell how it is then.

    The task goes on when the caller goes away.
    """
    task, tasks = accepted.task, platform.tasks
    seconds: float = platform.settings.sync_wait
    if preferences.wait is not None:
        seconds = preferences.wait
    elif preferences.respond_async or task.task_type in _ALWAYS_ASYNC:
        seconds = 0
    if seconds:
        task = await tasks.wait(task.api_key_id, task.id, seconds, tasks.holds)
    headers = {**preferences.applied, **_replayed(accepted)}
    if not task.ended or (preferences.respond_async and preferences.wait is None):
        return _accepted_answer(task, headers)
    return _ended_answer(task, headers, origin)


async def _stream(platform: Platform, new: NewTask, key: IdempotencyKey | None) -> Response:
    if platform.closing:
        raise Unavailable("The server is about to stop.", retry_after=1)
    accepted = await platform.tasks.accept_stream(new, key)
    headers = {"X-Task-ID": accepted.task.id, **_replayed(accepted)}
    if accepted.replayed:
        return replay(accepted.task, headers)
    stream = platform.streams.start(accepted.task)
    return EventStreamResponse(stream, heartbeat=platform.settings.heartbeat, headers=headers)


def _accepted_answer(task: TaskRecord, headers: dict[str, str]) -> Response:
    body = {
        "task_id": task.id,
        "status": task.status,
        "message": "The task goes on: ask for it at status_poll_url.",
        "status_poll_url": f"/api/v1/tasks/{task.id}",
    }
    return answer(body, 202, headers)


def _ended_answer(task: TaskRecord, headers: dict[str, str], origin: str) -> Response:
    if task.status == "completed":
        output = located(task.output or {}, origin)
        body = {"task_id": task.id, "status": "completed", "output": output}
        return answer(body, 200, headers)
    if task.status == "cancelled":
        detail = "The task was cancelled."
        return error_answer(409, "TASK_CANCELLED", detail, extra={"task_id": task.id}, headers=headers)
    error = dict(task.error or {})
    status, code, detail = error.pop("status"), error.pop("code"), error.pop("message")
    extra = {**error, "task_id": task.id}
    return error_answer(status, code, detail, extra=extra, headers=headers)


def _replayed(accepted: Accepted) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if accepted.replayed else {}


async def _new_task(body: InvokeBody, platform: Platform, caller: Caller) -> NewTask:
    """Check what the body's schema cannot, before anything is accepted."""
    task_input = read_input(body)
    await check_input(body, task_input, platform, caller.api_key_id)
    if body.webhook_url is not None:
        await check_webhook_url(body.webhook_url, platform.settings)
    provider, model = platform.registry.choose(body.task_type, body.provider, body.model)
    return NewTask(
        api_key_id=caller.api_key_id,
        task_type=body.task_type,
        provider=provider,
        model=model,
        input=task_input,
        config=body.config or {},
        webhook_url=body.webhook_url,
    )


def _fingerprint(body: InvokeBody) -> str:
    """A hash of the body.

    Raises:
        InvalidRequest: it holds what no JSON may: NaN, an infinity, half a surrogate pair. Or it is
            nested so deep that writing it down could exhaust the stack.
    """
    if any(_is_deeper(part, _DEEPEST) for part in (body.input, body.config)):
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
