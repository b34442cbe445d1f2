"""What every call here comes to: a model is chosen, and a task is run to its end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import Request

from nexus_server.errors import Conflict, InvalidRequest, NotFound, Unavailable
from nexus_server.services.platform import Platform
from nexus_server.services.tasks import NewTask
from nexus_server.store.tasks import TaskRecord

_LOOK_SECONDS = 0.5  # how often one looks whether the caller is still there


class ModelNotFound(NotFound):
    """404: there is no such model, or it does other things."""

    error_code = "MODEL_NOT_FOUND"


def choose_model(platform: Platform, task_type: str, model: str | None) -> tuple[str, str]:
    """Names of the provider and the model; `default`, or none, leaves the choice to the platform.

    Raises:
        ModelNotFound: there is no such model; the message lists those that are.
        Unavailable: there is no model at all.
    """
    if model in (None, "", "default"):
        return platform.registry.choose(task_type, None, None)
    try:
        return platform.registry.choose(task_type, None, model)
    except InvalidRequest as error:
        raise ModelNotFound(error.detail, extra=error.extra) from error


async def run_to_end(platform: Platform, request: Request, new: NewTask) -> TaskRecord:
    """Run a task, and give it back when it has ended. It is cancelled when its caller goes away.

    Raises:
        Unavailable: the server stops. The task is cancelled: nobody would come back for it.
    """
    tasks = platform.tasks
    task = (await tasks.accept(new)).task
    while not task.ended:
        task = await tasks.wait(task.api_key_id, task.id, _LOOK_SECONDS, tasks.holds)
        if task.ended:
            break
        if tasks.holds.closed:
            await _cancel(platform, task)
            raise Unavailable("The server was stopped before the answer was complete.", retry_after=1)
        if await request.is_disconnected():
            return await _cancel(platform, task)
    return task


async def _cancel(platform: Platform, task: TaskRecord) -> TaskRecord:
    with suppress(Conflict):  # it has ended meanwhile
        return (await platform.tasks.cancel(task.api_key_id, task.id)).task
    return await platform.tasks.get(task.api_key_id, task.id)


def without_none(options: dict[str, Any]) -> dict[str, Any]:
    """What the caller has really said."""
    return {name: value for name, value in options.items() if value is not None}
