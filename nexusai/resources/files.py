# Generated from nexusai/aio/resources/files.py by scripts/unasync.py: edit that file.

"""Files: upload once, use the id everywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Iterator, Optional, Union, overload

from nexusai._internal import _bodies
from nexusai._internal._default import default_internal_client
from nexusai._internal._download import Download
from nexusai._internal._resource import Resource
from nexusai._internal._sources import FileSource, source_of
from nexusai._internal._upload import OnBytes, Upload
from nexusai.models import Deletion, File, Page


class FilesResource(Resource):
    """`client.files`."""

    def upload(
        self,
        file: FileSource,
        filename: Optional[str] = None,
        *,
        content_type: Optional[str] = None,
        on_progress: Optional[OnBytes] = None,
    ) -> File:
        """Upload a file: a path, bytes, a binary file object, or `(name, bytes or file object)`.

            file = client.files.upload("报告.pdf")
            print(file.file_id)

        It is sent block by block, so that its size does not matter to memory, and read again for
        another attempt; what cannot be read again, such as a pipe, is sent once. `timeout` bounds
        each silence, not the whole. The MIME type is guessed from the name. `on_progress(sent, total)`
        is told bytes; `total` is None where it is not known.

        Raises:
            FileNotFoundError, IsADirectoryError: the path leads to no file.
            TypeError: it is nothing that can be uploaded, such as a file opened in text mode.
            ValueError: `content_type` cannot stand in a header.
            InvalidRequestError: the platform does not take files of this type (415) or size (413).
        """
        return self._upload(file, filename, content_type, on_progress)

    def _upload(
        self,
        file: FileSource,
        filename: Optional[str] = None,
        content_type: Optional[str] = None,
        on_progress: Optional[OnBytes] = None,
        deadline: Optional[float] = None,
    ) -> File:
        upload = Upload(source_of(file, filename), content_type, on_progress)
        return self._client.upload("/files", upload, File, deadline)

    def get(self, file_id: str) -> File:
        """What is known of a file.

        Raises:
            NotFoundError: this key has no such file.
        """
        return self._client.fetch(File, "GET", _bodies.path("files", file_id))

    def list(self, page: int = 1, per_page: int = 20) -> Page[File]:
        """A page of files, the newest first."""
        params = {"page": page, "per_page": per_page}
        return self._client.fetch_page("files", File, "/files", params)

    def iter(self, per_page: int = 100) -> Iterator[File]:
        """All files, the newest first, page by page."""
        for file in self._all(lambda number: self.list(number, per_page), per_page):
            yield file

    def delete(self, file_id: str) -> Deletion:
        """Delete a file.

        Raises:
            NotFoundError: this key has no such file.
        """
        return self._client.fetch(Deletion, "DELETE", _bodies.path("files", file_id))

    @overload
    def download(
        self, file_id: str, path: None = None, *, on_progress: Optional[OnBytes] = None
    ) -> Download: ...

    @overload
    def download(
        self, file_id: str, path: Union[str, os.PathLike[str]], *, on_progress: Optional[OnBytes] = None
    ) -> Path: ...

    def download(
        self,
        file_id: str,
        path: Union[str, os.PathLike[str], None] = None,
        *,
        on_progress: Optional[OnBytes] = None,
    ) -> Union[Download, Path]:
        """Download a file to `path`, and return where it is; or without one, its bytes as they come.

            client.files.download(file_id, "copy.pdf")
            client.files.download(file_id).read()

        A file is written whole and verified, or not at all; a directory gets it under its own name.
        What breaks off is taken up again from there. `on_progress(received, total)` is told bytes.

        Raises:
            NotFoundError: this key has no such file.
            NetworkError, APITimeoutError: it broke off, and could not be taken up again.
            InvalidResponseError: these are not the bytes that the platform has.
        """
        download = self._client.download(_bodies.path("files", file_id, "content"))
        if path is None:
            return download
        return download.save(path, on_progress=on_progress)


_default = FilesResource(default_internal_client)
upload: Final = _default.upload
get: Final = _default.get
list: Final = _default.list  # noqa: A001 - `nexusai.files.list`
iter: Final = _default.iter  # noqa: A001 - `nexusai.files.iter`
delete: Final = _default.delete
download: Final = _default.download
