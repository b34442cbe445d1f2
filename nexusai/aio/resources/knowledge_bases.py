"""Knowledge bases: documents that can be searched by meaning, and asked."""

from __future__ import annotations

from typing import Any, AsyncIterator, Final, List, Optional, Sequence, Tuple, Union

from nexusai._internal import _bodies, _prompts
from nexusai._internal._runtime import Outcome, async_each
from nexusai._internal._sources import FileSource
from nexusai.aio._internal._default import default_internal_client
from nexusai.aio._internal._poller import OnProgress
from nexusai.aio._internal._resource import AsyncResource
from nexusai.aio._internal._streaming import AsyncTextStream
from nexusai.aio.resources.files import AsyncFilesResource
from nexusai.aio.resources.tasks import AsyncTaskHandle
from nexusai.aio.resources.text import AsyncTextResource
from nexusai.models import (
    Answer,
    Deletion,
    Document,
    DocumentOutput,
    KnowledgeBase,
    Page,
    SearchResponse,
    SearchResult,
    Task,
    TextResponse,
)
from nexusai.types import JSONObject

Ids = Union[str, Sequence[str]]
DocumentTask = AsyncTaskHandle[DocumentOutput]


class AsyncAnswerStream:
    """An answer while it is written. `sources` and `found` are known from the beginning."""

    def __init__(self, question: str, sources: List[SearchResult], stream: Optional[AsyncTextStream]) -> None:
        self.sources = sources
        self.found: bool = stream is not None
        self._nothing = _prompts.not_found(question)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[str]:
        """The pieces of the text, as they come."""
        if self._stream is None:
            yield self._nothing
            return
        async for text in self._stream.text_deltas:
            yield text

    @property
    def answer(self) -> Answer:
        """The whole answer, once it has been read.

        Raises:
            StreamError: its end has not come.
        """
        if self._stream is None:
            return Answer(text=self._nothing, found=False)
        response = self._stream.response
        answer = Answer(text=response.text, sources=self.sources, usage=response.usage)
        answer._request_id = response.request_id
        return answer

    async def aclose(self) -> None:
        """Stop reading; the platform stops writing."""
        if self._stream is not None:
            await self._stream.aclose()


class AsyncKnowledgeBasesResource(AsyncResource):
    """`client.knowledge_bases`."""

    async def create(
        self,
        name: str,
        description: Optional[str] = None,
        *,
        embedding_model: Optional[str] = None,
        chunk_size: Optional[int] = None,
        chunk_overlap: Optional[int] = None,
        **more: Any,
    ) -> KnowledgeBase:
        """Make an empty knowledge base.

        Passages have `chunk_size` characters (1000), of which `chunk_overlap` (200) repeat the one
        before.

        Raises:
            InvalidRequestError: there is no such model, or the numbers do not fit.
        """
        body = _bodies.given(
            name=name,
            description=description,
            embedding_model=embedding_model,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            **more,
        )
        return await self._client.fetch(KnowledgeBase, "POST", "/knowledge-bases", body)

    async def get(self, kb_id: str) -> KnowledgeBase:
        """A knowledge base, with its numbers of documents and passages.

        Raises:
            NotFoundError: this key has no such knowledge base.
        """
        return await self._client.fetch(KnowledgeBase, "GET", _bodies.path("knowledge-bases", kb_id))

    async def list(self) -> Page[KnowledgeBase]:
        """All knowledge bases."""
        return await self._client.fetch_page("knowledge_bases", KnowledgeBase, "/knowledge-bases", {})

    async def delete(self, kb_id: str) -> Deletion:
        """Delete a knowledge base with its documents. The files stay.

        Raises:
            NotFoundError: this key has no such knowledge base.
        """
        return await self._client.fetch(Deletion, "DELETE", _bodies.path("knowledge-bases", kb_id))

    async def upload_document(
        self,
        kb_id: str,
        file: FileSource,
        filename: Optional[str] = None,
        *,
        wait: bool = False,
        on_progress: Optional[OnProgress] = None,
    ) -> DocumentTask:
        """Upload a file (see `files.upload`) and add it: see `add_document`."""
        deadline = self._client.deadline()
        uploaded = await AsyncFilesResource(self._source)._upload(file, filename, deadline=deadline)
        return await self._add(kb_id, uploaded.file_id, deadline, wait=wait, on_progress=on_progress)

    async def upload_documents(
        self,
        kb_id: str,
        files: Sequence[FileSource],
        *,
        concurrency: int = 4,
        wait: bool = False,
    ) -> List[DocumentTask]:
        """Upload several files, `concurrency` at a time, and add them; the tasks in the files' order.

        Raises:
            ValueError: `concurrency` is less than 1.
            APIError, OSError: of the first file that could not be added. Those that were, stay.
        """
        if concurrency < 1:
            raise ValueError("concurrency: expected at least 1")
        outcomes: List[Optional[Outcome[DocumentTask]]] = [None] * len(files)

        async def add(file: FileSource) -> DocumentTask:
            return await self.upload_document(kb_id, file, wait=wait)

        def settle(index: int, outcome: Outcome[DocumentTask]) -> None:
            outcomes[index] = outcome

        await async_each(add, files, concurrency, settle)
        return [outcome.value() for outcome in outcomes if outcome is not None]

    async def add_document(
        self,
        kb_id: str,
        file_id: str,
        *,
        wait: bool = False,
        on_progress: Optional[OnProgress] = None,
    ) -> DocumentTask:
        """Add an uploaded file. It can be searched when the task has completed.

        With `wait` or `on_progress` this returns then; without, at once, and the task's `wait()`
        does. `on_progress(task)` is called whenever the task's progress (0 to 100) has changed.

        Raises:
            NotFoundError: there is no such knowledge base or file.
            TaskFailedError: the document cannot be read; only where it is waited for.
        """
        deadline = self._client.deadline()
        return await self._add(kb_id, file_id, deadline, wait=wait, on_progress=on_progress)

    async def _add(
        self, kb_id: str, file_id: str, deadline: float, *, wait: bool, on_progress: Optional[OnProgress]
    ) -> DocumentTask:
        path = _bodies.path("knowledge-bases", kb_id, "documents")
        task = await self._client.fetch(Task, "POST", path, {"file_id": file_id}, deadline=deadline)
        handle = AsyncTaskHandle.of(task, self._client, DocumentOutput)
        if wait or on_progress is not None:
            await handle._result(None, on_progress, deadline)
        return handle

    async def list_documents(self, kb_id: str) -> Page[Document]:
        """The documents of a knowledge base, and how the processing of each stands.

        Raises:
            NotFoundError: this key has no such knowledge base.
        """
        path = _bodies.path("knowledge-bases", kb_id, "documents")
        return await self._client.fetch_page("documents", Document, path, {})

    async def delete_document(self, kb_id: str, doc_id: str) -> Deletion:
        """Take a document out of a knowledge base. Its file stays.

        Raises:
            NotFoundError: there is no such document.
        """
        path = _bodies.path("knowledge-bases", kb_id, "documents", doc_id)
        return await self._client.fetch(Deletion, "DELETE", path)

    async def search(
        self,
        query: str,
        knowledge_base_ids: Ids,
        top_k: int = 5,
        similarity_threshold: float = 0.7,
    ) -> SearchResponse:
        """The passages that answer a query best: at most `top_k`, of at least that similarity (0–1).

        Raises:
            NotFoundError: there is no such knowledge base.
        """
        limits = (top_k, similarity_threshold)
        return await self._found(query, knowledge_base_ids, limits, self._client.deadline())

    async def _found(
        self, query: str, kb_ids: Ids, limits: Tuple[int, float], deadline: float
    ) -> SearchResponse:
        body = {
            "query": query,
            "knowledge_base_ids": _ids(kb_ids),
            "top_k": limits[0],
            "similarity_threshold": limits[1],
        }
        path = "/knowledge-bases/search"
        return await self._client.fetch(SearchResponse, "POST", path, body, deadline=deadline)

    async def ask(
        self,
        question: str,
        knowledge_base_ids: Ids,
        *,
        top_k: int = 5,
        similarity_threshold: float = 0.7,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        **config: Any,
    ) -> Answer:
        """Answer a question from documents, in its language.

            answer = client.knowledge_bases.ask("多久能收到退款？", kb.kb_id)
            print(answer.text, answer.sources[0].metadata["filename"])

        Where nothing passes the threshold no model is asked, as it would make something up: then
        `found` is False.

        Raises:
            NotFoundError: there is no such knowledge base.
        """
        limits = (top_k, similarity_threshold)
        options = {"provider": provider, "model": model, **_bodies.model_options(config)}
        telemetry = self._client.telemetry
        if telemetry is None:
            return await self._asked(question, knowledge_base_ids, limits, options)
        with telemetry.workflow("knowledge_bases.ask"):
            return await self._asked(question, knowledge_base_ids, limits, options)

    async def _asked(
        self, question: str, kb_ids: Ids, limits: Tuple[int, float], options: JSONObject
    ) -> Answer:
        deadline = self._client.deadline()  # of both calls together
        found = await self._found(question, kb_ids, limits, deadline)
        if not found.results:
            return Answer(text=_prompts.not_found(question), found=False)
        fallbacks = options.pop("fallbacks", None)
        body = _question_body(question, found.results, options)
        response = await self._run(body, TextResponse, fallbacks=fallbacks, deadline=deadline)
        answer = Answer(text=response.text, sources=found.results, usage=response.usage)
        answer._request_id = response.request_id
        return answer

    async def ask_stream(
        self,
        question: str,
        knowledge_base_ids: Ids,
        *,
        top_k: int = 5,
        similarity_threshold: float = 0.7,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        **config: Any,
    ) -> AsyncAnswerStream:
        """The same, to be read while it is written; `sources` are there at once.

        Raises:
            NotFoundError: there is no such knowledge base.
        """
        options = {"provider": provider, "model": model, **_bodies.model_options(config)}
        deadline = self._client.deadline()  # of the search and the stream together
        found = await self._found(question, knowledge_base_ids, (top_k, similarity_threshold), deadline)
        if not found.results:
            return AsyncAnswerStream(question, [], None)
        fallbacks = options.pop("fallbacks", None)
        body = _question_body(question, found.results, options, stream=True)
        stream = AsyncTextResource(self._source)._streamed(body, fallbacks, deadline)
        return AsyncAnswerStream(question, found.results, stream)


def _ids(given: Ids) -> Any:
    return [given] if isinstance(given, str) else [*given]


def _question_body(
    question: str, found: Sequence[SearchResult], options: JSONObject, *, stream: bool = False
) -> JSONObject:
    """Asks a model, which is to keep to what was found."""
    messages = _prompts.question_messages(question, found)
    provider, model = options.pop("provider"), options.pop("model")
    steady = {"temperature": 0.0, **options}
    return _bodies.text_body(None, messages, provider, model, steady, stream=stream)


_default = AsyncKnowledgeBasesResource(default_internal_client)
create: Final = _default.create
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.knowledge_bases.list`
delete: Final = _default.delete
upload_document: Final = _default.upload_document
upload_documents: Final = _default.upload_documents
add_document: Final = _default.add_document
list_documents: Final = _default.list_documents
delete_document: Final = _default.delete_document
search: Final = _default.search
ask: Final = _default.ask
ask_stream: Final = _default.ask_stream
