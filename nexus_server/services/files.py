"""Files: uploads, and what tasks have made."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import NotFound
from nexus_server.services.replays import Made, once
from nexus_server.store import files as store
from nexus_server.store.blobs import BlobStore, Staged
from nexus_server.store.clock import now_ms
from nexus_server.store.database import Database
from nexus_server.store.files import FileRecord
from nexus_server.store.idempotency import IdempotencyKey


class FileService:
    """Keeps files: their rows in the database, their bytes in a directory."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._blobs = BlobStore(directory)

    async def open(self) -> None:
        """Get ready, and forget bytes that no row knows: a crash came between the two."""
        await asyncio.to_thread(self._blobs.open)
        ids = await asyncio.to_thread(self._blobs.ids)
        for start in range(0, len(ids), 500):  # SQLite limits the parameters of a query
            part = ids[start : start + 500]
            async with self._database.read() as connection:
                known = await store.known_ids(connection, part)
            for orphan in set(part) - known:
                self._blobs.delete(orphan)

    def stage(self) -> Staging:
        """A new file, to be written and then kept."""
        return Staging(self._blobs, store.new_file_id())

    async def add(
        self,
        record: FileRecord,
        key: IdempotencyKey | None,
        told: Callable[[FileRecord], dict[str, Any]],
    ) -> Made:
        """Keep an upload that was staged; `told` is how a record is answered.

        Raises:
            Conflict: the idempotency key was used for another file.
        """

        async def make(connection: AsyncConnection) -> dict[str, Any]:
            await asyncio.to_thread(self._blobs.keep, record.id)
            await store.insert(connection, record)
            return told(record)

        return await once(self._database, key, make)

    async def keep_output(self, connection: AsyncConnection, record: FileRecord) -> None:
        """Keep what a task has made, in the transaction that ends it."""
        await asyncio.to_thread(self._blobs.keep, record.id)
        await store.insert(connection, record)

    async def get(self, api_key_id: str, file_id: str) -> FileRecord:
        """The caller's file.

        Raises:
            NotFound: there is none, or it is somebody else's.
        """
        async with self._database.read() as connection:
            record = await store.get(connection, file_id)
        if record is None or record.api_key_id != api_key_id:
            raise NotFound("There is no file of this id.")
        return record

    async def list(self, api_key_id: str, *, limit: int, skip: int) -> tuple[list[FileRecord], int]:
        """A page of the caller's uploads, newest first, and their number."""
        async with self._database.read() as connection:
            return await store.uploads(connection, api_key_id, limit=limit, skip=skip)

    async def delete(self, api_key_id: str, file_id: str) -> None:
        """Delete the caller's file. Who is reading it reads on to its end.

        Raises:
            NotFound: there is none.
        """
        await self.get(api_key_id, file_id)
        async with self._database.write() as connection:
            if not await store.delete(connection, file_id):
                raise NotFound("There is no file of this id.")
        self._blobs.delete(file_id)

    async def path_of(self, api_key_id: str, file_id: str) -> tuple[FileRecord, Path]:
        """The caller's file, and where its bytes are.

        Raises:
            NotFound: there is none.
        """
        record = await self.get(api_key_id, file_id)
        path = self._blobs.path(file_id)
        if not path.is_file():
            raise NotFound("There is no file of this id.")
        return record, path


class Staging:
    """A file before it is kept."""

    def __init__(self, blobs: BlobStore, file_id: str) -> None:
        self.file_id = file_id
        self.path = blobs.staging_path(file_id)
        self._blobs = blobs

    @contextmanager
    def writing(self) -> Iterator[Staged]:
        """Write it here; it is gone after this context, unless it was kept within."""
        with self._blobs.stage(self.file_id) as staged:
            yield staged

    def create(self) -> BinaryIO:
        """A new file at `path`, for who keeps its own counsel about when it is discarded."""
        return os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def discard(self) -> None:
        """Forget what was written; harmless after it was kept."""
        self.path.unlink(missing_ok=True)


def content_url(file_id: str) -> str:
    """Where the bytes of a file are asked for, below the platform's own address."""
    return f"/api/v1/files/{file_id}/content"


def file_id_of(url: str) -> str:
    """The file that a `content_url` leads to."""
    return url.split("/")[-2]


def output_record(
    staging: Staging, *, api_key_id: str, task_id: str, filename: str, content_type: str
) -> FileRecord:
    """The row of a file that a task has written to `staging.path`."""
    with staging.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    return FileRecord(staging.file_id, api_key_id, filename, content_type, size, sha256, now_ms(), task_id)
