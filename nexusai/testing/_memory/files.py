"""`/files`."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote

from nexusai.testing._calls import Call, Upload
from nexusai.testing._memory.outputs import extension
from nexusai.testing._memory.replies import RefusalError, content_reply, json_reply, page
from nexusai.testing._memory.store import Store
from nexusai.testing._wire import Reply
from nexusai.types import JSONObject

_FILE_TYPES = re.compile(
    "mp3|wav|m4a|flac|aac|ogg|wma|jpg|jpeg|png|gif|webp|bmp|mp4|avi|mov|webm|mkv|flv|wmv"
    "|pdf|txt|md|docx|doc|html|csv|json"
)


class Files:
    """What was uploaded, and what was made."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def upload(self, call: Call, _: Any) -> Reply:
        upload = _uploaded(call)
        body = self.take(upload)
        return json_reply(201, {**body, "message": "The file was uploaded."})

    def take(self, upload: Upload) -> JSONObject:
        if not _FILE_TYPES.fullmatch(extension(upload.filename)):
            raise RefusalError(415, f"Files like {upload.filename!r} are not taken: see the API document.")
        return self._store.keep(upload)

    def get(self, call: Call, _: Any, file_id: str) -> Reply:
        return json_reply(200, self._store.file(file_id)[0])

    def list(self, call: Call, _: Any) -> Reply:
        return page(call, "files", [body for body, _ in self._store.files.values()])

    def delete(self, call: Call, _: Any, file_id: str) -> Reply:
        self._store.file(file_id)
        del self._store.files[file_id]
        return json_reply(200, {"message": "The file was deleted.", "deleted_count": 1})

    def content(self, call: Call, _: Any, file_id: str) -> Reply:
        body, content = self._store.file(file_id)
        headers = {
            "content-type": body["content_type"],
            "content-disposition": f"attachment; filename*=utf-8''{quote(body['filename'])}",
            "etag": f'"{hashlib.sha256(content).hexdigest()}"',
        }
        wanted = re.fullmatch(r"bytes=(\d+)-", call.headers.get("range", ""))
        if wanted is None:
            return content_reply(200, content, headers)
        start = int(wanted[1])
        headers["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return content_reply(206, content[start:], headers)


def _uploaded(call: Call) -> Upload:
    upload = call.upload
    if upload is None:
        raise RefusalError(422, "file: Field required")
    return upload
