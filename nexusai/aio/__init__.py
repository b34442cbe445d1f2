"""The same SDK, awaited.

    import asyncio
    from nexusai.aio import AsyncNexusAIClient

    async def main():
        async with AsyncNexusAIClient(api_key="nxs_…") as client:
            print((await client.text.generate("Say hello in Chinese.")).text)

    asyncio.run(main())

This package is the source: the sync modules of `nexusai` are generated from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexusai.aio.client import AsyncNexusAIClient
    from nexusai.aio.resources import (
        audio,
        embeddings,
        files,
        images,
        knowledge_bases,
        models,
        sessions,
        tasks,
        text,
    )

__all__ = [
    "AsyncNexusAIClient",
    "audio",
    "embeddings",
    "files",
    "images",
    "knowledge_bases",
    "models",
    "sessions",
    "tasks",
    "text",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncNexusAIClient":
        value = import_module("nexusai.aio.client").AsyncNexusAIClient
    elif name in __all__:
        value = import_module(f"nexusai.aio.resources.{name}")
    else:
        raise AttributeError(f"module 'nexusai.aio' has no attribute {name!r}")
    globals()[name] = value
    return value
