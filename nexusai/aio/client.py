"""AsyncNexusAIClient: one attribute for each resource."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple, Union

from nexusai._internal import _bodies
from nexusai._internal._observing import OnRequest, OnResponse
from nexusai._internal._runtime import async_in_thread
from nexusai.aio._internal._client import AsyncInternalClient
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._resource import AsyncResource
from nexusai.config import hidden, hidden_headers, hidden_options
from nexusai.models import Task

if TYPE_CHECKING:
    from nexusai._internal._local import LocalPlatform
    from nexusai.aio.resources.audio import AsyncAudioResource
    from nexusai.aio.resources.batch import AsyncBatchResource
    from nexusai.aio.resources.embeddings import AsyncEmbeddingsResource
    from nexusai.aio.resources.files import AsyncFilesResource
    from nexusai.aio.resources.images import AsyncImagesResource
    from nexusai.aio.resources.knowledge_bases import AsyncKnowledgeBasesResource
    from nexusai.aio.resources.models import AsyncModelsResource
    from nexusai.aio.resources.sessions import AsyncSessionsResource
    from nexusai.aio.resources.tasks import AsyncTasksResource
    from nexusai.aio.resources.text import AsyncTextResource
    from nexusai.cache import Cache
    from nexusai.types import Fallbacks


class AsyncNexusAIClient:
    """A client of the Nexus AI platform.

    What is left out comes from `nexusai.config`: see there for the environment variables. All times
    are in seconds.

    A client can be pickled, without its key, which is then found where it is unpickled: in `nexusai.config`,
    the environment or `.env`. One with `http_client`, hooks or `default_headers` cannot.

    Args:
        api_key: starts with `nxs_`.
        base_url: of the API; by default a platform on this machine.
        timeout: bounds one attempt of a call from connecting to the last byte, and on a stream each
            silence on the wire. Work that takes longer is waited for as a task.
        max_retries: attempts after the first; 0 means one attempt.
        poll_interval: the longest pause between two looks at a task.
        poll_timeout: the longest wait for a task.
        total_timeout: bounds a whole call with its retries and pauses; no bound by default.
        content_timeout: bounds a stream that sends nothing but heartbeats; 10 × `timeout`.
        resume_streams: take up a stream whose connection broke where it was; True by default.
        default_headers: sent with every request.
        http_client: your own httpx client, used as it is: proxies, certificates, tests.
        transport: `"httpx"`, or `"fast"` (extra `[fast]`).
        on_request: a function that is told each attempt before it is made: method, url, attempt.
        on_response: a function that is told what each attempt came to: request, status_code, request_id,
            seconds, error. Hooks are plain functions and only watch: what they raise goes to the log.
        otel: tell OpenTelemetry of each call; by default where the program has imported it by now.
        cache: a `nexusai.Cache` that keeps what is safe to keep of the platform's answers.

    Raises:
        AuthenticationError: there is no usable API key.
        ValueError: a setting is not what it must be; the message names it.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: Optional[float] = None,
        max_retries: Optional[int] = None,
        *,
        poll_interval: Optional[float] = None,
        poll_timeout: Optional[float] = None,
        total_timeout: Optional[float] = None,
        content_timeout: Optional[float] = None,
        resume_streams: Optional[bool] = None,
        default_headers: Optional[Mapping[str, str]] = None,
        http_client: Any = None,
        transport: Optional[str] = None,
        on_request: Optional[OnRequest] = None,
        on_response: Optional[OnResponse] = None,
        otel: Optional[bool] = None,
        cache: Optional[Cache] = None,
    ) -> None:
        api_key, default_headers = hidden(api_key), hidden_headers(default_headers)
        self._internal_client = AsyncInternalClient(
            api_key,
            base_url,
            timeout,
            max_retries,
            poll_interval=poll_interval,
            poll_timeout=poll_timeout,
            total_timeout=total_timeout,
            content_timeout=content_timeout,
            resume_streams=resume_streams,
            default_headers=default_headers,
            http_client=http_client,
            transport=transport,
            on_request=on_request,
            on_response=on_response,
            otel=otel,
            cache=cache,
        )
        self._platform: Optional[LocalPlatform] = None

    @classmethod
    async def local(cls, data_dir: Union[str, Path, None] = None) -> AsyncNexusAIClient:
        """A client of the platform on this machine, which is started if none runs.

        What this call has started is stopped by `close()`, and when this process ends. `data_dir` is
        where the platform keeps its data: by default the user's data directory.

        Raises:
            NetworkError: it cannot be started; the message says why, and what to install.
        """
        from nexusai._internal._local import start_platform

        platform = await async_in_thread(lambda: start_platform(data_dir))
        client = cls(platform.api_key, platform.base_url)
        client._platform = platform
        return client

    @cached_property
    def text(self) -> AsyncTextResource:
        """Generate text."""
        from nexusai.aio.resources.text import AsyncTextResource

        return AsyncTextResource(self._internal_client)

    @cached_property
    def images(self) -> AsyncImagesResource:
        """Generate images."""
        from nexusai.aio.resources.images import AsyncImagesResource

        return AsyncImagesResource(self._internal_client)

    @cached_property
    def audio(self) -> AsyncAudioResource:
        """Write recordings down, and read texts aloud."""
        from nexusai.aio.resources.audio import AsyncAudioResource

        return AsyncAudioResource(self._internal_client)

    @cached_property
    def files(self) -> AsyncFilesResource:
        """Upload and download files."""
        from nexusai.aio.resources.files import AsyncFilesResource

        return AsyncFilesResource(self._internal_client)

    @cached_property
    def sessions(self) -> AsyncSessionsResource:
        """Talk with memory."""
        from nexusai.aio.resources.sessions import AsyncSessionsResource

        return AsyncSessionsResource(self._internal_client)

    @cached_property
    def knowledge_bases(self) -> AsyncKnowledgeBasesResource:
        """Search documents, and ask them."""
        from nexusai.aio.resources.knowledge_bases import AsyncKnowledgeBasesResource

        return AsyncKnowledgeBasesResource(self._internal_client)

    @cached_property
    def embeddings(self) -> AsyncEmbeddingsResource:
        """Turn texts into vectors."""
        from nexusai.aio.resources.embeddings import AsyncEmbeddingsResource

        return AsyncEmbeddingsResource(self._internal_client)

    @cached_property
    def batch(self) -> AsyncBatchResource:
        """Make many calls, a few at a time."""
        from nexusai.aio.resources.batch import AsyncBatchResource

        return AsyncBatchResource(self._internal_client)

    @cached_property
    def tasks(self) -> AsyncTasksResource:
        """Look at, wait for and cancel tasks."""
        from nexusai.aio.resources.tasks import AsyncTasksResource

        return AsyncTasksResource(self._internal_client)

    @cached_property
    def models(self) -> AsyncModelsResource:
        """What the platform can run."""
        from nexusai.aio.resources.models import AsyncModelsResource

        return AsyncModelsResource(self._internal_client)

    async def invoke(
        self,
        task_type: str,
        input: Mapping[str, Any],
        *,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        config: Optional[Mapping[str, Any]] = None,
        webhook_url: Optional[str] = None,
        fallbacks: Optional[Fallbacks] = None,
    ) -> Task:
        """Run any kind of task, and return it once it has completed, with its `output`.

        `fallbacks`, such as `[{"provider": …, "model": …}]`, are asked in turn where the one before
        cannot answer; the task's `route` tells who did. The task's end is told to `webhook_url`, too.

        Raises:
            TaskFailedError: it ended without one.
            TaskTimeoutError: it did not end within `poll_timeout`; it goes on as `.task_id`.
        """
        options = {**(config or {}), "webhook_url": webhook_url}
        body = _bodies.invoke_body(task_type, input, provider=provider, model=model, config=options)
        return await AsyncResource(self._internal_client)._completed(body, fallbacks)

    def with_options(self, **options: Any) -> AsyncNexusAIClient:
        """A client that differs in these arguments of the constructor, on the same connections."""
        options = hidden_options(options)
        return self._over(self._internal_client.with_options(**options))

    @classmethod
    def _over(cls, internal: AsyncInternalClient) -> AsyncNexusAIClient:
        client = cls.__new__(cls)
        client._internal_client = internal
        client._platform = None
        return client

    def __reduce__(self) -> Tuple[Any, ...]:
        # Without the key, which is found anew where it is unpickled; without what `local()` has started.
        return self._over, (self._internal_client,)

    def __copy__(self) -> AsyncNexusAIClient:
        return self._over(self._internal_client.with_options())

    def __deepcopy__(self, memo: Any) -> AsyncNexusAIClient:
        return self._over(self._internal_client.with_options())

    async def warmup(self) -> None:
        """Import what the first call would, and open a connection.

        Raises:
            NetworkError, APITimeoutError: the platform cannot be reached.
        """
        from nexusai.aio.resources import text  # noqa: F401 - a first call needs it

        await self._internal_client.warmup()

    async def aclose(self) -> None:
        """Close all connections, and stop the platform if `local()` has started it."""
        await self._internal_client.aclose()
        if self._platform is not None:
            await async_in_thread(self._platform.stop)

    async def __aenter__(self) -> AsyncNexusAIClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        internal = getattr(self, "_internal_client", None)  # not there where making it has failed
        return f"<{type(self).__name__} base_url={getattr(internal, 'base_url', None)!r}>"


def get_default_client() -> AsyncNexusAIClient:
    """The client behind the module-level functions, made from `nexusai.config` at first use."""
    return AsyncNexusAIClient._over(default_internal_client())
