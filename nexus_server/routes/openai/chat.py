"""`/v1/chat/completions`."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.errors import InvalidRequest, PlatformError, Unavailable
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.openai.errors import platform_error_answer, told_error, unsuccessful_answer
from nexus_server.routes.openai.running import choose_model, run_to_end, without_none
from nexus_server.routes.responses import answer
from nexus_server.routes.sse import DONE, EventStreamResponse, event
from nexus_server.services.platform import Platform
from nexus_server.services.streams import StreamItem
from nexus_server.services.tasks import NewTask
from nexus_server.store.tasks import TaskRecord

router = APIRouter(tags=["chat"])


class Part(BaseModel):
    """A piece of a message's content. Only texts are taken."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One message; a `developer` is a `system` here."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    def as_ours(self) -> dict[str, str]:
        """With its pieces joined."""
        content = self.content
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    """What else a stream tells."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """The body of a chat completion. Options not named here go to the model's provider as they are."""

    model_config = ConfigDict(extra="allow")

    messages: list[ChatMessage] = Field(min_length=1)
    model: str | None = Field(default=None, max_length=255)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None

    def refuse_tools(self) -> None:
        """See that no tools are to be called.

        Raises:
            InvalidRequest: there are some; better told than silently never called.
        """
        if self.tools or self.functions:
            raise InvalidRequest("Calling tools is not supported: leave `tools` and `functions` out.")


@router.post(
    "/chat/completions", responses={200: {"content": {"application/json": {}, "text/event-stream": {}}}}
)
async def complete_chat(
    body: ChatBody, request: Request, platform: PlatformDep, caller: CallerDep
) -> Response:
    """Answer a conversation, whole or as a stream."""
    body.refuse_tools()
    fingerprint(body)  # sees that it can be written down
    provider, model = choose_model(platform, "text_generation", body.model)
    new = NewTask(
        api_key_id=caller.api_key_id,
        task_type="text_generation",
        provider=provider,
        model=model,
        input={"messages": [message.as_ours() for message in body.messages]},
        config=without_none(body.model_extra or {}),
    )
    if body.stream:
        return await _stream(
            platform, new, tell_usage=bool(body.stream_options and body.stream_options.include_usage)
        )
    task = await run_to_end(platform, request, new)
    return answer(_completion(task)) if task.status == "completed" else unsuccessful_answer(task)


async def _stream(platform: Platform, new: NewTask, *, tell_usage: bool) -> Response:
    if platform.closing:
        raise Unavailable("The server is about to stop.", retry_after=1)
    task = (await platform.tasks.accept_stream(new)).task
    return EventStreamResponse(
        platform.streams.start(task).follow(),
        heartbeat=platform.settings.heartbeat,
        headers={"X-Task-ID": task.id},
        wording=_ChatWording(task, tell_usage=tell_usage),
    )


class _ChatWording:
    """A stream of `chat.completion.chunk`."""

    def __init__(self, task: TaskRecord, *, tell_usage: bool) -> None:
        self._head = _head(task, "chat.completion.chunk")
        self._tell_usage = tell_usage
        self._began = False

    def frame(self, item: StreamItem) -> bytes:
        """A piece of text, or the end: its reason, the usage if it was asked for, and `[DONE]`."""
        if isinstance(item, str):
            return self._beginning() + self._chunk({"content": item})
        if item.error is not None:
            error = item.error
            return event(told_error(error.status, error.code, error.detail, more=error.told))
        output = item.output or {}
        end = self._beginning() + self._chunk({}, _finish_reason(output))
        if self._tell_usage:
            end += event({**self._head, "choices": [], "usage": output.get("usage")})
        return end + DONE

    def refuse(self, error: PlatformError) -> Response:
        """OpenAI's error body."""
        return platform_error_answer(error)

    def _beginning(self) -> bytes:
        if self._began:
            return b""
        self._began = True
        return self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**self._head, "choices": [choice]})


def _completion(task: TaskRecord) -> dict[str, Any]:
    output = task.output or {}
    message = {"role": "assistant", "content": output["text"], "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(output)}
    return {**_head(task, "chat.completion"), "choices": [choice], "usage": output["usage"]}


def _head(task: TaskRecord, kind: str) -> dict[str, Any]:
    return {"id": task.id, "object": kind, "created": task.created_at // 1000, "model": task.model}


def _finish_reason(output: dict[str, Any]) -> str:
    return output.get("finish_reason") or "stop"
