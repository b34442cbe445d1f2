"""The platform: everything that lives as long as the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from nexus_server.auth import KeyRing
from nexus_server.engine import TaskEngine
from nexus_server.engine.dbos import DBOSEngine
from nexus_server.errors import PlatformError, Unavailable
from nexus_server.providers.base import OnProgress, Provider
from nexus_server.providers.registry import ProviderRegistry, build_providers
from nexus_server.services.embeddings import EmbeddingService
from nexus_server.services.files import FileService
from nexus_server.services.generation import Emit, generate_text
from nexus_server.services.images import ImageWork
from nexus_server.services.knowledge import KnowledgeService
from nexus_server.services.rate_limits import RateLimiter, SlidingWindow
from nexus_server.services.runner import TaskRunner
from nexus_server.services.sessions import SessionService
from nexus_server.services.speech import SpeechWork, TranscriptionWork
from nexus_server.services.streams import StreamDesk
from nexus_server.services.tasks import TaskService
from nexus_server.services.webhooks import WebhookService, load_secret
from nexus_server.services.work import Done, Workshop
from nexus_server.settings import ServerSettings
from nexus_server.store import idempotency
from nexus_server.store import tasks as task_store
from nexus_server.store import webhooks as webhook_store
from nexus_server.store.data_dir import DirectoryLock, make_private
from nexus_server.store.database import Database
from nexus_server.store.tasks import TaskRecord

_logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 30.0
_PURGE_SECONDS = 24 * 60 * 60.0


@dataclass
class Platform:
    """The services, and the way they stop."""

    settings: ServerSettings
    database: Database
    keys: KeyRing
    registry: ProviderRegistry
    engine: TaskEngine
    tasks: TaskService
    streams: StreamDesk
    files: FileService
    embeddings: EmbeddingService
    sessions: SessionService
    knowledge: KnowledgeService
    rate_limiter: RateLimiter | None
    """By API key; None: no limit."""
    _drained: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def closing(self) -> bool:
        """Whether a shutdown has begun."""
        return self._drained is not None

    def begin_shutdown(self) -> asyncio.Task[None]:
        """Start nothing more, and give what runs its time of grace. Repeating this is harmless."""
        if self._drained is None:
            self.engine.drain()
            self.tasks.polls.close()
            self._drained = asyncio.create_task(self._drain())
        return self._drained

    async def drained(self) -> None:
        """Wait until everything has ended, or its time of grace is over."""
        await self.begin_shutdown()

    async def sweep(self) -> None:
        """Find tasks that are open while the engine has nothing open for them, and settle them."""
        async with self.database.read() as connection:
            ids = await task_store.open_ids(connection, streamed=False)
        ids = [task_id for task_id in ids if not self.tasks.is_running(task_id)]
        states = await self.engine.states(ids)
        for task_id in ids:
            if task_id not in states:
                await self._enqueue_again(task_id)
            elif states[task_id] == "ended":
                await self.tasks.fail(task_id, PlatformError("The task could not be run."))

    async def fail_left_streams(self) -> None:
        """End the tasks of streams that the last server did not bring to an end."""
        gone = Unavailable("The server stopped during the stream.", error_code="SERVER_RESTARTED")
        async with self.database.read() as connection:
            ids = await task_store.open_ids(connection, streamed=True)
        for task_id in ids:
            await self.tasks.fail(task_id, gone)

    async def purge(self) -> None:
        """Forget what is kept for a limited time only."""
        async with self.database.write() as connection:
            await idempotency.purge(connection)
            await webhook_store.purge(connection)

    async def _enqueue_again(self, task_id: str) -> None:
        async with self.database.write() as connection:
            await connection.run_sync(self.engine.enqueue, task_id)
        self.engine.nudge()

    async def _drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.shutdown_grace):
                await self.tasks.idle.wait()
        await self.streams.shut_down()
        self.tasks.holds.close()


@asynccontextmanager
async def open_platform(
    settings: ServerSettings, providers: Sequence[Provider] | None = None
) -> AsyncIterator[Platform]:
    """Everything that the server needs, ready; and closed again, in the reverse order.

    Raises:
        StartupError: the data directory cannot be used.
    """
    async with AsyncExitStack() as stack:
        make_private(settings.data_dir)
        lock = DirectoryLock(settings.data_dir)
        lock.acquire()
        stack.callback(lock.release)

        database = Database(settings.data_dir / "nexus.db")
        stack.push_async_callback(database.close)
        await database.open()
        keys = KeyRing(database)
        await keys.ensure_first_key(settings.data_dir / "api_key")

        registry = ProviderRegistry(
            build_providers(settings) if providers is None else providers,
            default_provider=settings.default_provider,
            default_model=settings.default_model,
        )
        stack.push_async_callback(registry.close)
        await registry.start()

        engine = DBOSEngine(database.path, concurrency=settings.worker_concurrency)
        webhooks = WebhookService(database, settings, load_secret(settings))
        webhooks.start()
        stack.push_async_callback(webhooks.close)
        tasks = TaskService(database, engine, webhooks)
        files = FileService(database, settings.data_dir / "files")
        await files.open()
        sessions = SessionService(database, registry)
        embeddings = EmbeddingService(registry)
        knowledge = KnowledgeService(database, tasks, files, embeddings, settings.data_dir / "knowledge")
        await knowledge.open()
        streams = StreamDesk(tasks, partial(_stream, registry, sessions))
        limiter = SlidingWindow(settings.rate_limit) if settings.rate_limit else None
        platform = Platform(
            settings,
            database,
            keys,
            registry,
            engine,
            tasks,
            streams,
            files=files,
            embeddings=embeddings,
            sessions=sessions,
            knowledge=knowledge,
            rate_limiter=limiter,
        )
        await platform.fail_left_streams()
        await platform.purge()
        runner = TaskRunner(
            tasks, _workshop(registry, files, knowledge), concurrency=settings.worker_concurrency
        )
        await engine.start(runner.run)
        stack.push_async_callback(engine.shutdown)
        await platform.sweep()
        stack.push_async_callback(platform.drained)
        async with _maintenance(platform):
            yield platform
            platform.begin_shutdown()


async def _stream(registry: ProviderRegistry, sessions: SessionService, task: TaskRecord, emit: Emit) -> Done:
    if "session_id" in task.input:
        return await sessions.converse(task, emit)
    return await generate_text(registry, task, emit)


def _workshop(registry: ProviderRegistry, files: FileService, knowledge: KnowledgeService) -> Workshop:
    async def text(task: TaskRecord, _: OnProgress) -> Done:
        return await generate_text(registry, task)

    return Workshop(
        {
            "text_generation": text,
            "image_generation": ImageWork(registry, files),
            "speech_to_text": TranscriptionWork(registry, files),
            "text_to_speech": SpeechWork(registry, files),
            "document_processing": knowledge.process,
        }
    )


@asynccontextmanager
async def _maintenance(platform: Platform) -> AsyncIterator[None]:
    jobs = [
        asyncio.create_task(_every(_SWEEP_SECONDS, platform.sweep)),
        asyncio.create_task(_every(_PURGE_SECONDS, platform.purge)),
    ]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)


async def _every(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await job()
        except Exception:
            _logger.exception("A maintenance job failed; it runs again later.")
