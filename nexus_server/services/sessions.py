"""Sessions: conversations that are remembered."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import ContextLengthExceeded, NotFound
from nexus_server.providers.base import TextProvider, TextRequest
from nexus_server.providers.registry import ProviderRegistry
from nexus_server.services.generation import Emit, generate
from nexus_server.services.replays import Made, once
from nexus_server.services.work import Done
from nexus_server.store import sessions as store
from nexus_server.store.clock import iso, now_ms
from nexus_server.store.database import Database
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.sessions import MessageRecord, SessionRecord
from nexus_server.store.tasks import TaskRecord

_OPTIONS = ("temperature", "max_tokens", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty")
"""What of an agent's config is told to the model; the rest is kept, and means something to others."""

_ANSWER_TOKENS = 512
"""Room that is kept for the answer, where nobody says how long it may be."""

_WIDE = re.compile(r"[\u2e80-\uffef]")

Message = dict[str, Any]


class SessionGone(NotFound):
    """404: the session is not there, or not any more."""

    def __init__(self) -> None:
        super().__init__("There is no session of this id: it may have been deleted.")


@dataclass(frozen=True)
class Turn:
    """A question and its answer."""

    question: Message
    answer: Message

    @property
    def size(self) -> int:
        """About how many tokens it has."""
        return estimate([self.question, self.answer])


class SessionService:
    """Keeps sessions, and talks in them: one answer at a time in each, in the order of the questions."""

    def __init__(self, database: Database, registry: ProviderRegistry) -> None:
        self._database = database
        self._registry = registry
        # An asyncio.Lock is fair. One that nobody holds or waits for is forgotten.
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def create(
        self,
        api_key_id: str,
        *,
        agent_type: str,
        agent_config: dict[str, Any],
        name: str | None,
        key: IdempotencyKey | None,
    ) -> Made:
        """Begin a conversation.

        Raises:
            InvalidRequest: there is no such model.
        """
        self.choose(agent_config)
        moment = now_ms()
        record = SessionRecord(
            store.new_session_id(), api_key_id, agent_type, agent_config, name, moment, moment
        )

        async def make(connection: AsyncConnection) -> dict[str, Any]:
            await store.insert(connection, record)
            return session_body(record)

        return await once(self._database, key, make)

    def choose(self, agent_config: dict[str, Any]) -> tuple[str, str]:
        """Names of the provider and the model of an agent.

        Raises:
            InvalidRequest: there is no such model.
            Unavailable: there is none at all.
        """
        provider, model = agent_config.get("provider"), agent_config.get("model")
        return self._registry.choose("text_generation", provider, model)

    async def get(self, api_key_id: str, session_id: str) -> SessionRecord:
        """The caller's session.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        async with self._database.read() as connection:
            record = await store.get(connection, session_id)
        if record is None or record.api_key_id != api_key_id:
            raise SessionGone
        return record

    async def count(self, session_id: str) -> int:
        """How many messages a session has."""
        async with self._database.read() as connection:
            return await store.count(connection, session_id)

    async def history(
        self, api_key_id: str, session_id: str, *, limit: int, skip: int
    ) -> tuple[list[MessageRecord], int]:
        """What was said, the oldest first, and how much it is in all.

        Raises:
            NotFound: there is no such session.
        """
        await self.get(api_key_id, session_id)
        async with self._database.read() as connection:
            messages = await store.history(connection, session_id, limit=limit, skip=skip)
            return messages, await store.count(connection, session_id)

    async def list(self, api_key_id: str, *, limit: int, skip: int) -> tuple[list[SessionRecord], int]:
        """A page of the caller's sessions, newest first, and their number."""
        async with self._database.read() as connection:
            return await store.page(connection, api_key_id, limit=limit, skip=skip)

    async def delete(self, api_key_id: str, session_id: str) -> None:
        """Forget a conversation. An answer that is being made fails.

        Raises:
            NotFound: there is none.
        """
        await self.get(api_key_id, session_id)
        async with self._database.write() as connection:
            if not await store.delete(connection, session_id):
                raise SessionGone

    async def converse(self, task: TaskRecord, emit: Emit) -> Done:
        """Answer in a session. Question and answer are remembered when the task completes, both or none.

        Raises:
            NotFound: the session was deleted.
            ContextLengthExceeded: the question alone is too long.
        """
        session_id, prompt = task.input["session_id"], task.input["prompt"]
        turn = self._turns.setdefault(session_id, asyncio.Lock())
        await turn.acquire()  # until the end is recorded: see `Done.release`
        try:
            output = await self._answer(task, session_id, prompt, emit)
        except BaseException:
            turn.release()
            raise
        moment = now_ms()

        async def remember(connection: AsyncConnection) -> None:
            said = [MessageRecord("user", prompt, moment), MessageRecord("assistant", output["text"], moment)]
            if not await store.say(connection, session_id, said):
                raise SessionGone

        return Done(output, remember, turn.release)

    async def _answer(self, task: TaskRecord, session_id: str, prompt: str, emit: Emit) -> dict[str, Any]:
        session = await self.get(task.api_key_id, session_id)
        async with self._database.read() as connection:
            said = await store.history(connection, session_id)
        system = session.agent_config.get("system_prompt")
        context = _Context(system, _turns_of(said), prompt)
        provider = self._registry.get(task.provider, TextProvider)
        room = _room(task.config)
        context.fit(self._registry.context_length(task.provider, task.model), room)
        while True:
            request = TextRequest(task.model, context.messages, task.config)
            try:
                output = await generate(provider, request, emit)
            except ContextLengthExceeded as overflow:
                if not context.shrink(overflow, room):
                    raise
            else:
                return {**output, "metadata": {"dropped_messages": context.dropped}}


def options_of(agent_config: dict[str, Any], config: dict[str, Any] | None) -> dict[str, Any]:
    """What a model is told: the agent's options, and over them those of this question."""
    agents = {name: agent_config[name] for name in _OPTIONS if agent_config.get(name) is not None}
    return {**agents, **(config or {})}


def session_body(record: SessionRecord) -> dict[str, Any]:
    """A session as the wire tells it."""
    body = {
        "session_id": record.id,
        "agent_type": record.agent_type,
        "agent_config": record.agent_config,
        "name": record.name,
        "is_active": True,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
    }
    return {name: value for name, value in body.items() if value is not None}


def estimate(messages: Sequence[Message]) -> int:
    """About how many tokens messages have: one for a Chinese character, one for 3.5 others.

    Rather too many than too few: what does not fit after all, the model says.
    """
    texts = [str(message["content"]) for message in messages]
    wide = sum(len(_WIDE.findall(text)) for text in texts)
    narrow = sum(len(text) for text in texts) - wide
    return wide + int(narrow / 3.5) + 6 * len(texts)


class _Context:
    """What a model is given to read: the system's prompt, the latest turns, the question."""

    def __init__(self, system: str | None, turns: list[Turn], prompt: str) -> None:
        self._system: list[Message] = [{"role": "system", "content": system}] if system else []
        self._turns = turns
        self._question: Message = {"role": "user", "content": prompt}
        self.dropped = 0

    @property
    def messages(self) -> list[Message]:
        """All of it, in order."""
        said = [message for turn in self._turns for message in (turn.question, turn.answer)]
        return [*self._system, *said, self._question]

    def fit(self, limit: int | None, room: int) -> None:
        """Leave out the oldest turns that are too much for a context of so many tokens."""
        if limit is not None:
            self._drop(estimate(self.messages) + min(room, limit // 4) - limit)

    def shrink(self, overflow: ContextLengthExceeded, room: int) -> bool:
        """Leave out at least one turn more; False when there is none left."""
        if not self._turns:
            return False
        limit, size = overflow.extra.get("limit"), overflow.extra.get("size")
        excess = 1
        if isinstance(limit, int) and isinstance(size, int) and size:
            share = estimate(self.messages) / size  # our estimate, in terms of the model's tokens
            excess = max(1, int((size - limit + min(room, limit // 4)) * share))
        self._drop(excess)
        return True

    def _drop(self, tokens: int) -> None:
        while tokens > 0 and self._turns:
            tokens -= self._turns.pop(0).size
            self.dropped += 2


def _turns_of(said: list[MessageRecord]) -> list[Turn]:
    messages: list[Message] = [{"role": each.role, "content": each.content} for each in said]
    return [Turn(*pair) for pair in zip(messages[::2], messages[1::2], strict=True)]


def _room(config: dict[str, Any]) -> int:
    wanted = config.get("max_tokens")
    return wanted if isinstance(wanted, int) and wanted > 0 else _ANSWER_TOKENS
