"""Uploads: a multipart body, written to disk as it comes in."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from nexus_server.errors import InvalidRequest, PayloadTooLarge
from nexus_server.services.file_types import PROBE_BYTES
from nexus_server.store.blobs import Staged

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# A damaged form is its sender's concern: they are told, and our log is not filled.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

_LONGEST_NAME = 255
_FORM_BYTES = 1024 * 1024  # everything of the form that is not the file: boundaries, headers, other fields


class Upload:
    """The field `file` of a form, and the texts of its other fields."""

    def __init__(self, staged: Staged, *, limit: int) -> None:
        self.filename = ""
        self.beginning = b""
        """The first bytes, by which the type can be told."""
        self.fields: dict[str, str] = {}
        """The other fields; of several of one name the last."""
        self._staged = staged
        self._limit = limit
        self._header = (b"", b"")
        self._headers: dict[str, str] = {}
        self._is_file = False
        self._name = ""
        self._text = b""
        self._form_size = 0
        self._complete = False
        self._seen = False

    async def read(self, request: Request) -> None:
        """Take the whole body in, in blocks.

        Raises:
            InvalidRequest: it is no form, holds no file, or more than one; or it breaks off.
            PayloadTooLarge: the file is larger than the limit.
        """
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidRequest("Expected a form (multipart/form-data) with a field `file`.")
        self._check_declared(request)
        parser = MultipartParser(options[b"boundary"], self._callbacks())
        try:
            async for block in _blocks(request):
                parser.write(block)
            parser.finalize()
        except FormParserError as error:
            raise InvalidRequest("The form cannot be read: it is damaged.") from error
        if not self._complete:
            raise InvalidRequest("The form holds no whole field `file`.")

    def _check_declared(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limit + _FORM_BYTES:
            raise self._too_large()

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._headers = {}
        self._is_file = False
        self._name = ""
        self._text = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")
        self._header = (b"", b"")

    def _headers_finished(self) -> None:
        disposition = self._headers.get("content-disposition", "")
        _, options = parse_options_header(disposition.encode())
        self._is_file = options.get(b"name") == b"file" and b"filename" in options
        if self._is_file and self._seen:
            raise InvalidRequest("The form holds more than one field `file`: upload them one by one.")
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._is_file:
            self._seen = True
            self.filename = clean_name(_name_of(disposition, options))

    def _data(self, data: bytes, start: int, end: int) -> None:
        block = data[start:end]
        if not self._is_file:
            self._count(len(block))
            self._text += block
            return
        if len(self.beginning) < PROBE_BYTES:
            self.beginning = (self.beginning + block)[:PROBE_BYTES]
        if self._staged.size + len(block) > self._limit:
            raise self._too_large()
        self._staged.write(block)

    def _count(self, size: int) -> None:
        """See that what is kept in memory stays small, also of a form whose length nobody has told."""
        self._form_size += size
        if self._form_size > _FORM_BYTES:
            raise InvalidRequest(f"The form holds more than {_FORM_BYTES} bytes beside its file.")

    def _end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._text.decode("utf-8", "replace")
        self._complete = self._complete or self._is_file

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The file is larger than {self._limit} bytes.", extra={"limit": self._limit})


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    async for block in request.stream():
        if block:
            yield block


def _name_of(disposition: str, options: dict[bytes, bytes]) -> str:
    """The file's name: RFC 5987's form of it before the plain one, percent escapes of browsers undone."""
    if extended := re.search(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", disposition, re.IGNORECASE):
        return unquote(extended[1])
    plain = options[b"filename"].decode("utf-8", "replace")
    return plain.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")


def clean_name(name: str) -> str:
    """A file's own name: without folders and control characters, and of a bounded length."""
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    name = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Cf"} else c for c in name).strip()
    stem, dot, extension = name.rpartition(".")
    if dot and len(name) > _LONGEST_NAME:
        return f"{stem[: _LONGEST_NAME - len(extension) - 1]}.{extension}"[-_LONGEST_NAME:]
    return name[:_LONGEST_NAME] or "file"
