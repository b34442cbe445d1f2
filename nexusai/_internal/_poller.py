# Generated from nexusai/aio/_internal/_poller.py by scripts/unasync.py: edit that file.

"""TaskPoller: wait for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

from nexusai import error as errors
from nexusai._internal import _bodies, _responses, _retry
from nexusai.models import Task

if TYPE_CHECKING:
    from nexusai._internal._client import InternalClient
    from nexusai._internal._responses import Answer

OnProgress = Callable[[Task], Any]

_FIRST_PAUSE = 0.1
_LAST_LOOK = 2.0
"""Seconds after the longest wait, in which the last look at a task must have come back."""
_PATIENCE = 0.14
"""Between two looks passes this share of a task's age: its end is seen within 15 %, with the way there."""


class TaskPoller:
    """Waits for tasks: by long polling where the platform does it, else by looking again.

    `poll_interval` is the longest pause between two looks, `poll_timeout` the longest wait.
    """

    def __init__(
        self,
        client: InternalClient,
        poll_interval: Optional[float] = None,
        poll_timeout: Optional[float] = None,
        *,
        deadline: Optional[float] = None,
        known: bool = False,
    ) -> None:
        """`deadline`, on the monotonic clock, is that of the call whose task is waited for.

        A task is `known` where the platform has told of it: that it is not found cannot be its last word.
        """
        self._client = client
        self._poll_interval = client.poll_interval if poll_interval is None else poll_interval
        self._poll_timeout = client.poll_timeout if poll_timeout is None else poll_timeout
        self._total = client.deadline() if deadline is None else deadline
        self._known = known

    def poll(self, task_id: str) -> Dict[str, Any]:
        """Wait until the task has ended, and return it as the platform tells it.

        Raises:
            TaskFailedError, TaskCancelledError: it ended without a result.
            TaskTimeoutError: it did not end in time.
        """
        task, answer = self._wait(task_id, None)
        _responses.read_output(task)
        body: Dict[str, Any] = _responses.read_json(answer)
        return body

    def wait(self, task_id: str, on_progress: Optional[OnProgress] = None) -> Task:
        """Wait until the task has ended in whatever way.

        `on_progress(task)` is called whenever status or progress have changed.

        Raises:
            TaskTimeoutError: it did not end in time.
        """
        task, _ = self._wait(task_id, on_progress)
        return task

    def finish(self, task_id: str, on_progress: Optional[OnProgress] = None) -> Tuple[Task, Answer]:
        """The same, and the answer that told the end."""
        return self._wait(task_id, on_progress)

    def _wait(self, task_id: str, on_progress: Optional[OnProgress]) -> Tuple[Task, Answer]:
        telemetry = self._client.telemetry
        if telemetry is None:
            return self._watch(task_id, on_progress)
        with telemetry.waiting(task_id) as waiting:
            task, answer = self._watch(task_id, waiting.outside(on_progress))
            waiting.told(task)
            return task, answer

    def _watch(self, task_id: str, on_progress: Optional[OnProgress]) -> Tuple[Task, Answer]:
        started = self._client.clock.monotonic()
        deadline = min(started + self._poll_timeout, self._total)
        reported: Optional[Tuple[str, Optional[float]]] = None
        while True:
            task, answer, held = self._seen(task_id, deadline, watched=on_progress is not None)
            if on_progress is not None and (task.status, task.progress) != reported:
                reported = (task.status, task.progress)
                on_progress(task)
            if task.has_ended:
                return task, answer
            self._pause(task, started, deadline, held=held)

    def _seen(self, task_id: str, deadline: float, *, watched: bool) -> Tuple[Task, Answer, bool]:
        """Look until there is something to be seen, where it can be expected.

        Raises:
            APIError: there is not; the task is not lost, its id is on the error.
        """
        missed = 0
        while True:
            try:
                seen = self._look(task_id, deadline, watched=watched)
                self._known = True
                return seen
            except errors.APIError as error:
                missed += 1
                pause = self._second_chance(error, missed, deadline)
                if pause is not None:
                    self._client.clock.sleep(pause)
                    continue
                late = self._client.clock.monotonic() >= deadline
                if late and isinstance(error, errors.APITimeoutError):
                    raise self._too_late(task_id, "not known to have ended", error.request_id) from error
                error.task_id = task_id
                raise

    def _second_chance(self, error: errors.APIError, missed: int, deadline: float) -> Optional[float]:
        """Seconds until a task that is not found is looked for again.

        Not all servers of a platform need know at once of what one of them has begun.
        """
        expected = self._known and isinstance(error, errors.NotFoundError)
        if not expected or missed > self._client.max_retries:
            return None
        pause = _retry.pause(missed, None)
        return pause if pause and self._client.clock.monotonic() + pause < deadline else None

    def _look(self, task_id: str, deadline: float, *, watched: bool) -> Tuple[Task, Answer, bool]:
        """Ask once; a platform that can holds the answer until the task ends.

        Where progress is watched it holds it for a second only. The last of the three tells whether
        the platform did hold it: one that is about to stop promises to, and answers at once.
        """
        client = self._client
        patience = min(client.timeout, max(0.0, deadline - self._client.clock.monotonic()) + 1.0)
        seconds = None if client.long_polls is False else _bodies.server_wait(patience)
        seconds = min(seconds, 1) if seconds and watched else seconds
        headers = {"Prefer": f"wait={seconds}"} if seconds else None
        asked = self._client.clock.monotonic()
        path = _bodies.path("tasks", task_id)
        until = min(self._total, deadline + _LAST_LOOK)
        answer = client.send("GET", path, headers=headers, deadline=until, retry_until=deadline)
        if seconds:
            client.long_polls = "preference-applied" in answer.headers
        held = bool(seconds and client.long_polls and self._client.clock.monotonic() - asked > seconds / 2)
        return _responses.read_model(answer, Task), answer, held

    def _pause(self, task: Task, started: float, deadline: float, *, held: bool) -> None:
        now = self._client.clock.monotonic()
        if now >= deadline:
            raise self._too_late(task.task_id, f"still {task.status}", task.request_id)
        if not held:
            pause = max(_FIRST_PAUSE, _PATIENCE * (now - started))
            self._client.clock.sleep(min(pause, self._poll_interval, deadline - now))

    def _too_late(self, task_id: str, state: str, request_id: Optional[str]) -> errors.TaskTimeoutError:
        client = self._client
        total = client.total_timeout if client.clock.monotonic() >= self._total else None
        name, seconds = ("total_timeout", total) if total else ("poll_timeout", self._poll_timeout)
        return errors.TaskTimeoutError(
            f"Task {task_id} is {state} after {seconds:g} s (`{name}`). It goes on: "
            "`client.tasks.wait(task_id)` waits further.",
            task_id=task_id,
            request_id=request_id,
        )
