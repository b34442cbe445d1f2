"""The Python SDK of Nexus AI.

    import nexusai

    client = nexusai.NexusAIClient(api_key="nxs_…")
    print(client.text.generate("Say hello in Chinese.").text)

Without a client, on a default one that is made from `nexusai.config` at first use:

    nexusai.config.api_key = "nxs_…"
    print(nexusai.text.generate("Say hello in Chinese.").text)

Everything here is loaded when it is first used: importing `nexusai` costs next to nothing.
"""

from __future__ import annotations

from nexusai.__version__ import __version__
from nexusai.config import config

TYPE_CHECKING = False  # importing `typing` would cost as much as all the rest
if TYPE_CHECKING:
    from typing import Any, List

    from nexusai import aio, error, models, types, webhooks
    from nexusai._internal._observing import RequestInfo, ResponseInfo
    from nexusai.aio.client import AsyncNexusAIClient
    from nexusai.cache import Cache
    from nexusai.client import NexusAIClient
    from nexusai.error import (
        APIError,
        APITimeoutError,
        AuthenticationError,
        ConflictError,
        InvalidRequestError,
        InvalidResponseError,
        NetworkError,
        NotFoundError,
        RateLimitError,
        ServerError,
        StreamError,
        StreamInterruptedError,
        TaskCancelledError,
        TaskFailedError,
        TaskTimeoutError,
        ValidationError,
    )
    from nexusai.resources import audio, embeddings, files, images, knowledge_bases, sessions, tasks, text

_HOMES = {
    "NexusAIClient": "nexusai.client",
    "AsyncNexusAIClient": "nexusai.aio.client",
    "Cache": "nexusai.cache",
    "RequestInfo": "nexusai._internal._observing",
    "ResponseInfo": "nexusai._internal._observing",
    "APIError": "nexusai.error",
    "APITimeoutError": "nexusai.error",
    "AuthenticationError": "nexusai.error",
    "ConflictError": "nexusai.error",
    "InvalidRequestError": "nexusai.error",
    "InvalidResponseError": "nexusai.error",
    "NetworkError": "nexusai.error",
    "NotFoundError": "nexusai.error",
    "RateLimitError": "nexusai.error",
    "ServerError": "nexusai.error",
    "StreamError": "nexusai.error",
    "StreamInterruptedError": "nexusai.error",
    "TaskCancelledError": "nexusai.error",
    "TaskFailedError": "nexusai.error",
    "TaskTimeoutError": "nexusai.error",
    "ValidationError": "nexusai.error",
}
_MODULES = {
    "aio": "nexusai.aio",
    "error": "nexusai.error",
    "models": "nexusai.models",
    "types": "nexusai.types",
    "audio": "nexusai.resources.audio",
    "embeddings": "nexusai.resources.embeddings",
    "files": "nexusai.resources.files",
    "knowledge_bases": "nexusai.resources.knowledge_bases",
    "sessions": "nexusai.resources.sessions",
    "webhooks": "nexusai.webhooks",
    "images": "nexusai.resources.images",
    "tasks": "nexusai.resources.tasks",
    "text": "nexusai.resources.text",
}

__all__ = [
    "APIError",
    "APITimeoutError",
    "AsyncNexusAIClient",
    "AuthenticationError",
    "Cache",
    "ConflictError",
    "InvalidRequestError",
    "InvalidResponseError",
    "NetworkError",
    "NexusAIClient",
    "NotFoundError",
    "RateLimitError",
    "RequestInfo",
    "ResponseInfo",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "TaskCancelledError",
    "TaskFailedError",
    "TaskTimeoutError",
    "ValidationError",
    "__version__",
    "aio",
    "audio",
    "config",
    "embeddings",
    "error",
    "files",
    "images",
    "knowledge_bases",
    "models",
    "sessions",
    "tasks",
    "text",
    "types",
    "webhooks",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(_MODULES[name])
    else:
        raise AttributeError(f"module 'nexusai' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
