"""Which models are loaded: a few at a time, the least recently used making room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nexus_server.models.storage import InstalledModel
from nexus_server.providers.local.supervisor import ModelProcess


class ModelPool:
    """Holds the running models; a model that serves nobody may be stopped for another one."""

    def __init__(self, make: Callable[[InstalledModel], ModelProcess], *, max_loaded: int) -> None:
        """`make` builds the process of a model; it is started when it is first needed."""
        self._make = make
        self._max_loaded = max_loaded
        self._processes: dict[str, ModelProcess] = {}  # the least recently used first
        self._closing: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def lease(self, installed: InstalledModel) -> AsyncIterator[ModelProcess]:
        """Have a model's process, which stays for as long as this lasts.

        When all that may be loaded are busy, waits until one is not.
        """
        process = await self._place(installed)
        process.users += 1
        try:
            yield process
        finally:
            process.users -= 1
            self._changed.set()

    async def close(self) -> None:
        """Stop them all."""
        for model_id in list(self._processes):
            self._evict(model_id)
        while self._closing:
            await asyncio.wait(self._closing)

    async def _place(self, installed: InstalledModel) -> ModelProcess:
        while installed.id not in self._processes and not self._has_room():
            self._changed.clear()
            self._make_room()
            await self._changed.wait()
        process = self._processes.pop(installed.id, None) or self._make(installed)
        self._processes[installed.id] = process
        return process

    def _has_room(self) -> bool:
        # What is still closing also still holds its memory.
        return len(self._processes) + len(self._closing) < self._max_loaded

    def _make_room(self) -> None:
        """Begin to stop the least recently used model that nobody uses, if there is one."""
        if self._closing:
            return
        for model_id, process in self._processes.items():
            if not process.users:
                self._evict(model_id)
                return

    def _evict(self, model_id: str) -> None:
        closing = asyncio.create_task(self._processes.pop(model_id).close())
        self._closing.add(closing)
        closing.add_done_callback(self._forget)

    def _forget(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        self._changed.set()
