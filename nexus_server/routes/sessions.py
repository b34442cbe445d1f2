"""`/sessions`: conversations that are remembered."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, field_validator
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.routes.dependencies import IdempotencyKeyDep, PlatformDep, PreferencesDep
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.outcomes import accepted_answer, replayed, unsuccessful_answer
from nexus_server.routes.responses import LAST_PAGE, answer, made_answer
from nexus_server.routes.sse import stream_answer
from nexus_server.services.platform import Platform
from nexus_server.services.sessions import options_of, session_body
from nexus_server.services.tasks import NewTask
from nexus_server.store.clock import iso
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.tasks import TaskRecord

router = APIRouter(tags=["sessions"])


class SessionBody(BaseModel):
    """The body of `POST /sessions`. Of `agent_config` everything is kept."""

    agent_type: str = Field(default="assistant", min_length=1, max_length=100)
    agent_config: dict[str, Any] = Field(default_factory=dict)
    name: str | None = Field(default=None, max_length=500)

    @field_validator("agent_config", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value


class SessionPrompt(BaseModel):
    """The observed place of a prompt."""

    prompt: str = Field(min_length=1)


class SessionInvokeBody(BaseModel):
    """The body of an invoke: `prompt`, or `input.prompt`, or both alike."""

    prompt: str | None = Field(default=None, min_length=1)
    input: SessionPrompt | None = None
    stream: bool = False
    config: dict[str, Any] | None = None


class SessionAnswer(BaseModel):
    """A session."""

    session_id: str
    agent_type: str
    agent_config: dict[str, Any]
    name: str | None = None
    is_active: bool
    created_at: str
    updated_at: str
    message_count: int | None = None


class SessionPage(BaseModel):
    """A page of sessions, newest first."""

    sessions: list[SessionAnswer]
    total: int
    page: int
    per_page: int
    pages: int


class SaidMessage(BaseModel):
    """What was said once."""

    role: str
    content: str
    timestamp: str | None = None


class History(BaseModel):
    """What was said, the oldest first."""

    session_id: str
    messages: list[SaidMessage]
    total: int


class SessionReply(BaseModel):
    """An answer in a session, in the documented shape and in the observed one."""

    session_id: str
    task_id: str
    response: SaidMessage
    usage: dict[str, int]
    output: dict[str, Any]
    metadata: dict[str, Any]


@router.post("/sessions", status_code=201, responses={201: {"model": SessionAnswer}})
async def create_session(
    body: SessionBody, platform: PlatformDep, caller: CallerDep, idempotency_key: IdempotencyKeyDep
) -> Response:
    """Begin a conversation."""
    made = await platform.sessions.create(
        caller.api_key_id,
        agent_type=body.agent_type,
        agent_config=body.agent_config,
        name=body.name,
        key=_key(caller.api_key_id, "POST /sessions", idempotency_key, body),
    )
    return made_answer(made, 201)


@router.get("/sessions", responses={200: {"model": SessionPage}})
async def list_sessions(
    platform: PlatformDep,
    caller: CallerDep,
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The caller's conversations, newest first."""
    records, total = await platform.sessions.list(
        caller.api_key_id, limit=per_page, skip=(page - 1) * per_page
    )
    rows = [session_body(record) for record in records]
    pages = -(-total // per_page)
    return answer({"sessions": rows, "total": total, "page": page, "per_page": per_page, "pages": pages})


@router.get("/sessions/{session_id}", responses={200: {"model": SessionAnswer}})
async def get_session(session_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """A conversation, and how much was said in it."""
    record = await platform.sessions.get(caller.api_key_id, session_id)
    return answer({**session_body(record), "message_count": await platform.sessions.count(session_id)})


@router.delete("/sessions/{session_id}", status_code=204, response_class=Response)
async def delete_session(session_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """Forget a conversation."""
    await platform.sessions.delete(caller.api_key_id, session_id)
    return Response(status_code=204)


@router.get("/sessions/{session_id}/history", responses={200: {"model": History}})
async def get_history(
    session_id: str,
    platform: PlatformDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
    offset: Annotated[int, Query(ge=0, le=LAST_PAGE)] = 0,
) -> Response:
    """What was said, the oldest first: `limit` messages after the first `offset`."""
    messages, total = await platform.sessions.history(caller.api_key_id, session_id, limit=limit, skip=offset)
    rows = [
        {"role": each.role, "content": each.content, "timestamp": iso(each.created_at)} for each in messages
    ]
    return answer({"session_id": session_id, "messages": rows, "total": total})


@router.post(
    "/sessions/{session_id}/invoke",
    responses={200: {"model": SessionReply, "content": {"text/event-stream": {}}}},
)
async def invoke_session(
    *,
    session_id: str,
    body: SessionInvokeBody,
    platform: PlatformDep,
    caller: CallerDep,
    preferences: PreferencesDep,
    idempotency_key: IdempotencyKeyDep,
) -> Response:
    """Say something, and get the answer: whole, or as a stream (`stream`)."""
    if platform.closing:
        raise Unavailable("The server is about to stop.", retry_after=1)
    session = await platform.sessions.get(caller.api_key_id, session_id)
    provider, model = platform.sessions.choose(session.agent_config)
    new = NewTask(
        api_key_id=caller.api_key_id,
        task_type="text_generation",
        provider=provider,
        model=model,
        input={"session_id": session_id, "prompt": _prompt(body)},
        config=options_of(session.agent_config, body.config),
    )
    route = f"POST /sessions/{session_id}/invoke"
    key = _key(caller.api_key_id, route, idempotency_key, body)
    accepted = await platform.tasks.accept_stream(new, key, joins=preferences.resumable or not body.stream)
    headers = {"X-Task-ID": accepted.task.id, **replayed(accepted)}
    if body.stream:
        return stream_answer(platform, accepted, preferences, headers)
    if not accepted.replayed:
        platform.streams.start(accepted.task, followed=False)
    task = await _held(platform, accepted.task, preferences.wait)
    headers = {**headers, **preferences.applied}
    if not task.ended:
        return accepted_answer(task, headers)
    if task.status != "completed":
        return unsuccessful_answer(task, headers)
    return answer(_reply(session_id, task), 200, headers)


async def _held(platform: Platform, task: TaskRecord, wait: int | None) -> TaskRecord:
    seconds = platform.settings.sync_wait if wait is None else wait
    return await platform.tasks.wait(task.api_key_id, task.id, seconds, platform.tasks.holds)


def _reply(session_id: str, task: TaskRecord) -> dict[str, Any]:
    output = task.output or {}
    usage = output.get("usage")
    return {
        "session_id": session_id,
        "task_id": task.id,
        "response": {"role": "assistant", "content": output["text"]},
        "usage": usage,
        "output": {"text": output["text"]},
        "metadata": {
            "usage": usage,
            "model": output.get("model"),
            "finish_reason": output.get("finish_reason"),
            **output.get("metadata", {}),
        },
    }


def _prompt(body: SessionInvokeBody) -> str:
    """What is said.

    Raises:
        InvalidRequest: it stands nowhere, or in two places that differ.
    """
    nested = body.input.prompt if body.input else None
    prompt = body.prompt or nested
    if prompt is None:
        raise InvalidRequest("Give `prompt`: what is to be said.")
    if nested is not None and nested != prompt:
        raise InvalidRequest("`prompt` and `input.prompt` differ: give one of them.")
    return prompt


def _key(api_key_id: str, route: str, key: str | None, body: BaseModel) -> IdempotencyKey | None:
    """The idempotency key; also sees that the body can be written as JSON at all."""
    told = fingerprint(body)
    return IdempotencyKey(api_key_id, route, key, told) if key else None
