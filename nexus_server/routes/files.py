"""`/files`: upload once, use the id everywhere."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import FileResponse, Response

from nexus_server.auth import CallerDep
from nexus_server.routes.dependencies import IdempotencyKeyDep, PlatformDep
from nexus_server.routes.responses import LAST_PAGE, answer, made_answer
from nexus_server.routes.schemas import DeletedFile, FileBody, FilePage, UploadedFile
from nexus_server.routes.uploads import Upload
from nexus_server.services.file_types import recognise
from nexus_server.services.platform import Platform
from nexus_server.services.replays import Made
from nexus_server.store.clock import iso, now_ms
from nexus_server.store.files import FileRecord
from nexus_server.store.idempotency import IdempotencyKey

router = APIRouter(tags=["files"])

_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    },
}


@router.post(
    "/files",
    status_code=201,
    responses={201: {"model": UploadedFile}},
    openapi_extra={"requestBody": _FORM},
)
async def upload_file(
    request: Request, platform: PlatformDep, caller: CallerDep, idempotency_key: IdempotencyKeyDep
) -> Response:
    """Keep a file."""
    made, _ = await take_upload(request, platform, caller.api_key_id, idempotency_key)
    return made_answer(made, 201)


async def take_upload(
    request: Request, platform: Platform, api_key_id: str, key: str | None
) -> tuple[Made, dict[str, str]]:
    """Read the form into a file, check it, and keep it; the form's other fields come with it."""
    staging = platform.files.stage()
    with staging.writing() as staged:
        upload = Upload(staged, limit=platform.settings.max_file_bytes)
        await upload.read(request)
        kind = recognise(upload.filename, upload.beginning)
        await asyncio.to_thread(staged.flush)
        record = FileRecord(
            id=staging.file_id,
            api_key_id=api_key_id,
            filename=upload.filename,
            content_type=kind.content_type,
            size=staged.size,
            sha256=staged.sha256,
            created_at=now_ms(),
        )
        fingerprint = hashlib.sha256(f"{record.sha256} {record.filename}".encode()).hexdigest()
        remembered = IdempotencyKey(api_key_id, "POST /files", key, fingerprint) if key else None
        return await platform.files.add(record, remembered, _uploaded), upload.fields


@router.get("/files", responses={200: {"model": FilePage}})
async def list_files(
    platform: PlatformDep,
    caller: CallerDep,
    page: Annotated[int, Query(ge=1, le=LAST_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The caller's uploads, newest first."""
    records, total = await platform.files.list(caller.api_key_id, limit=per_page, skip=(page - 1) * per_page)
    listing = [file_body(record) for record in records]
    pages = -(-total // per_page)
    return answer({"files": listing, "total": total, "page": page, "per_page": per_page, "pages": pages})


@router.get("/files/{file_id}", responses={200: {"model": FileBody}})
async def get_file(file_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """What is known of a file."""
    return answer(file_body(await platform.files.get(caller.api_key_id, file_id)))


@router.delete("/files/{file_id}", responses={200: {"model": DeletedFile}})
async def delete_file(file_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """Delete a file."""
    await platform.files.delete(caller.api_key_id, file_id)
    return answer({"message": "The file was deleted.", "deleted_count": 1})


@router.get(
    "/files/{file_id}/content",
    response_class=FileResponse,
    responses={200: {"content": {"*/*": {}}}, 206: {"description": "A range of it"}},
)
async def get_content(file_id: str, platform: PlatformDep, caller: CallerDep) -> Response:
    """The bytes of a file; `Range` and `If-Range` are honoured. The ETag is the SHA-256."""
    record, path = await platform.files.path_of(caller.api_key_id, file_id)
    headers = {
        "ETag": f'"{record.sha256}"',
        "Cache-Control": "private, no-transform",
        # Nothing that was uploaded ever runs in a browser under the platform's address.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    return FileResponse(path, headers=headers, media_type=record.content_type, filename=record.filename)


def file_body(record: FileRecord) -> dict[str, Any]:
    """A file as the wire tells it."""
    return {
        "file_id": record.id,
        "filename": record.filename,
        "content_type": record.content_type,
        "mime_type": record.content_type,
        "size": record.size,
        "created_at": iso(record.created_at),
    }


def _uploaded(record: FileRecord) -> dict[str, Any]:
    return {**file_body(record), "message": "The file was uploaded."}
