# Generated from nexusai/aio/resources/tasks.py by scripts/unasync.py: edit that file.

"""Tasks: work that the platform has accepted."""

from __future__ import annotations

from typing import Any, Final, Generic, Iterator, Optional, Type, TypeVar

from pydantic import PrivateAttr

from nexusai._internal import _bodies, _responses
from nexusai._internal._client import InternalClient
from nexusai._internal._default import default_internal_client
from nexusai._internal._media import Bound, bound
from nexusai._internal._poller import OnProgress, TaskPoller
from nexusai._internal._resource import Resource
from nexusai.models import Page, Task

T = TypeVar("T")


class TaskHandle(Bound, Task, Generic[T]):
    """A task that can be waited for, looked at again, and cancelled.

    Its fields are those of the task as it stood when it was last looked at. It can be pickled, without the
    API key: where it is unpickled, it needs one in `nexusai.config` or the environment.
    """

    _output_model: Optional[Type[Any]] = PrivateAttr(default=None)

    @classmethod
    def of(
        cls, task: Task, client: InternalClient, output_model: Optional[Type[Any]] = None
    ) -> TaskHandle[Any]:
        """A handle on `task`, whose result is an `output_model` (by default that of its type)."""
        handle = cls.model_construct(**task.__dict__, **(task.model_extra or {}))
        handle._request_id, handle._from_cache = task.request_id, task.from_cache
        handle._client = client
        handle._output_model = output_model
        return handle

    def refresh(self) -> TaskHandle[T]:
        """Ask how the task stands, bring the fields up to date, and return the handle itself."""
        path = _bodies.path("tasks", self.task_id)
        self._take_over(self._source().fetch(Task, "GET", path))
        return self

    def wait(self, timeout: Optional[float] = None, on_progress: Optional[OnProgress] = None) -> T:
        """Wait for the end, and return the result.

        `timeout` in seconds, by default the client's `poll_timeout`. `on_progress(task)` is called
        whenever status or progress have changed.

        Raises:
            TaskFailedError, TaskCancelledError: there is no result.
            TaskTimeoutError: the task did not end in time; it goes on.
        """
        if not self.has_ended:
            poller = TaskPoller(self._source(), poll_timeout=timeout)
            self._take_over(poller.wait(self.task_id, on_progress))
        model = self._output_model or _bound_output(self.task_type)
        result: T = bound(_responses.read_output(self, model), self._source())
        return result

    def cancel(self) -> TaskHandle[T]:
        """Stop the work.

        Raises:
            ConflictError: the task has already ended.
        """
        path = _bodies.path("tasks", self.task_id, "cancel")
        self._take_over(self._source().fetch(Task, "POST", path))
        return self

    def _take_over(self, task: Task) -> None:
        for name in task.model_fields_set:
            setattr(self, name, getattr(task, name))
        self._request_id, self._from_cache = task.request_id, task.from_cache


def _bound_output(task_type: Optional[str]) -> Optional[Type[Any]]:
    """The model of a task's output where that can fetch more from the platform."""
    if task_type == "image_generation":
        from nexusai.resources.images import Image

        return Image
    if task_type == "text_to_speech":
        from nexusai.resources.audio import TTSResponse

        return TTSResponse
    return None


class TasksResource(Resource):
    """`client.tasks`."""

    def get(self, task_id: str) -> TaskHandle[Any]:
        """A task as it stands; its handle goes on from there, in whatever process it began.

        Raises:
            NotFoundError: this key has no such task.
        """
        task = self._client.fetch(Task, "GET", _bodies.path("tasks", task_id))
        return TaskHandle.of(task, self._client)

    def list(
        self,
        status: Optional[str] = None,
        task_type: Optional[str] = None,
        page: int = 1,
        per_page: int = 20,
    ) -> Page[Task]:
        """A page of tasks, the newest first, of this status and type where they are given."""
        params = {"status": status, "task_type": task_type, "page": page, "per_page": per_page}
        return self._client.fetch_page("tasks", Task, "/tasks", params)

    def iter(
        self, status: Optional[str] = None, task_type: Optional[str] = None, per_page: int = 100
    ) -> Iterator[Task]:
        """All tasks, the newest first, page by page."""
        number = 1
        while True:
            page = self.list(status, task_type, number, per_page)
            for task in page:
                yield task
            if len(page) < per_page:
                return
            number += 1

    def wait(
        self,
        task_id: str,
        timeout: Optional[float] = None,
        on_progress: Optional[OnProgress] = None,
    ) -> Task:
        """Wait until a task has completed, and return it, with its `output`.

        `timeout` in seconds, by default the client's `poll_timeout`. `on_progress(task)` is called
        whenever status or progress have changed.

        Raises:
            TaskFailedError, TaskCancelledError: it ended without a result.
            TaskTimeoutError: it did not end in time; it goes on.
        """
        task = self._poller(timeout).wait(task_id, on_progress)
        _responses.read_output(task)
        return task

    def cancel(self, task_id: str) -> Task:
        """Stop a task's work, and return it, cancelled.

        Raises:
            ConflictError: it has already ended.
        """
        return self._client.fetch(Task, "POST", _bodies.path("tasks", task_id, "cancel"))


_default = TasksResource(default_internal_client)
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.tasks.list`
iter: Final = _default.iter  # noqa: A001 - `nexusai.tasks.iter`
wait: Final = _default.wait
cancel: Final = _default.cancel
