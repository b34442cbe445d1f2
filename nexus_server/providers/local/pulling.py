"""Fetching a model while the server runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from pathlib import Path

from nexus_server.models.catalogue import LocalModel
from nexus_server.models.errors import ModelError
from nexus_server.models.fetch import fetch
from nexus_server.models.progress import Progress

logger = logging.getLogger(__name__)


class _AbandonedError(Exception):
    """The server is going down."""


class BackgroundFetch:
    """One fetch in a thread of its own, which neither the event loop nor the exit waits for."""

    def __init__(self, model: LocalModel, models_dir: Path) -> None:
        """Starts at once; needs a running event loop."""
        self.model = model
        self._models_dir = models_dir
        self._abandoned = threading.Event()
        self._progress = Progress("waiting")
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[ModelError | None] = self._loop.create_future()
        threading.Thread(target=self._run, name=f"fetch {model.id}", daemon=True).start()

    async def wait(self) -> None:
        """Wait until the model is there.

        Raises:
            ModelError: it could not be fetched.
        """
        error = await asyncio.shield(self._outcome)
        if error is not None:
            raise error

    def abandon(self) -> None:
        """Stop it soon; what was transferred is kept."""
        self._abandoned.set()

    def describe(self) -> str:
        """How far it is, in a sentence."""
        progress = self._progress
        if not progress.total:
            return f"{self.model.id} is about to be fetched."
        percent = 100 * progress.done // progress.total
        return f"{self.model.id} is being fetched ({progress.step}, {percent} %)."

    def _run(self) -> None:
        error: ModelError | None = None
        try:
            fetch(self.model, self._models_dir, on_progress=self._note)
        except ModelError as problem:
            error = problem
        except _AbandonedError:
            error = ModelError(f"Fetching {self.model.id} was stopped.")
        with suppress(RuntimeError):  # the loop is closed: nobody is left who would care
            self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: ModelError | None) -> None:
        self._outcome.set_result(error)

    def _note(self, progress: Progress) -> None:
        if self._abandoned.is_set():
            raise _AbandonedError
        self._progress = progress
        if progress.message:
            logger.warning("%s", progress.message)
