"""Embeddings: texts as vectors whose nearness is nearness of meaning."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Final, Iterable, Iterator, List, Optional, Sequence, Union

from nexusai._internal import _bodies
from nexusai._internal._runtime import Outcome, async_each
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._resource import AsyncResource
from nexusai.models import Embedding, EmbeddingModel, EmbeddingsHealth, EmbeddingsResponse, Page, Usage
from nexusai.types import Fallbacks, JSONObject

OnCount = Callable[[int], Any]
"""Told how many texts are done."""


class AsyncEmbeddingsResource(AsyncResource):
    """`client.embeddings`."""

    async def create(
        self,
        input: Union[str, Sequence[str]],
        model: Optional[str] = None,
        *,
        dimensions: Optional[int] = None,
        fallbacks: Optional[Fallbacks] = None,
        **more: Any,
    ) -> EmbeddingsResponse:
        """Embed a text, or a few.

            answer = client.embeddings.create(["tea", "茶", "a bicycle"])
            print(len(answer.vectors), answer.to_numpy().shape)

        The vectors travel as base64 where the platform can do that. For any number of texts see
        `create_batch`. `fallbacks`, such as `[{"model": …}]`, are asked where the one before cannot
        answer: what different models make cannot be compared, and `answer.route` tells whose it is.

        Raises:
            ValueError: there is no text.
            InvalidRequestError: there is no such model, or it cannot make so many dimensions.
        """
        body = _bodies.embeddings_body(input, model, dimensions, more)
        if not fallbacks:
            return await self._client.fetch(EmbeddingsResponse, "POST", "/embeddings", body)
        from nexusai._internal._choices import Choices, Limits
        from nexusai.aio._internal._fallbacks import async_first_answer

        async def embed(body: JSONObject, limits: Limits) -> EmbeddingsResponse:
            client, within = self._client, limits._asdict()
            return await client.fetch(EmbeddingsResponse, "POST", "/embeddings", body, **within)

        choices = Choices(body, fallbacks, ["model"])
        answer: EmbeddingsResponse = await async_first_answer(self._client, choices, embed)
        return answer

    async def create_batch(
        self,
        texts: Iterable[str],
        model: Optional[str] = None,
        *,
        batch_size: int = 100,
        concurrency: int = 4,
        on_progress: Optional[OnCount] = None,
        **more: Any,
    ) -> EmbeddingsResponse:
        """Embed any number of texts: an iterable is read as it is needed, the order is kept.

        `batch_size` texts go in one request, `concurrency` requests at a time. `on_progress(count)`
        is told how many texts are done.

        Raises:
            ValueError: a text is empty, or a number is less than 1.
            APIError: a request failed; the others are not sent any more.
        """
        if batch_size < 1 or concurrency < 1:
            raise ValueError("batch_size, concurrency: expected at least 1")
        if isinstance(texts, str):
            raise ValueError("texts: expected several; `create` takes one")
        if "fallbacks" in more:
            raise ValueError("fallbacks: what different models make cannot be compared, so one makes it all")
        answers: Dict[int, EmbeddingsResponse] = {}
        done = 0

        async def embed(part: List[str]) -> EmbeddingsResponse:
            return await self.create(part, model, **more)

        def settle(index: int, outcome: Outcome[EmbeddingsResponse]) -> None:
            nonlocal done
            answers[index] = outcome.value()
            done += len(answers[index].data)
            if on_progress is not None:
                on_progress(done)

        await async_each(embed, _parts(texts, batch_size), concurrency, settle)
        return _joined([answers[index] for index in sorted(answers)])

    async def list_models(self) -> Page[EmbeddingModel]:
        """The models that make vectors."""
        return await self._client.fetch_page("data", EmbeddingModel, "/embeddings/models", {})

    async def health_check(self) -> EmbeddingsHealth:
        """How the platform's embeddings are."""
        return await self._client.fetch(EmbeddingsHealth, "GET", "/embeddings/health")


def _parts(texts: Iterable[str], size: int) -> Iterator[List[str]]:
    iterator = iter(texts)
    while True:
        part = [*islice(iterator, size)]
        if not part:
            return
        yield part


def _joined(answers: Sequence[EmbeddingsResponse]) -> EmbeddingsResponse:
    rows = [row.embedding for answer in answers for row in answer.data]
    joined = EmbeddingsResponse(
        data=[Embedding(embedding=vector, index=index) for index, vector in enumerate(rows)],
        model=answers[0].model if answers else None,
    )
    usages = [answer.usage for answer in answers if answer.usage is not None]
    joined.usage = Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        total_tokens=sum(usage.total_tokens for usage in usages),
    )
    joined._request_id = answers[-1].request_id if answers else None
    joined._from_cache = bool(answers) and all(answer.from_cache for answer in answers)
    return joined


_default = AsyncEmbeddingsResource(default_internal_client)
create: Final = _default.create
create_batch: Final = _default.create_batch
list_models: Final = _default.list_models
health_check: Final = _default.health_check
