# Generated from nexusai/aio/resources/sessions.py by scripts/unasync.py: edit that file.

"""Sessions: conversations that the platform remembers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, Iterator, Mapping, Optional

from nexusai import error as errors
from nexusai._internal import _bodies, _responses
from nexusai._internal._client import InternalClient
from nexusai._internal._default import default_internal_client
from nexusai._internal._media import Bound
from nexusai._internal._poller import TaskPoller
from nexusai._internal._resource import Resource
from nexusai._internal._streaming import TextStream
from nexusai.models import Message, Page, SessionModel, SessionResponse, Task, TextResponse
from nexusai.types import JSONObject


class Session(Bound, SessionModel):
    """A conversation: what is said in it is remembered.

        with client.sessions.create(agent_config={"system_prompt": "Answer briefly."}) as session:
            session.invoke("My name is Ada.")
            print(session.invoke("What is my name?").text)

    Leaving the `with` deletes it; without one, it stays until `delete()`.
    """

    @classmethod
    def of(cls, session: SessionModel, client: InternalClient) -> Session:
        """A session that can be talked to."""
        bound = cls.model_construct(**session.__dict__, **(session.model_extra or {}))
        bound._request_id = session.request_id
        bound._client = client
        return bound

    @property
    def id(self) -> str:
        """The same as `session_id`."""
        return self.session_id

    def invoke(self, prompt: str, **config: Any) -> SessionResponse:
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
            return self._said(body)
        with telemetry.operation("POST", self._path("invoke"), body) as operation:
            answer = self._said(body)
            operation.told(answer)
            return answer

    def _said(self, body: JSONObject) -> SessionResponse:
        client = self._alive()
        seconds = _bodies.server_wait(client.timeout)
        headers = {"Prefer": f"wait={seconds}"} if seconds else None
        deadline = client.deadline()
        answer = client.send("POST", self._path("invoke"), body, headers=headers, deadline=deadline)
        if answer.status == 202:
            return self._later(_responses.read_model(answer, Task), deadline)
        return _responses.read_model(answer, SessionResponse)

    def stream(self, prompt: str, **config: Any) -> TextStream:
        """Say something, and read the answer while it comes: see `text.stream`.

        A stream that is not read to its end leaves nothing behind in the session.

        Raises:
            NotFoundError: the session was deleted.
        """
        client = self._alive()
        body = _bodies.session_body(prompt, config, stream=True)
        return TextStream(client, client.stream_call("POST", self._path("invoke"), body))

    def history(self, limit: int = 20, offset: int = 0) -> Page[Message]:
        """What was said, the oldest first: `limit` messages after the first `offset`."""
        params = {"limit": limit, "offset": offset}
        return self._alive().fetch_page("messages", Message, self._path("history"), params)

    def refresh(self) -> Session:
        """Ask how the session stands, bring the fields up to date, and return the session itself."""
        session = self._alive().fetch(SessionModel, "GET", self._path())
        for name in session.model_fields_set:
            setattr(self, name, getattr(session, name))
        return self

    def delete(self) -> None:
        """Forget the conversation. Whatever is asked of this object after it raises `NotFoundError`."""
        self._alive().send("DELETE", self._path())
        self.is_active = False

    def _later(self, task: Task, deadline: float) -> SessionResponse:
        """The answer of an invoke that the platform goes on with as a task."""
        if not task.has_ended:
            poller = TaskPoller(self._alive(), deadline=deadline, known=True)
            task = poller.wait(task.task_id)
        output: TextResponse = _responses.read_output(task, TextResponse)
        answer = SessionResponse(
            session_id=self.session_id,
            response=Message(role="assistant", content=output.text),
            usage=output.usage,
            metadata=(output.model_extra or {}).get("metadata") or {},
        )
        answer._request_id = task.request_id
        return answer

    def _alive(self) -> InternalClient:
        if not self.is_active:
            raise errors.NotFoundError(f"The session {self.session_id} was deleted: create another one.")
        return self._source()

    def _path(self, *more: str) -> str:
        return _bodies.path("sessions", self.session_id, *more)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.is_active:  # what left the `with` is what went wrong, not that the session stays
            with suppress(errors.NotFoundError if exc_info[0] is None else errors.APIError):
                self.delete()


class SessionsResource(Resource):
    """`client.sessions`."""

    def create(
        self,
        agent_type: str = "assistant",
        agent_config: Optional[Mapping[str, Any]] = None,
        name: Optional[str] = None,
        **more: Any,
    ) -> Session:
        """Begin a conversation.

        `agent_config` holds `model`, `temperature`, `system_prompt` and the like.

        Raises:
            InvalidRequestError: there is no such model.
        """
        body = _bodies.given(agent_type=agent_type, agent_config=agent_config, name=name, **more)
        session = self._client.fetch(SessionModel, "POST", "/sessions", body)
        return Session.of(session, self._client)

    def get(self, session_id: str) -> Session:
        """A conversation that was begun before.

        Raises:
            NotFoundError: this key has no such session.
        """
        path = _bodies.path("sessions", session_id)
        return Session.of(self._client.fetch(SessionModel, "GET", path), self._client)

    def list(self, page: int = 1, per_page: int = 20) -> Page[Session]:
        """A page of conversations, the newest first."""
        params = {"page": page, "per_page": per_page}
        client = self._client
        found = client.fetch_page("sessions", SessionModel, "/sessions", params)
        return found.map(lambda session: Session.of(session, client))

    def iter(self, per_page: int = 100) -> Iterator[Session]:
        """All conversations, the newest first, page by page."""
        for session in self._all(lambda number: self.list(number, per_page), per_page):
            yield session

    def delete(self, session_id: str) -> None:
        """Forget a conversation.

        Raises:
            NotFoundError: this key has no such session.
        """
        self._client.send("DELETE", _bodies.path("sessions", session_id))


_default = SessionsResource(default_internal_client)
create: Final = _default.create
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.sessions.list`
iter: Final = _default.iter  # noqa: A001 - `nexusai.sessions.iter`
delete: Final = _default.delete
