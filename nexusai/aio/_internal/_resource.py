"""What every resource holds."""

from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Optional, Type, Union

from nexusai._internal import _bodies, _responses
from nexusai._internal._choices import Limits
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.aio._internal._poller import AsyncTaskPoller, OnProgress
from nexusai.models import Task
from nexusai.types import Fallbacks, JSONObject

_FOREVER = float("inf")


class AsyncResource:
    """A part of the API, on one client.

    The functions of a resource's module are the methods of one that is given, in place of a client, a
    function which finds the default client at each call.
    """

    def __init__(self, client: Union[AsyncInternalClient, Callable[[], AsyncInternalClient]]) -> None:
        self._source = client

    @property
    def _client(self) -> AsyncInternalClient:
        source = self._source
        return source if isinstance(source, AsyncInternalClient) else source()

    def _poller(self, timeout: Optional[float] = None, deadline: Optional[float] = None) -> AsyncTaskPoller:
        known = deadline is not None  # it is the task of a call that was made just now
        return AsyncTaskPoller(self._client, poll_timeout=timeout, deadline=deadline, known=known)

    async def _all(self, listed: Callable[[int], Any], per_page: int) -> AsyncIterator[Any]:
        """What is on all pages; `listed(number)` asks for one.

        By what each page tells, as servers differ: some tell no total, some give fewer at once than they are
        asked for, and some know no pages and give everything each time.
        """
        before: Any = None
        number, taken = 1, 0
        while True:
            page = await listed(number)
            if not page or page == before:
                return
            for item in page:
                yield item
            taken += len(page)
            ended = taken >= page.total if isinstance(page.total, int) else len(page) != per_page
            if ended:
                return
            before = page
            number += 1

    async def _run(
        self,
        body: JSONObject,
        output: Optional[Type[Any]] = None,
        on_progress: Optional[OnProgress] = None,
        fallbacks: Optional[Fallbacks] = None,
        deadline: Optional[float] = None,
    ) -> Any:
        """Invoke, wait for the end however the platform answers, and return the result.

        `deadline` is that of a larger call, which this one is a part of.
        """

        async def ask(body: JSONObject, limits: Optional[Limits] = None) -> Any:
            return _responses.read_output(await self._finished(body, on_progress, limits), output)

        return await self._in_turn(ask, body, fallbacks, deadline)

    async def _completed(self, body: JSONObject, fallbacks: Optional[Fallbacks] = None) -> Task:
        """Invoke, and return the task once it has completed."""

        async def ask(body: JSONObject, limits: Optional[Limits] = None) -> Task:
            task = await self._finished(body, None, limits)
            _responses.read_output(task)
            return task

        task: Task = await self._in_turn(ask, body, fallbacks)
        return task

    async def _in_turn(
        self, ask: Any, body: JSONObject, fallbacks: Optional[Fallbacks], deadline: Optional[float] = None
    ) -> Any:
        if not fallbacks:
            return await ask(body, None if deadline is None else Limits(deadline))
        from nexusai._internal._choices import Choices
        from nexusai.aio._internal._fallbacks import async_first_answer

        return await async_first_answer(self._client, Choices(body, fallbacks), ask, deadline)

    async def _finished(
        self, body: JSONObject, on_progress: Optional[OnProgress] = None, limits: Optional[Limits] = None
    ) -> Task:
        """Invoke, and return the task once it has ended.

        The platform is asked to answer in time for this client's `timeout`: work that takes longer
        is then waited for as a task, and not lost.
        """
        telemetry = self._client.telemetry
        if telemetry is None:
            return await self._invoked(body, on_progress, limits)
        with telemetry.operation("POST", "/invoke", body) as operation:
            task = await self._invoked(body, on_progress, limits)
            operation.told(task)
            return task

    async def _invoked(
        self, body: JSONObject, on_progress: Optional[OnProgress], limits: Optional[Limits]
    ) -> Task:
        client = self._client
        deadline, retry_until = limits or (client.deadline(), _FOREVER)
        if on_progress is not None:
            task = await self._submit(body, limits or Limits(deadline))
            if not task.has_ended:
                task = await self._poller(deadline=deadline).wait(task.task_id, on_progress)
            return task
        seconds = _bodies.server_wait(client.timeout)
        headers = {"Prefer": f"wait={seconds}"} if seconds else None
        task = await client.fetch(
            Task, "POST", "/invoke", body, headers=headers, deadline=deadline, retry_until=retry_until
        )
        if task.has_ended:
            return task
        task, answer = await self._poller(deadline=deadline).finish(task.task_id)
        if client.kept is not None:
            await client.kept.keep("POST", "/invoke", body, answer, task)
        return task

    async def _submit(self, body: JSONObject, limits: Optional[Limits] = None) -> Task:
        """Invoke as a task, without waiting for its end."""
        headers = {"Prefer": "respond-async"}
        deadline, retry_until = limits or (None, _FOREVER)
        return await self._client.fetch(
            Task, "POST", "/invoke", body, headers=headers, deadline=deadline, retry_until=retry_until
        )
