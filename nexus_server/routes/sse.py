"""Server-sent events: a stream on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nexus_server.errors import PlatformError
from nexus_server.routes.preferences import Preferences
from nexus_server.routes.responses import encode, platform_error_answer
from nexus_server.services.platform import Platform
from nexus_server.services.streams import StreamEnd, StreamItem, StreamReader
from nexus_server.services.tasks import Accepted, still_running
from nexus_server.store.tasks import TaskRecord

DONE = b"data: [DONE]\n\n"
_PING = b": ping\n\n"
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def event(data: object) -> bytes:
    """One event."""
    return b"data: " + encode(data) + b"\n\n"


def frame(item: StreamItem, task_id: str) -> bytes:
    """The bytes of a piece of text, or of the end. Only a good end is followed by `[DONE]`."""
    if isinstance(item, str):
        return event({"delta": {"content": item}})
    if item.error is not None:
        error = item.error
        return event({"error": {**error.told, "code": error.code, "message": error.detail}})
    output = item.output or {}
    last = {name: output.get(name) for name in ("usage", "finish_reason", "model")}
    if "metadata" in output:
        last["metadata"] = output["metadata"]
    return event({**last, "task_id": task_id}) + DONE


def stream_answer(
    platform: Platform, accepted: Accepted, preferences: Preferences, headers: Mapping[str, str]
) -> Response:
    """A stream that was just accepted; or an earlier one, from its beginning.

    Raises:
        Conflict: the earlier one goes on, and cannot be taken up.
    """
    resumable = preferences.resumable and platform.settings.stream_grace > 0
    if resumable:
        headers = {**headers, "Preference-Applied": "resumable"}
    if accepted.replayed and accepted.task.ended:
        return replay(accepted.task, headers, seen=0 if resumable else None)
    if accepted.replayed:
        stream = platform.streams.find(accepted.task.id)
        if stream is None:
            raise still_running()
    else:
        grace = platform.settings.stream_grace if resumable else 0.0
        stream = platform.streams.start(accepted.task, grace=grace)
    wording = ContractWording(accepted.task.id, seen=0 if resumable else None)
    return EventStreamResponse(
        stream.follow(), wording=wording, heartbeat=platform.settings.heartbeat, headers=headers
    )


def replay(task: TaskRecord, headers: Mapping[str, str], *, seen: int | None = None) -> Response:
    """A completed stream once more, what of its text was not `seen` yet in one piece."""
    output = task.output or {}
    wording = ContractWording(task.id, seen=seen)
    rest = output.get("text", "")[seen or 0 :]
    body = (wording.frame(rest) if rest else b"") + wording.frame(StreamEnd(output=output))
    return Response(body, headers={**_HEADERS, **headers})


class Wording(Protocol):
    """How a stream is told: the contract's way, or OpenAI's."""

    def frame(self, item: StreamItem) -> bytes:
        """The bytes of a piece of text, or of the end."""

    def refuse(self, error: PlatformError) -> Response:
        """The answer to a stream that failed before its first piece."""


class ContractWording:
    """The contract's way.

    The events of a stream that can be taken up again have ids: the number of characters so far.
    """

    def __init__(self, task_id: str, *, seen: int | None = None) -> None:
        """`seen` is how many characters the reader knows; None where the events have no ids."""
        self._task_id = task_id
        self._seen = seen

    def frame(self, item: StreamItem) -> bytes:
        """See `frame`."""
        if self._seen is None:
            return frame(item, self._task_id)
        self._seen += len(item) if isinstance(item, str) else 0
        return b"id: %d\n" % self._seen + frame(item, self._task_id)

    def refuse(self, error: PlatformError) -> Response:
        """The contract's error body."""
        return platform_error_answer(error, task_id=self._task_id)


class EventStreamResponse(Response):
    """Sends a stream as it comes, and notices at once when its reader is gone.

    The status is decided when the first piece is there, so a failure before it is a real error
    status; unless that takes longer than a heartbeat.
    """

    def __init__(
        self,
        reader: StreamReader,
        *,
        wording: Wording,
        heartbeat: float,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers={**_HEADERS, **headers})
        del self.headers["content-length"]
        self._reader = reader
        self._heartbeat = heartbeat
        self._wording = wording

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        watcher = asyncio.create_task(self._watch(receive))
        try:
            items = await self._reader.next(self._heartbeat)
            if error := _early_error(items):
                refusal = self._wording.refuse(error)
                refusal.headers["X-Task-ID"] = self.headers["X-Task-ID"]
                await refusal(scope, receive, send)
                return
            await self._send_all(items, send)
        finally:
            self._reader.leave()  # of no effect on a stream that has ended
            watcher.cancel()

    async def _send_all(self, items: list[StreamItem], send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        self._reader.told()
        await send(start)
        more = True
        while more:
            more = not items or isinstance(items[-1], str)
            body = b"".join(map(self._wording.frame, items)) or _PING
            await send({"type": "http.response.body", "body": body, "more_body": more})
            if more:
                items = await self._reader.next(self._heartbeat)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._reader.leave()


def _early_error(items: list[StreamItem]) -> PlatformError | None:
    """The error of a stream that failed before its first piece."""
    first = items[0] if items else None
    return first.error if isinstance(first, StreamEnd) else None
