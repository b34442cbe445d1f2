"""`/invoke` and `/tasks`."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from nexusai.testing._calls import Call
from nexusai.testing._memory.outputs import DEFAULTS, nothing, output_of
from nexusai.testing._memory.replies import (
    RefusalError,
    applied,
    event,
    event_stream,
    events,
    json_reply,
    last_events,
    page,
)
from nexusai.testing._memory.store import Store
from nexusai.testing._script import Making
from nexusai.testing._wire import Reply, Trouble
from nexusai.types import TERMINAL_STATUSES, JSONObject

_DROPPED = Trouble("the scripted connection was dropped")


class Task:
    """A task, and what of its course has not been seen yet."""

    def __init__(self, task_id: str, task_type: str, making: Making, output: JSONObject, now: str) -> None:
        self.id = task_id
        self.type = task_type
        self.output = output
        self.pieces: List[str] = []
        self.cancelled = False
        self.created_at = now
        self._making = making
        self._ahead = list(making.statuses)
        self._standing: Tuple[str, Optional[float]] = ("queued", None)
        if not self._ahead and making.ends:
            self._standing = (self._end, None)

    @property
    def _end(self) -> str:
        return "failed" if self._making.failure else "completed"

    @property
    def status(self) -> str:
        return "cancelled" if self.cancelled else self._standing[0]

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL_STATUSES

    def look(self) -> None:
        """Go on to the next status: a task that nobody looks at stays as it is."""
        if self._ahead:
            self._standing = self._ahead.pop(0)
        elif self._making.ends:
            self._standing = (self._end, None)

    def told(self, now: str) -> JSONObject:
        """As the wire tells it."""
        status, progress = self.status, self._standing[1]
        body: JSONObject = {
            "task_id": self.id,
            "status": status,
            "task_type": self.type,
            "created_at": self.created_at,
        }
        if status not in ("queued", "pending"):
            body["started_at"] = self.created_at
        if self.has_ended:
            body["finished_at"] = now
        if status == "completed" and (self._making.statuses or self.type == "document_processing"):
            progress = 100
        if progress is not None:
            body["progress"] = progress
        if status == "completed":
            body["output"] = self.output
        if status == "failed":
            body["error"] = self._making.failure
        return body


class Tasks:
    """What is made, and how it stands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def invoke(self, call: Call, answer: Optional[Making]) -> Reply:
        task_type = call.task_type or ""
        making = answer or Making(DEFAULTS.get(task_type, nothing))
        task = self.begin(call, task_type, making)
        if call.is_stream:
            return self.stream(call, task, making)
        waits = call.prefers("wait")
        later = call.prefers("respond-async") or (task_type == "image_generation" and not waits)
        if later or not task.has_ended or task.status == "failed":
            return self.accepted(call, task)
        body = {"task_id": task.id, "status": "completed", "output": task.output}
        return json_reply(200, body, applied(call))

    def begin(self, call: Call, task_type: str, making: Making) -> Task:
        output = output_of(self._store, call, task_type, making.output(call))
        task = Task(self._store.new("task"), task_type, making, output, self._store.now())
        task.pieces = output.pop("_pieces", [])
        self._store.tasks[task.id] = task
        return task

    def accepted(self, call: Call, task: Task, **more: str) -> Reply:
        status = task.status if not task.has_ended else "queued"
        body = {
            "task_id": task.id,
            "status": status,
            "message": "The task goes on: ask for it at status_poll_url.",
            "status_poll_url": f"/api/v1/tasks/{task.id}",
            **more,
        }
        return json_reply(202, body, applied(call))

    def get(self, call: Call, _: Any, task_id: str) -> Reply:
        task = self._store.task(task_id)
        if not task.has_ended:
            task.look()
        waits = call.prefers("wait")
        return json_reply(
            202 if waits and not task.has_ended else 200,
            task.told(self._store.now()),
            applied(call) if waits else {},
        )

    def list(self, call: Call, _: Any) -> Reply:
        wanted = {name: call.query[name] for name in ("status", "task_type") if name in call.query}
        rows = [task.told(self._store.now()) for task in self._store.tasks.values()]
        found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
        return page(call, "tasks", found)

    def cancel(self, call: Call, _: Any, task_id: str) -> Reply:
        task = self._store.task(task_id)
        if task.has_ended:
            raise RefusalError(409, f"The task is {task.status} already.")
        task.cancelled = True
        return json_reply(200, task.told(self._store.now()))

    def stream(self, call: Call, task: Task, making: Making) -> Reply:
        cut = making.cut_after
        resumable = call.prefers("resumable") and (cut is None or making.resumes)
        headers = {"preference-applied": "resumable"} if resumable else {}
        if cut is None or making.resumes:
            headers["x-task-id"] = task.id
        told = events(task.pieces, 0, ids=resumable)
        if cut is not None:
            return event_stream(told[:cut], headers, _DROPPED)
        failure = making.failure
        if failure is not None:
            return event_stream([*told, event({"error": failure})], headers)
        return event_stream([*told, *last_events(task.output, task.id, ids=resumable)], headers)

    def follow(self, call: Call, _: Any, task_id: str) -> Reply:
        task = self._store.task(task_id)
        seen = int(call.headers.get("last-event-id") or 0)
        told = [*events(task.pieces, seen, ids=True), *last_events(task.output, task.id, ids=True)]
        return event_stream(told, {"x-task-id": task.id, "preference-applied": "resumable"})
