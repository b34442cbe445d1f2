"""Text generation: from a task to a provider's request, and from its chunks to an output."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from nexus_server.providers.base import TextChunk, TextProvider, TextRequest, Usage
from nexus_server.providers.registry import ProviderRegistry
from nexus_server.services.work import Done
from nexus_server.store.tasks import TaskRecord

Emit = Callable[[str], Awaitable[None]]


async def generate_text(registry: ProviderRegistry, task: TaskRecord, emit: Emit | None = None) -> Done:
    """Generate what a task asks for."""
    request = TextRequest(task.model, _messages_of(task.input), task.config)
    return Done(await generate(registry.get(task.provider, TextProvider), request, emit))


async def generate(provider: TextProvider, request: TextRequest, emit: Emit | None = None) -> dict[str, Any]:
    """The contract's output of a text generation, its pieces given to `emit` as they come.

    Interrupting this closes the provider's iterator, and so stops the generation.
    """
    iterator = provider.stream_text(request)
    texts: list[str] = []
    finish_reason: str | None = None
    usage: Usage | None = None
    # Providers are generators: the port says that closing the iterator stops the generation.
    async with aclosing(cast("AsyncGenerator[TextChunk, None]", iterator)) as chunks:
        async for chunk in chunks:
            finish_reason = chunk.finish_reason or finish_reason
            usage = chunk.usage or usage
            if text := _whole(chunk.text):
                texts.append(text)
                if emit is not None:
                    await emit(text)
    return {
        "text": "".join(texts),
        "usage": (usage or Usage(0, 0)).as_dict(),
        "model": request.model,
        "finish_reason": finish_reason,
    }


def _whole(text: str) -> str:
    """The text with halves of surrogate pairs, which no UTF-8 can carry, replaced."""
    return text.encode("utf-8", "replace").decode()


def _messages_of(task_input: dict[str, Any]) -> list[dict[str, Any]]:
    if "prompt" in task_input:
        return [{"role": "user", "content": task_input["prompt"]}]
    return list(task_input["messages"])
