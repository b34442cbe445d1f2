"""`/knowledge-bases`: documents that can be searched by meaning."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, model_validator
from starlette.responses import Response

from nexus_server.auth import CallerDep
from nexus_server.routes.dependencies import IdempotencyKeyDep, PlatformDep
from nexus_server.routes.files import take_upload
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.outcomes import accepted_answer, replayed
from nexus_server.routes.responses import answer, made_answer
from nexus_server.routes.schemas import InvokeAccepted
from nexus_server.services.knowledge import Found, base_body
from nexus_server.services.platform import Platform
from nexus_server.store.clock import iso
from nexus_server.store.idempotency import IdempotencyKey
from nexus_server.store.knowledge import Standing

router = APIRouter(tags=["knowledge bases"])


class KnowledgeBaseBody(BaseModel):
    """The body of `POST /knowledge-bases`. Sizes are in characters of text in letters."""

    name: str = Field(min_length=1, max_length=500)
    description: str | None = Field(default=None, max_length=10_000)
    embedding_model: str | None = Field(default=None, max_length=255)
    chunk_size: int = Field(default=1000, ge=50, le=8000)
    chunk_overlap: int = Field(default=200, ge=0)

    @model_validator(mode="after")
    def _overlap_is_less(self) -> KnowledgeBaseBody:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError("`chunk_overlap` must be less than `chunk_size`")
        return self


class DocumentBody(BaseModel):
    """The body of an uploaded file's addition."""

    file_id: str = Field(min_length=1, max_length=255)


class SearchBody(BaseModel):
    """The body of a search."""

    query: str = Field(min_length=1, max_length=10_000)
    knowledge_base_ids: list[str] = Field(min_length=1, max_length=100)
    top_k: int = Field(default=5, ge=1, le=100)
    similarity_threshold: float = Field(default=0.7, ge=0, le=1)


class KnowledgeBaseRow(BaseModel):
    """A knowledge base, as a listing tells it. Older clients want the sizes there, too."""

    kb_id: str
    name: str
    description: str | None
    embedding_model: str
    chunk_size: int
    chunk_overlap: int
    document_count: int
    created_at: str
    updated_at: str


class KnowledgeBaseAnswer(KnowledgeBaseRow):
    """A knowledge base."""

    total_chunks: int | None = None


class DocumentAnswer(BaseModel):
    """A document, and how its processing stands."""

    doc_id: str
    kb_id: str
    filename: str
    file_type: str
    file_size: int
    processing_status: Literal["queued", "processing", "completed", "failed"]
    chunk_count: int
    uploaded_at: str
    processed_at: str | None = None
    content_preview: str | None = None
    error: str | None = None


class DocumentAccepted(InvokeAccepted):
    """A document that is being taken in."""

    doc_id: str


class Passage(BaseModel):
    """A passage that was found. The score says how likely it answers the query, from 0 to 1."""

    chunk_id: str
    doc_id: str
    kb_id: str
    content: str
    similarity_score: float
    metadata: dict[str, Any]


class SearchAnswer(BaseModel):
    """What was found, the best first."""

    query: str
    results: list[Passage]
    total_results: int


class Gone(BaseModel):
    """That something was deleted."""

    message: str


_FORM_OR_JSON = {
    "required": True,
    "content": {
        "application/json": {"schema": DocumentBody.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}


@router.post("/knowledge-bases", status_code=201, responses={201: {"model": KnowledgeBaseAnswer}})
async def create_base(
    body: KnowledgeBaseBody, platform: PlatformDep, caller: CallerDep, idempotency_key: IdempotencyKeyDep
) -> Response:
    """Make an empty knowledge base."""
    told = fingerprint(body)
    made = await platform.knowledge.create(
        caller.api_key_id,
        **body.model_dump(),
        key=_key(caller.api_key_id, "POST /knowledge-bases", idempotency_key, told),
    )
    return made_answer(made, 201)


@router.get("/knowledge-bases", responses={200: {"model": list[KnowledgeBaseRow]}})
async def list_bases(platform: PlatformDep, caller: CallerDep) -> Response:
    """The caller's knowledge bases, newest first."""
    found = await platform.knowledge.list(caller.api_key_id)
    return answer([base_body(record, count) for record, count in found])


@router.post("/knowledge-bases/search", responses={200: {"model": SearchAnswer}})
async def search(body: SearchBody, platform: PlatformDep, caller: CallerDep) -> Response:
    """The passages that answer a query, from one or several knowledge bases."""
    fingerprint(body)  # sees that the query can be written down
    found = await platform.knowledge.search(
        caller.api_key_id,
        body.knowledge_base_ids,
        body.query,
        top_k=body.top_k,
        threshold=body.similarity_threshold,
    )
    rows = [_passage(each) for each in found]
    return answer({"query": body.query, "results": rows, "total_results": len(rows)})


@router.get("/knowledge-bases/{kb_id}", responses={200: {"model": KnowledgeBaseAnswer}})
async def get_base(kb_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """A knowledge base."""
    record = await platform.knowledge.get(caller.api_key_id, kb_id)
    documents, chunks = await platform.knowledge.totals(kb_id)
    return answer({**base_body(record, documents), "total_chunks": chunks})


@router.delete("/knowledge-bases/{kb_id}", responses={200: {"model": Gone}})
async def delete_base(kb_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """Delete a knowledge base with its documents; the files stay."""
    await platform.knowledge.delete(caller.api_key_id, kb_id)
    return answer({"message": "The knowledge base was deleted."})


@router.post(
    "/knowledge-bases/{kb_id}/documents",
    status_code=202,
    responses={202: {"model": DocumentAccepted}},
    openapi_extra={"requestBody": _FORM_OR_JSON},
)
async def add_document(
    kb_id: str,
    request: Request,
    platform: PlatformDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKeyDep,
) -> Response:
    """Take a document in: an uploaded file, or one that is sent along."""
    await platform.knowledge.get(caller.api_key_id, kb_id)
    file_id = await _file_of(request, platform, caller.api_key_id, idempotency_key)
    key = _key(caller.api_key_id, f"POST /knowledge-bases/{kb_id}/documents", idempotency_key, file_id)
    accepted, doc_id = await platform.knowledge.add_document(caller.api_key_id, kb_id, file_id, key)
    return accepted_answer(accepted.task, replayed(accepted), doc_id=doc_id)


@router.get("/knowledge-bases/{kb_id}/documents", responses={200: {"model": list[DocumentAnswer]}})
async def list_documents(kb_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """The documents of a knowledge base, and how the processing of each stands."""
    return answer([_document(each) for each in await platform.knowledge.documents(caller.api_key_id, kb_id)])


@router.delete("/knowledge-bases/{kb_id}/documents/{doc_id}", responses={200: {"model": Gone}})
async def delete_document(kb_id: str, doc_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """Take a document out; its file stays."""
    await platform.knowledge.delete_document(caller.api_key_id, kb_id, doc_id)
    return answer({"message": "The document was deleted."})


async def _file_of(request: Request, platform: Platform, api_key_id: str, key: str | None) -> str:
    """The file that a request names, or brings along."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        made, _ = await take_upload(request, platform, api_key_id, key)
        return str(made.body["file_id"])
    try:
        return DocumentBody.model_validate_json(await request.body()).file_id
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from error


def _passage(found: Found) -> dict[str, Any]:
    hit = found.hit
    metadata: dict[str, Any] = {"filename": found.filename, "chunk_index": hit.index}
    if hit.page is not None:
        metadata["page"] = hit.page
    return {
        "chunk_id": hit.chunk_id,
        "doc_id": hit.doc_id,
        "kb_id": found.kb_id,
        "content": hit.content,
        "similarity_score": hit.score,
        "metadata": metadata,
    }


def _document(standing: Standing) -> dict[str, Any]:
    record = standing.document
    body = {
        "doc_id": record.id,
        "kb_id": record.kb_id,
        "filename": record.filename,
        "file_type": record.file_type,
        "file_size": record.file_size,
        "processing_status": standing.status,
        "chunk_count": record.chunk_count,
        "uploaded_at": iso(record.uploaded_at),
        "processed_at": iso(record.processed_at) if record.processed_at else None,
        "content_preview": record.content_preview,
        "error": standing.error,
    }
    return {name: told for name, told in body.items() if told is not None}


def _key(api_key_id: str, route: str, key: str | None, told: str) -> IdempotencyKey | None:
    return IdempotencyKey(api_key_id, route, key, told) if key else None
