"""Queries on knowledge bases and their documents. A document is in the state that its task is in."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.store.tables import documents, knowledge_bases, tasks


@dataclass(frozen=True)
class KnowledgeBaseRecord:
    """A row of `knowledge_bases`."""

    id: str
    api_key_id: str
    name: str
    description: str | None
    embedding_provider: str
    embedding_model: str
    chunk_size: int
    chunk_overlap: int
    created_at: int
    updated_at: int


@dataclass(frozen=True)
class DocumentRecord:
    """A row of `documents`."""

    id: str
    kb_id: str
    file_id: str
    task_id: str
    filename: str
    file_type: str
    file_size: int
    uploaded_at: int
    chunk_count: int = 0
    content_preview: str | None = None
    processed_at: int | None = None


@dataclass(frozen=True)
class Standing:
    """A document, and how its task stands."""

    document: DocumentRecord
    status: str
    error: str | None


def new_id(kind: str) -> str:
    """`kb_` or `doc_` and 32 hex digits; later ids sort after earlier ones."""
    return f"{kind}_{time.time_ns():016x}{secrets.token_hex(8)}"


async def insert_base(connection: AsyncConnection, record: KnowledgeBaseRecord) -> None:
    """Write a new knowledge base's row."""
    await connection.execute(knowledge_bases.insert().values(**asdict(record)))


async def get_base(connection: AsyncConnection, kb_id: str) -> KnowledgeBaseRecord | None:
    """One knowledge base, whoever owns it."""
    query = sa.select(knowledge_bases).where(knowledge_bases.c.id == kb_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return KnowledgeBaseRecord(**row) if row else None


async def bases(connection: AsyncConnection, api_key_id: str) -> list[KnowledgeBaseRecord]:
    """A caller's knowledge bases, newest first."""
    query = (
        sa.select(knowledge_bases)
        .where(knowledge_bases.c.api_key_id == api_key_id)
        .order_by(knowledge_bases.c.created_at.desc(), knowledge_bases.c.id.desc())
    )
    return [KnowledgeBaseRecord(**row) for row in (await connection.execute(query)).mappings()]


async def base_ids(connection: AsyncConnection) -> set[str]:
    """Every knowledge base there is."""
    return set((await connection.execute(sa.select(knowledge_bases.c.id))).scalars())


async def delete_base(connection: AsyncConnection, kb_id: str) -> bool:
    """Forget a knowledge base with its documents; False when it is not there."""
    gone = await connection.execute(knowledge_bases.delete().where(knowledge_bases.c.id == kb_id))
    return gone.rowcount == 1


async def insert_document(connection: AsyncConnection, record: DocumentRecord) -> None:
    """Write a new document's row."""
    await connection.execute(documents.insert().values(**asdict(record)))


async def standings(connection: AsyncConnection, kb_id: str) -> list[Standing]:
    """A knowledge base's documents with the states of their tasks, in the order of their coming."""
    query = (
        sa.select(documents, tasks.c.status.label("status"), tasks.c.error.label("error"))
        .join(tasks, tasks.c.id == documents.c.task_id)
        .where(documents.c.kb_id == kb_id)
        .order_by(documents.c.uploaded_at, documents.c.id)
    )
    return [_standing(dict(row)) for row in (await connection.execute(query)).mappings()]


async def completed_ids(connection: AsyncConnection, kb_id: str) -> set[str]:
    """The documents that can be searched."""
    query = sa.select(documents.c.id).where(documents.c.kb_id == kb_id, documents.c.processed_at.is_not(None))
    return set((await connection.execute(query)).scalars())


async def complete_document(
    connection: AsyncConnection, doc_id: str, *, chunk_count: int, preview: str, moment: int
) -> bool:
    """The document can be searched from now on; False when it is not there any more."""
    changed = await connection.execute(
        documents.update()
        .where(documents.c.id == doc_id)
        .values(chunk_count=chunk_count, content_preview=preview, processed_at=moment)
    )
    return changed.rowcount == 1


async def delete_document(connection: AsyncConnection, kb_id: str, doc_id: str) -> bool:
    """Forget a document; False when it is not there."""
    gone = await connection.execute(
        documents.delete().where(documents.c.kb_id == kb_id, documents.c.id == doc_id)
    )
    return gone.rowcount == 1


async def earlier_ids(connection: AsyncConnection, document: DocumentRecord) -> list[str]:
    """Other documents of the same file in the same knowledge base, that came before."""
    query = sa.select(documents.c.id).where(
        documents.c.kb_id == document.kb_id,
        documents.c.file_id == document.file_id,
        documents.c.id < document.id,
    )
    return list((await connection.execute(query)).scalars())


async def get_document(connection: AsyncConnection, doc_id: str) -> DocumentRecord | None:
    """One document."""
    query = sa.select(documents).where(documents.c.id == doc_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return DocumentRecord(**row) if row else None


async def touch_base(connection: AsyncConnection, kb_id: str, moment: int) -> None:
    """The knowledge base has changed."""
    await connection.execute(
        knowledge_bases.update().where(knowledge_bases.c.id == kb_id).values(updated_at=moment)
    )


async def totals(connection: AsyncConnection, kb_id: str) -> tuple[int, int]:
    """How many documents and passages a knowledge base has."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(documents.c.chunk_count), 0)).where(
        documents.c.kb_id == kb_id
    )
    count, chunks = (await connection.execute(query)).one()
    return count, chunks


def _standing(row: dict[str, object]) -> Standing:
    status, error = row.pop("status"), row.pop("error")
    told = {"running": "processing", "cancelled": "failed"}.get(str(status), str(status))
    message = error.get("message") if isinstance(error, dict) else None
    if status == "cancelled":
        message = "The processing was cancelled."
    return Standing(DocumentRecord(**row), told, message)  # type: ignore[arg-type]
