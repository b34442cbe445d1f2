"""Tasks: work that the platform has accepted."""

from __future__ import annotations

from typing import Any, AsyncIterator, Final, Generic, Optional, Type, TypeVar

from pydantic import PrivateAttr

from nexusai import error as errors
from nexusai._internal import _bodies, _responses
from nexusai._internal._choices import Choices, Limits
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._media import AsyncBound, bound
from nexusai.aio._internal._poller import AsyncTaskPoller, OnProgress
from nexusai.aio._internal._resource import AsyncResource
from nexusai.models import Page, Task
from nexusai.types import Fallbacks, JSONObject

T = TypeVar("T")


class AsyncTaskHandle(AsyncBound, Task, Generic[T]):
    """A task that can be waited for, looked at again, and cancelled.

    Its fields are those of the task as it stood when it was last looked at. It can be pickled, without the
    API key: where it is unpickled, it needs one in `nexusai.config` or the environment.
    """

    _output_model: Optional[Type[Any]] = PrivateAttr(default=None)
    _choices: Optional[Choices] = PrivateAttr(default=None)

    @classmethod
    def of(
        cls, task: Task, client: AsyncInternalClient, output_model: Optional[Type[Any]] = None
    ) -> AsyncTaskHandle[Any]:
        """A handle on `task`, whose result is an `output_model` (by default that of its type)."""
        handle = cls.model_construct(**task.__dict__, **(task.model_extra or {}))
        handle._request_id, handle._from_cache, handle._route = task.request_id, task.from_cache, task.route
        handle._client = client
        handle._output_model = output_model
        return handle

    @classmethod
    async def _begin(
        cls,
        resource: AsyncResource,
        body: JSONObject,
        output_model: Type[Any],
        fallbacks: Optional[Fallbacks],
        deadline: Optional[float] = None,
    ) -> AsyncTaskHandle[Any]:
        """A handle on a new task, which goes on with the next of its `fallbacks` where it fails."""
        client = resource._client
        if not fallbacks:
            limits = None if deadline is None else Limits(deadline)
            return cls.of(await resource._submit(body, limits), client, output_model)
        from nexusai.aio._internal._fallbacks import async_first_answer

        choices = Choices(body, fallbacks)
        task = await async_first_answer(client, choices, resource._submit, deadline)
        handle = cls.of(task, client, output_model)
        handle._choices = choices
        return handle

    async def refresh(self) -> AsyncTaskHandle[T]:
        """Ask how the task stands, bring the fields up to date, and return the handle itself."""
        path = _bodies.path("tasks", self.task_id)
        self._take_over(await self._source().fetch(Task, "GET", path))
        return self

    async def wait(self, timeout: Optional[float] = None, on_progress: Optional[OnProgress] = None) -> T:
        """Wait for the end, and return the result.

        `timeout` in seconds, by default the client's `poll_timeout`. `on_progress(task)` is called
        whenever status or progress have changed. A task with fallbacks that fails by an overload or an
        outage is followed by another: this handle, its `task_id` too, is then that one's.

        Raises:
            TaskFailedError, TaskCancelledError: there is no result.
            TaskTimeoutError: the task did not end in time; it goes on.
        """
        if self._choices is None:
            return await self._result(timeout, on_progress)
        from nexusai.aio._internal._fallbacks import async_first_answer, goes_on

        client, choices = self._source(), self._choices
        left = client.poll_timeout if timeout is None else timeout
        until = min(client.clock.monotonic() + left, client.deadline())
        while True:
            try:
                return await self._result(left, on_progress)
            except errors.APIError as error:
                if not goes_on(client, choices, error, until):
                    raise
            submit = AsyncResource(client)._submit
            self._turn_to(await async_first_answer(client, choices, submit, until))
            left = max(0.0, until - client.clock.monotonic())

    async def _result(
        self, timeout: Optional[float], on_progress: Optional[OnProgress], deadline: Optional[float] = None
    ) -> T:
        if not self.has_ended:
            poller = AsyncTaskPoller(self._source(), poll_timeout=timeout, deadline=deadline, known=True)
            self._take_over(await poller.wait(self.task_id, on_progress))
        model = self._output_model or _bound_output(self.task_type)
        result: T = bound(_responses.read_output(self, model), self._source())
        return result

    async def cancel(self) -> AsyncTaskHandle[T]:
        """Stop the work.

        Raises:
            ConflictError: the task has already ended.
        """
        path = _bodies.path("tasks", self.task_id, "cancel")
        self._take_over(await self._source().fetch(Task, "POST", path))
        return self

    def _turn_to(self, task: Task) -> None:
        """Stand for another task from now on."""
        for name in Task.model_fields:
            setattr(self, name, getattr(task, name))
        self._request_id, self._from_cache, self._route = task.request_id, task.from_cache, task.route

    def _take_over(self, task: Task) -> None:
        for name in task.model_fields_set:
            setattr(self, name, getattr(task, name))
        self._request_id, self._from_cache = task.request_id, task.from_cache


def _bound_output(task_type: Optional[str]) -> Optional[Type[Any]]:
    """The model of a task's output where that can fetch more from the platform."""
    if task_type == "image_generation":
        from nexusai.aio.resources.images import AsyncImage

        return AsyncImage
    if task_type == "text_to_speech":
        from nexusai.aio.resources.audio import AsyncTTSResponse

        return AsyncTTSResponse
    return None


class AsyncTasksResource(AsyncResource):
    """`client.tasks`."""

    async def get(self, task_id: str) -> AsyncTaskHandle[Any]:
        """A task as it stands; its handle goes on from there, in whatever process it began.

        Raises:
            NotFoundError: this key has no such task.
        """
        task = await self._client.fetch(Task, "GET", _bodies.path("tasks", task_id))
        return AsyncTaskHandle.of(task, self._client)

    async def list(
        self,
        status: Optional[str] = None,
        task_type: Optional[str] = None,
        page: int = 1,
        per_page: int = 20,
    ) -> Page[Task]:
        """A page of tasks, the newest first, of this status and type where they are given."""
        params = {"status": status, "task_type": task_type, "page": page, "per_page": per_page}
        return await self._client.fetch_page("tasks", Task, "/tasks", params)

    async def iter(
        self, status: Optional[str] = None, task_type: Optional[str] = None, per_page: int = 100
    ) -> AsyncIterator[Task]:
        """All tasks, the newest first, page by page."""
        async for task in self._all(lambda number: self.list(status, task_type, number, per_page), per_page):
            yield task

    async def wait(
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
        task = await self._poller(timeout).wait(task_id, on_progress)
        _responses.read_output(task)
        return task

    async def cancel(self, task_id: str) -> Task:
        """Stop a task's work, and return it, cancelled.

        Raises:
            ConflictError: it has already ended.
        """
        return await self._client.fetch(Task, "POST", _bodies.path("tasks", task_id, "cancel"))


_default = AsyncTasksResource(default_internal_client)
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.tasks.list`
iter: Final = _default.iter  # noqa: A001 - `nexusai.tasks.iter`
wait: Final = _default.wait
cancel: Final = _default.cancel
