"""Sessions: conversations that the platform remembers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, AsyncIterator, Final, Mapping, Optional

from nexusai import error as errors
from nexusai._internal import _bodies, _responses
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._media import AsyncBound
from nexusai.aio._internal._poller import AsyncTaskPoller
from nexusai.aio._internal._resource import AsyncResource
from nexusai.aio._internal._streaming import AsyncTextStream
from nexusai.models import Message, Page, SessionModel, SessionResponse, Task, TextResponse
from nexusai.types import JSONObject


class AsyncSession(AsyncBound, SessionModel):
    """A conversation: what is said in it is remembered.

        with client.sessions.create(agent_config={"system_prompt": "Answer briefly."}) as session:
            session.invoke("My name is Ada.")
            print(session.invoke("What is my name?").text)

    Leaving the `with` deletes it; without one, it stays until `delete()`.
    """

    @classmethod
    def of(cls, session: SessionModel, client: AsyncInternalClient) -> AsyncSession:
        """A session that can be talked to."""
        bound = cls.model_construct(**session.__dict__, **(session.model_extra or {}))
        bound._request_id = session.request_id
        bound._client = client
        return bound

    @property
    def id(self) -> str:
        """The same as `session_id`."""
        return self.session_id

    async def invoke(self, prompt: str, **config: Any) -> SessionResponse:
        """Say something, and wait for the answer.

        `config` are options for this answer: `temperature`, `max_tokens` … One answer is made at a
        time in a session; further ones wait. Both messages are remembered, or, when it fails, neither.

        Raises:
            NotFoundError: the session was deleted.
            TaskTimeoutError: the answer did not come within `poll_timeout`; it goes on as `.task_id`.
        """
        body = _bodies.session_body(prompt, config, stream=False)
        telemetry = self._alive().telemetry
        if telemetry is None:
            return await self._said(body)
        with telemetry.operation("POST", self._path("invoke"), body) as operation:
            answer = await self._said(body)
            operation.told(answer)
            return answer

    async def _said(self, body: JSONObject) -> SessionResponse:
        client = self._alive()
        seconds = _bodies.server_wait(client.timeout)
        headers = {"Prefer": f"wait={seconds}"} if seconds else None
        deadline = client.deadline()
        answer = await client.send("POST", self._path("invoke"), body, headers=headers, deadline=deadline)
        if answer.status == 202:
            return await self._later(_responses.read_model(answer, Task), deadline)
        return _responses.read_model(answer, SessionResponse)

    def stream(self, prompt: str, **config: Any) -> AsyncTextStream:
        """Say something, and read the answer while it comes: see `text.stream`.

        A stream that is not read to its end leaves nothing behind in the session.

        Raises:
            NotFoundError: the session was deleted.
        """
        client = self._alive()
        body = _bodies.session_body(prompt, config, stream=True)
        return AsyncTextStream(client, client.stream_call("POST", self._path("invoke"), body))

    async def history(self, limit: int = 20, offset: int = 0) -> Page[Message]:
        """What was said, the oldest first: `limit` messages after the first `offset`."""
        params = {"limit": limit, "offset": offset}
        return await self._alive().fetch_page("messages", Message, self._path("history"), params)

    async def refresh(self) -> AsyncSession:
        """Ask how the session stands, bring the fields up to date, and return the session itself."""
        session = await self._alive().fetch(SessionModel, "GET", self._path())
        for name in session.model_fields_set:
            setattr(self, name, getattr(session, name))
        return self

    async def delete(self) -> None:
        """Forget the conversation. Whatever is asked of this object after it raises `NotFoundError`."""
        await self._alive().send("DELETE", self._path())
        self.is_active = False

    async def _later(self, task: Task, deadline: float) -> SessionResponse:
        """The answer of an invoke that the platform goes on with as a task."""
        if not task.has_ended:
            poller = AsyncTaskPoller(self._alive(), deadline=deadline, known=True)
            task = await poller.wait(task.task_id)
        output: TextResponse = _responses.read_output(task, TextResponse)
        answer = SessionResponse(
            session_id=self.session_id,
            response=Message(role="assistant", content=output.text),
            usage=output.usage,
            metadata=(output.model_extra or {}).get("metadata") or {},
        )
        answer._request_id = task.request_id
        return answer

    def _alive(self) -> AsyncInternalClient:
        if not self.is_active:
            raise errors.NotFoundError(f"The session {self.session_id} was deleted: create another one.")
        return self._source()

    def _path(self, *more: str) -> str:
        return _bodies.path("sessions", self.session_id, *more)

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self.is_active:  # what left the `with` is what went wrong, not that the session stays
            with suppress(errors.NotFoundError if exc_info[0] is None else errors.APIError):
                await self.delete()


class AsyncSessionsResource(AsyncResource):
    """`client.sessions`."""

    async def create(
        self,
        agent_type: str = "assistant",
        agent_config: Optional[Mapping[str, Any]] = None,
        name: Optional[str] = None,
        **more: Any,
    ) -> AsyncSession:
        """Begin a conversation.

        `agent_config` holds `model`, `temperature`, `system_prompt` and the like.

        Raises:
            InvalidRequestError: there is no such model.
        """
        body = _bodies.given(agent_type=agent_type, agent_config=agent_config, name=name, **more)
        session = await self._client.fetch(SessionModel, "POST", "/sessions", body)
        return AsyncSession.of(session, self._client)

    async def get(self, session_id: str) -> AsyncSession:
        """A conversation that was begun before.

        Raises:
            NotFoundError: this key has no such session.
        """
        path = _bodies.path("sessions", session_id)
        return AsyncSession.of(await self._client.fetch(SessionModel, "GET", path), self._client)

    async def list(self, page: int = 1, per_page: int = 20) -> Page[AsyncSession]:
        """A page of conversations, the newest first."""
        params = {"page": page, "per_page": per_page}
        client = self._client
        found = await client.fetch_page("sessions", SessionModel, "/sessions", params)
        return found.map(lambda session: AsyncSession.of(session, client))

    async def iter(self, per_page: int = 100) -> AsyncIterator[AsyncSession]:
        """All conversations, the newest first, page by page."""
        async for session in self._all(lambda number: self.list(number, per_page), per_page):
            yield session

    async def delete(self, session_id: str) -> None:
        """Forget a conversation.

        Raises:
            NotFoundError: this key has no such session.
        """
        await self._client.send("DELETE", _bodies.path("sessions", session_id))


_default = AsyncSessionsResource(default_internal_client)
create: Final = _default.create
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.sessions.list`
iter: Final = _default.iter  # noqa: A001 - `nexusai.sessions.iter`
delete: Final = _default.delete
