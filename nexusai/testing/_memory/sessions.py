"""`/sessions`."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple

from nexusai.testing._calls import Call
from nexusai.testing._memory.outputs import text_default
from nexusai.testing._memory.replies import RefusalError, applied, json_reply, page
from nexusai.testing._memory.store import Store
from nexusai.testing._memory.tasks import Tasks
from nexusai.testing._script import Making
from nexusai.testing._wire import Reply
from nexusai.types import JSONObject


class Sessions:
    """Conversations."""

    def __init__(self, store: Store, tasks: Tasks) -> None:
        self._store = store
        self._tasks = tasks
        self._sessions: Dict[str, JSONObject] = {}
        self._said: Dict[str, List[JSONObject]] = {}

    def said_before(self, path: str) -> Tuple[JSONObject, ...]:
        """What was said before in the session of this path."""
        found = re.fullmatch(r"/sessions/([^/]+)/invoke", path)
        said = self._said.get(found[1], []) if found else []
        return tuple({"role": each["role"], "content": each["content"]} for each in said)

    def create(self, call: Call, _: Any) -> Reply:
        body = {
            "session_id": self._store.new("sess"),
            "agent_type": call.body.get("agent_type", "assistant"),
            "agent_config": call.body.get("agent_config") or {},
            "name": call.body.get("name"),
            "is_active": True,
            "created_at": self._store.now(),
            "updated_at": self._store.now(),
        }
        self._sessions[body["session_id"]] = body
        self._said[body["session_id"]] = []
        return json_reply(201, body)

    def _session(self, session_id: str) -> JSONObject:
        if session_id not in self._sessions:
            raise RefusalError(404, f"There is no session {session_id!r}.")
        return self._sessions[session_id]

    def get(self, call: Call, _: Any, session_id: str) -> Reply:
        session = self._session(session_id)
        return json_reply(200, {**session, "message_count": len(self._said[session_id])})

    def list(self, call: Call, _: Any) -> Reply:
        return page(call, "sessions", list(self._sessions.values()))

    def delete(self, call: Call, _: Any, session_id: str) -> Reply:
        self._session(session_id)
        del self._sessions[session_id], self._said[session_id]
        return Reply(204, {}, [])

    def history(self, call: Call, _: Any, session_id: str) -> Reply:
        self._session(session_id)
        said = self._said[session_id]
        limit, offset = int(call.query.get("limit", 20)), int(call.query.get("offset", 0))
        body = {"session_id": session_id, "messages": said[offset : offset + limit], "total": len(said)}
        return json_reply(200, body)

    def invoke(self, call: Call, answer: Optional[Making], session_id: str) -> Reply:
        self._session(session_id)
        making = answer or Making(text_default)
        task = self._tasks.begin(call, "text_generation", making)
        task.output["metadata"] = {"dropped_messages": 0}
        if making.failure is None and (making.cut_after is None or making.resumes):
            self._remember(session_id, call.prompt or "", task.output["text"])
        if call.is_stream:
            return self._tasks.stream(call, task, making)
        if not task.has_ended or task.status == "failed":
            return self._tasks.accepted(call, task)
        output = task.output
        facts = {name: output[name] for name in ("usage", "model", "finish_reason")}
        body = {
            "session_id": session_id,
            "task_id": task.id,
            "response": {"role": "assistant", "content": output["text"]},
            "usage": output["usage"],
            "output": {"text": output["text"]},
            "metadata": {**facts, **output["metadata"]},
        }
        return json_reply(200, body, {"x-task-id": task.id, **applied(call)})

    def _remember(self, session_id: str, question: str, text: str) -> None:
        now = self._store.now()
        self._said[session_id] += [
            {"role": "user", "content": question, "timestamp": now},
            {"role": "assistant", "content": text, "timestamp": now},
        ]
        self._sessions[session_id]["updated_at"] = now
