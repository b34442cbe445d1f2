"""A server in a thread of the test's own process, for providers that no settings can name."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import httpx
import uvicorn

from nexus_server.__main__ import listen
from nexus_server.app import create_app
from nexus_server.providers.base import OfferedModel, Provider, TextChunk, TextRequest, Usage
from nexus_server.settings import ServerSettings


class Scripted:
    """A provider that answers with given pieces, or fails as it is told."""

    name = "scripted"

    def __init__(self, *texts: str, models: Exception | None = None, stream: Exception | None = None) -> None:
        self.texts = texts
        self.refuse = models
        self.fail = stream
        self.closed = False

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    def models(self) -> list[OfferedModel]:
        """One model."""
        if self.refuse is not None:
            raise self.refuse
        return [OfferedModel("script")]

    async def stream_text(self, request: TextRequest) -> AsyncIterator[TextChunk]:
        """The script."""
        if self.fail is not None:
            raise self.fail
        for text in self.texts:
            yield TextChunk(text)
        yield TextChunk(finish_reason="stop", usage=Usage(1, len(self.texts)))


@contextmanager
def serving(settings: ServerSettings, providers: Sequence[Provider]) -> Iterator[httpx.Client]:
    """A client of a server with these providers."""
    app = create_app(settings, providers)
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
            client.get(f"{url}/health")  # the socket listens already, so this waits until it is up
            key = (settings.data_dir / "api_key").read_text().strip()
            client.headers["Authorization"] = f"Bearer {key}"
            try:
                yield client
            finally:
                server.should_exit = True
                thread.join(20)
