"""`/invoke`: everything that makes something."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from nexus_server.auth import Caller, CallerDep
from nexus_server.errors import Unavailable
from nexus_server.routes.dependencies import IdempotencyKeyDep, OriginDep, PlatformDep, PreferencesDep
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.inputs import check_input, read_input
from nexus_server.routes.outcomes import accepted_answer, ended_answer, replayed
from nexus_server.routes.preferences import Preferences
from nexus_server.routes.schemas import InvokeAccepted, InvokeBody, InvokeOutput
from nexus_server.routes.sse import stream_answer
from nexus_server.services.platform import Platform
from nexus_server.services.tasks import Accepted, NewTask
from nexus_server.services.webhooks import check_webhook_url
from nexus_server.store.idempotency import IdempotencyKey

router = APIRouter(tags=["invoke"])

_DONE_BY_PLATFORM = ("document_processing",)  # needs no model
_PLATFORM = ("platform", "document-reader")
_ALWAYS_ASYNC = ("image_generation",)  # answered 202, unless the caller says how long it would wait


@router.post(
    "/invoke",
    responses={
        200: {
            "model": InvokeOutput,
            "content": {"text/event-stream": {}},
            "description": "Ended; or, with `stream`, its events",
        },
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
    told = fingerprint(body)
    new = await _new_task(body, platform, caller)
    key = (
        IdempotencyKey(caller.api_key_id, "POST /invoke", idempotency_key, told) if idempotency_key else None
    )
    if body.stream:
        return await _stream(platform, new, key, preferences)
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
    headers = {**preferences.applied, **replayed(accepted)}
    if not task.ended or (preferences.respond_async and preferences.wait is None):
        return accepted_answer(task, headers)
    return ended_answer(task, headers, origin)


async def _stream(
    platform: Platform, new: NewTask, key: IdempotencyKey | None, preferences: Preferences
) -> Response:
    if platform.closing:
        raise Unavailable("The server is about to stop.", retry_after=1)
    accepted = await platform.tasks.accept_stream(new, key, joins=preferences.resumable)
    headers = {"X-Task-ID": accepted.task.id, **replayed(accepted)}
    return stream_answer(platform, accepted, preferences, headers)


async def _new_task(body: InvokeBody, platform: Platform, caller: Caller) -> NewTask:
    """Check what the body's schema cannot, before anything is accepted."""
    task_input = read_input(body)
    await check_input(body, task_input, platform, caller.api_key_id)
    if body.webhook_url is not None:
        await check_webhook_url(body.webhook_url, platform.settings)
    provider, model = _PLATFORM
    if body.task_type not in _DONE_BY_PLATFORM:
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
