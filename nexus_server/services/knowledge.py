"""Knowledge bases: documents taken in, and searched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.documents import Chunk, Document, Limits, chunk, parse
from nexus_server.errors import InvalidRequest, NotFound
from nexus_server.providers.base import OnProgress
from nexus_server.retrieval import Hit, Index
from nexus_server.services.embeddings import EmbeddingService
from nexus_server.services.file_types import kind_of
from nexus_server.services.files import FileService
from nexus_server.services.replays import Made, once
from nexus_server.services.tasks import Accepted, NewTask, TaskService
from nexus_server.services.work import Done
from nexus_server.store import knowledge as store
from nexus_server.store.clock import iso, now_ms
from nexus_server.store.database import Database
from nexus_server.store.files import FileRecord
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.knowledge import DocumentRecord, KnowledgeBaseRecord, Standing
from nexus_server.store.tasks import TaskRecord

_EMBEDDED_AT_ONCE = 16  # passages between two reports of progress
_PREVIEW = 200
_TOLD_TEXT = 100_000  # characters of a document that `document_processing` answers with


@dataclass(frozen=True)
class Found:
    """A passage that was found, and where."""

    hit: Hit
    kb_id: str
    filename: str


class KnowledgeService:
    """Owns knowledge bases: their rows, and the indexes of their passages."""

    def __init__(
        self,
        database: Database,
        tasks: TaskService,
        files: FileService,
        embeddings: EmbeddingService,
        directory: Path,
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._files = files
        self._embeddings = embeddings
        self._directory = directory
        self._indexes: dict[str, Index] = {}

    async def open(self) -> None:
        """Forget what a crash has left: indexes of no knowledge base, passages of no document."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with self._database.read() as connection:
            known = await store.base_ids(connection)
        for path in self._directory.glob("*.db"):
            index = self._index(path.stem)
            if path.stem not in known:
                await asyncio.to_thread(index.delete)
                continue
            async with self._database.read() as connection:
                completed = await store.completed_ids(connection, path.stem)
            for doc_id in set(await asyncio.to_thread(index.counts)) - completed:
                await asyncio.to_thread(index.remove, doc_id)

    async def create(
        self,
        api_key_id: str,
        *,
        name: str,
        description: str | None,
        embedding_model: str | None,
        chunk_size: int,
        chunk_overlap: int,
        key: IdempotencyKey | None,
    ) -> Made:
        """Make an empty knowledge base.

        Raises:
            InvalidRequest: there is no such model.
        """
        provider, model = self._embeddings.choose(embedding_model)
        moment = now_ms()
        record = KnowledgeBaseRecord(
            id=store.new_id("kb"),
            api_key_id=api_key_id,
            name=name,
            description=description,
            embedding_provider=provider,
            embedding_model=model,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            created_at=moment,
            updated_at=moment,
        )

        async def make(connection: AsyncConnection) -> dict[str, Any]:
            await store.insert_base(connection, record)
            return base_body(record, 0)

        return await once(self._database, key, make)

    async def get(self, api_key_id: str, kb_id: str) -> KnowledgeBaseRecord:
        """The caller's knowledge base.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        async with self._database.read() as connection:
            record = await store.get_base(connection, kb_id)
        if record is None or record.api_key_id != api_key_id:
            raise NotFound(f"There is no knowledge base {kb_id[:80]!r}.")
        return record

    async def totals(self, kb_id: str) -> tuple[int, int]:
        """How many documents and passages it has."""
        async with self._database.read() as connection:
            return await store.totals(connection, kb_id)

    async def list(self, api_key_id: str) -> Sequence[tuple[KnowledgeBaseRecord, int]]:
        """The caller's knowledge bases, newest first, and how many documents each has."""
        async with self._database.read() as connection:
            records = await store.bases(connection, api_key_id)
            return [(record, (await store.totals(connection, record.id))[0]) for record in records]

    async def delete(self, api_key_id: str, kb_id: str) -> None:
        """Delete a knowledge base with its documents; what is being taken in fails.

        Raises:
            NotFound: there is none.
        """
        await self.get(api_key_id, kb_id)
        async with self._database.write() as connection:
            await store.delete_base(connection, kb_id)
        index = self._index(kb_id)
        self._indexes.pop(kb_id, None)
        await asyncio.to_thread(index.delete)

    async def documents(self, api_key_id: str, kb_id: str) -> Sequence[Standing]:
        """The documents, and how each stands.

        Raises:
            NotFound: there is no such knowledge base.
        """
        await self.get(api_key_id, kb_id)
        async with self._database.read() as connection:
            return await store.standings(connection, kb_id)

    async def add_document(
        self, api_key_id: str, kb_id: str, file_id: str, key: IdempotencyKey | None
    ) -> tuple[Accepted, str]:
        """Take a file in, as a task; the task, and the document's id.

        Raises:
            NotFound: there is no such knowledge base or file.
            InvalidRequest: the file is no document.
        """
        base = await self.get(api_key_id, kb_id)
        file = await self._files.get(api_key_id, file_id)
        require_document(file)
        doc_id = store.new_id("doc")
        new = NewTask(
            api_key_id=api_key_id,
            task_type="document_processing",
            provider=base.embedding_provider,
            model=base.embedding_model,
            input={"file_id": file_id, "kb_id": kb_id, "doc_id": doc_id},
            config={},
        )

        async def write(connection: AsyncConnection, task: TaskRecord) -> None:
            await store.insert_document(connection, _document(doc_id, kb_id, file, task))

        accepted = await self._tasks.accept(new, key, also=write)
        return accepted, str(accepted.task.input["doc_id"])

    async def delete_document(self, api_key_id: str, kb_id: str, doc_id: str) -> None:
        """Take a document out.

        Raises:
            NotFound: there is no such document.
        """
        await self.get(api_key_id, kb_id)
        async with self._database.write() as connection:
            if not await store.delete_document(connection, kb_id, doc_id):
                raise NotFound("There is no document of this id.")
            await store.touch_base(connection, kb_id, now_ms())
        await asyncio.to_thread(self._index(kb_id).remove, doc_id)

    async def search(
        self, api_key_id: str, kb_ids: Sequence[str], query: str, *, top_k: int, threshold: float
    ) -> Sequence[Found]:
        """The passages of several knowledge bases that answer a query, the best first.

        Raises:
            NotFound: one of them is not there.
        """
        bases = [await self.get(api_key_id, kb_id) for kb_id in dict.fromkeys(kb_ids)]
        found: list[Found] = []
        for base in bases:
            made = await self._embeddings.create(
                [query], base.embedding_model, provider=base.embedding_provider, query=True
            )
            found.extend(await self._search_one(base, query, made.embeddings.vectors[0], top_k, threshold))
        return sorted(found, key=lambda each: -each.hit.score)[:top_k]

    async def _search_one(
        self, base: KnowledgeBaseRecord, query: str, vector: Any, top_k: int, threshold: float
    ) -> Sequence[Found]:
        async with self._database.read() as connection:
            standings = await store.standings(connection, base.id)
        names = {each.document.id: each.document.filename for each in standings if each.status == "completed"}
        # More than are wanted: passages of a document that is just coming or going are left out.
        hits = await asyncio.to_thread(
            self._index(base.id).search, query, vector, top_k=top_k + 20, threshold=threshold
        )
        return [Found(hit, base.id, names[hit.doc_id]) for hit in hits if hit.doc_id in names][:top_k]

    async def process(self, task: TaskRecord, on_progress: OnProgress) -> Done:
        """Read a document; and, where its task is to, take it into a knowledge base."""
        file, path = await self._files.path_of(task.api_key_id, task.input["file_id"])
        require_document(file)
        document = await parse(path, file.filename, Limits())
        on_progress(10)
        if "kb_id" not in task.input:
            return _read(document)
        async with self._database.read() as connection:
            base = await store.get_base(connection, task.input["kb_id"])
            record = await store.get_document(connection, task.input["doc_id"])
        if base is None or record is None:
            raise NotFound("The document was taken out while it was read.")
        chunks = await asyncio.to_thread(chunk, document, size=base.chunk_size, overlap=base.chunk_overlap)
        vectors = await self._embed(base, chunks, on_progress)
        await asyncio.to_thread(self._index(base.id).add, record.id, chunks, vectors)
        return self._taken_in(record, chunks)

    def _taken_in(self, record: DocumentRecord, chunks: Sequence[Chunk]) -> Done:
        """What is written when the document can be searched. What it replaces goes in the same moment."""
        replaced: list[str] = []

        async def write(connection: AsyncConnection) -> None:
            moment = now_ms()
            preview = chunks[0].text[:_PREVIEW] if chunks else ""
            kept = await store.complete_document(
                connection, record.id, chunk_count=len(chunks), preview=preview, moment=moment
            )
            if not kept:
                raise NotFound("The document was taken out while it was read.")
            replaced.extend(await store.earlier_ids(connection, record))
            for doc_id in replaced:
                await store.delete_document(connection, record.kb_id, doc_id)
            await store.touch_base(connection, record.kb_id, moment)

        def forget() -> None:
            for doc_id in replaced:
                self._index(record.kb_id).remove(doc_id)

        output = {"doc_id": record.id, "kb_id": record.kb_id, "chunk_count": len(chunks)}
        return Done(output, write, forget)

    async def _embed(
        self, base: KnowledgeBaseRecord, chunks: Sequence[Chunk], on_progress: OnProgress
    ) -> Any:
        parts = []
        for start in range(0, len(chunks), _EMBEDDED_AT_ONCE):
            texts = [each.text for each in chunks[start : start + _EMBEDDED_AT_ONCE]]
            made = await self._embeddings.create(
                texts, base.embedding_model, provider=base.embedding_provider
            )
            parts.append(made.embeddings.vectors)
            on_progress(10 + 89 * (start + len(texts)) / len(chunks))
        return np.concatenate(parts)

    def _index(self, kb_id: str) -> Index:
        if kb_id not in self._indexes:
            self._indexes[kb_id] = Index(self._directory / f"{kb_id}.db")
        return self._indexes[kb_id]


def require_document(record: FileRecord) -> None:
    """See that a file may be read.

    Raises:
        InvalidRequest: it is no document.
    """
    if kind_of(record.content_type) not in ("document", "text"):
        raise InvalidRequest(
            f"{record.filename} is {record.content_type}: expected a document, such as pdf, docx, md or txt."
        )


def base_body(record: KnowledgeBaseRecord, document_count: int) -> dict[str, Any]:
    """A knowledge base as the wire tells it."""
    return {
        "kb_id": record.id,
        "name": record.name,
        "description": record.description,
        "embedding_model": record.embedding_model,
        "chunk_size": record.chunk_size,
        "chunk_overlap": record.chunk_overlap,
        "document_count": document_count,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
    }


def _document(doc_id: str, kb_id: str, file: FileRecord, task: TaskRecord) -> DocumentRecord:
    return DocumentRecord(
        id=doc_id,
        kb_id=kb_id,
        file_id=file.id,
        task_id=task.id,
        filename=file.filename,
        file_type=Path(file.filename).suffix[1:].lower() or "txt",
        file_size=file.size,
        uploaded_at=task.created_at,
    )


def _read(document: Document) -> Done:
    text = document.text
    pages = [page.number for page in document.pages if page.number is not None]
    output: dict[str, Any] = {
        "text": text[:_TOLD_TEXT],
        "truncated": len(text) > _TOLD_TEXT,
        "file_type": document.file_type,
        "chunk_count": len(chunk(document, size=1000, overlap=200)),
    }
    return Done({**output, "page_count": max(pages)} if pages else output)
