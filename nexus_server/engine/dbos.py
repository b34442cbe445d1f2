"""The task engine on DBOS, embedded: one process, on the platform's own SQLite file."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Queue
from dbos._core import execute_dequeued_workflow
from dbos._error import DBOSException
from dbos._sys_db import WorkflowStatusInternal
from dbos._utils import GlobalParams, generate_uuid

from nexus_server.engine.port import RunTask, WorkState

_logger = logging.getLogger(__name__)

_APPLICATION = "nexus"
# DBOS never recovers work of another version, and by default derives it from the code.
# Change it only together with an incompatible change of the workflow.
_VERSION = "nexus-1"
_EXECUTOR = "embedded"  # fixed: the next process on this data directory takes over its work
_QUEUE = "tasks"
_WORKFLOW = "run_task"
_MAX_RECOVERY_ATTEMPTS = 5  # a task that kills the server must not do so for ever
_POLLING_SECONDS = 1.0  # only the safety net: nudges start work at once
_OPEN_STATES = ("ENQUEUED", "PENDING", "DELAYED")


class DBOSEngine:
    """Work runs in DBOS's own event loop, which does nothing but wait for ours.

    So providers, database connections and semaphores live on one loop, and a stall of DBOS
    cannot delay an answer.
    """

    def __init__(self, database: Path, *, concurrency: int) -> None:
        self._url = f"sqlite:///{database}"
        self._concurrency = concurrency
        # There before DBOS is launched: work that it recovers may begin at once.
        self._claimer = _Claimer(concurrency)

    async def start(self, run: RunTask) -> None:
        """Launch DBOS, which puts back into the queue what a crash interrupted."""
        self._loop = asyncio.get_running_loop()
        self._run = run
        # In a thread, because DBOS adopts a loop that it is launched on.
        await asyncio.to_thread(self._launch)

    def enqueue(self, connection: sa.Connection, task_id: str) -> None:
        """Write the queue entry; the task's id is the workflow's, so twice is once."""
        options = EnqueueOptions(
            queue_name=_QUEUE, workflow_name=_WORKFLOW, workflow_id=task_id, app_version=_VERSION
        )
        self._client.enqueue_in_transaction(connection, options, task_id)

    def nudge(self) -> None:
        """Wake the claimer."""
        self._claimer.wake()

    async def cancel(self, task_id: str) -> None:
        """Take the task out of the queue."""
        await asyncio.to_thread(DBOS.cancel_workflow, task_id)

    async def states(self, task_ids: Sequence[str]) -> dict[str, WorkState]:
        """Read the workflows' states."""
        return await asyncio.to_thread(self._read_states, list(task_ids))

    def drain(self) -> None:
        """Stop the claimer and DBOS's own worker."""
        self._claimer.stop()
        for event in self._dbos.background_thread_stop_events:
            event.set()

    async def shutdown(self) -> None:
        """Cancel DBOS's loop. Its workflows stay pending, and are recovered by the next start."""
        self.drain()
        await asyncio.to_thread(self._destroy)

    def _launch(self) -> None:
        config = DBOSConfig(
            name=_APPLICATION,
            system_database_url=self._url,
            application_version=_VERSION,
            executor_id=_EXECUTOR,
            log_level="WARNING",
        )
        self._dbos = DBOS(config=config)
        self._register()
        DBOS.launch()
        queue = DBOS.register_queue(
            _QUEUE,
            worker_concurrency=self._concurrency,
            polling_interval_sec=_POLLING_SECONDS,
            on_conflict="always_update",
        )
        self._client = DBOSClient(system_database_url=self._url, application_name=_APPLICATION)
        self._claimer.begin(self._dbos, queue)

    def _register(self) -> None:
        # Without a step on purpose: a step's result would be kept beside the task's row, and a
        # recovered workflow would believe it instead of asking the row what is left to do.
        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=_MAX_RECOVERY_ATTEMPTS)
        async def run_task(task_id: str) -> None:
            self._claimer.began(task_id)
            try:
                await self._hop(task_id)
            finally:
                self._claimer.ended(task_id)

    async def _hop(self, task_id: str) -> None:
        """Run the task on the platform's loop, and wait for it on DBOS's."""

        async def run() -> None:
            await self._run(task_id)

        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    def _read_states(self, task_ids: list[str]) -> dict[str, WorkState]:
        found: dict[str, WorkState] = {}
        for start in range(0, len(task_ids), 500):  # SQLite limits the parameters of a query
            workflows = DBOS.list_workflows(
                workflow_ids=task_ids[start : start + 500], load_input=False, load_output=False
            )
            for workflow in workflows:
                found[workflow.workflow_id] = "open" if workflow.status in _OPEN_STATES else "ended"
        return found

    def _destroy(self) -> None:
        if self._claimer.is_alive():
            self._claimer.join(timeout=5)
        self._client.destroy()
        DBOS.destroy(destroy_registry=True)


class _Claimer(threading.Thread):
    """Claims queued work as soon as it is told of some.

    DBOS's worker only polls. This thread makes the worker's own calls (see `queue_worker_thread`
    in `dbos._queue`), which claim atomically, so both may run. They are private: when one
    fails, the polling worker remains, and nothing is lost but time.
    """

    def __init__(self, concurrency: int) -> None:
        super().__init__(name="task-claimer", daemon=True)
        self._concurrency = concurrency
        self._wake = threading.Event()
        self._stopped = False
        self._active: set[str] = set()
        self._full = False  # more may be waiting than there was room for

    def begin(self, dbos: DBOS, queue: Queue) -> None:
        """Claim from this queue from now on."""
        self._dbos = dbos
        self._queue = queue
        self.start()

    def wake(self) -> None:
        """Claim soon; several calls may become one claim."""
        self._wake.set()

    def stop(self) -> None:
        """Claim no more."""
        self._stopped = True
        self._wake.set()

    def began(self, task_id: str) -> None:
        """Count a task that runs, whoever claimed it."""
        self._active.add(task_id)

    def ended(self, task_id: str) -> None:
        """There is room again."""
        self._active.discard(task_id)
        if self._full:
            self.wake()

    def run(self) -> None:
        """Wait, claim, wait again."""
        try:
            while self._wake.wait() and not self._stopped:
                self._wake.clear()
                self._claim()
        except Exception:
            _logger.exception("Tasks now start at the next poll, up to a second late.")

    def _claim(self) -> None:
        self._full = True  # a task that ends during the claim must wake us again
        owner = generate_uuid()
        try:
            claimed, _ = self._dbos._sys_db.start_queued_workflows(
                self._queue,
                GlobalParams.executor_id,
                GlobalParams.app_version,
                None,
                len(self._active),
                owner_xid=owner,
            )
        except sa.exc.DBAPIError as error:
            _logger.warning("Queued tasks could not be claimed, the next poll will: %s", error.orig)
            return
        self._active.update(claimed)
        self._full = len(self._active) >= self._concurrency
        for status in self._dbos._sys_db.get_workflow_statuses(claimed):
            self._execute(status, owner)

    def _execute(self, status: WorkflowStatusInternal, owner: str) -> None:
        task_id = status["workflow_uuid"]
        try:
            execute_dequeued_workflow(self._dbos, status, owner)
        except DBOSException as error:
            _logger.error("Task %s cannot be run: %s", task_id, error)
            self.ended(task_id)
        if status["status"] != "PENDING":  # cancelled since the claim: it never begins
            self.ended(task_id)
