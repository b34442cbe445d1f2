"""Which files are taken: decided by their name and by what is in them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import PurePath

import filetype

from nexus_server.errors import InvalidRequest, UnsupportedMediaType

PROBE_BYTES = 8192
"""How much of the beginning of a file is looked at."""


@dataclass(frozen=True)
class FileType:
    """A type of file: its kind and its MIME type. `magic` are MIME types its content may look like."""

    kind: str
    content_type: str
    magic: tuple[str, ...] = ()


_MP4 = ("video/mp4", "video/x-m4v", "video/quicktime", "audio/mp4", "video/3gpp")
_ASF = ("video/x-ms-wmv", "video/x-ms-asf", "audio/x-ms-wma")
_OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

FILE_TYPES = {
    "mp3": FileType("audio", "audio/mpeg", ("audio/mpeg",)),
    "wav": FileType("audio", "audio/wav", ("audio/x-wav", "audio/wav")),
    "m4a": FileType("audio", "audio/mp4", _MP4),
    "flac": FileType("audio", "audio/flac", ("audio/x-flac", "audio/flac")),
    "aac": FileType("audio", "audio/aac", ("audio/aac", *_MP4)),
    "ogg": FileType("audio", "audio/ogg", ("audio/ogg", "video/ogg", "application/ogg")),
    "wma": FileType("audio", "audio/x-ms-wma", _ASF),
    "jpg": FileType("image", "image/jpeg", ("image/jpeg",)),
    "jpeg": FileType("image", "image/jpeg", ("image/jpeg",)),
    "png": FileType("image", "image/png", ("image/png", "image/apng")),
    "gif": FileType("image", "image/gif", ("image/gif",)),
    "webp": FileType("image", "image/webp", ("image/webp",)),
    "bmp": FileType("image", "image/bmp", ("image/bmp",)),
    "mp4": FileType("video", "video/mp4", _MP4),
    "avi": FileType("video", "video/x-msvideo", ("video/x-msvideo",)),
    "mov": FileType("video", "video/quicktime", _MP4),
    "webm": FileType("video", "video/webm", ("video/webm",)),  # what browsers record
    "mkv": FileType("video", "video/x-matroska", ("video/x-matroska", "video/webm")),
    "flv": FileType("video", "video/x-flv", ("video/x-flv",)),
    "wmv": FileType("video", "video/x-ms-wmv", _ASF),
    "pdf": FileType("document", "application/pdf", ("application/pdf",)),
    "docx": FileType("document", _OFFICE, (_OFFICE, "application/zip")),
    "doc": FileType("document", "application/msword", ("application/msword",)),
    "txt": FileType("text", "text/plain"),
    "md": FileType("text", "text/markdown"),
    "html": FileType("text", "text/html"),
    "csv": FileType("text", "text/csv"),
    "json": FileType("text", "application/json"),
}
"""The contract's types and WebM, by the ends of their names."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what every `.doc` begins with


def recognise(filename: str, beginning: bytes) -> FileType:
    """The type of a file, of which the first `PROBE_BYTES` are known.

    Raises:
        InvalidRequest: it is empty.
        UnsupportedMediaType: it is of no type that is taken, or its content is not what its name says.
    """
    if not beginning:
        raise InvalidRequest("The file is empty.")
    extension = PurePath(filename).suffix[1:].lower()
    if not extension:
        return _by_content(beginning)
    known = FILE_TYPES.get(extension)
    if known is None:
        raise UnsupportedMediaType(f"Files of the type .{extension[:20]} are not taken: {_taken()}.")
    if not _looks_like(known, extension, beginning):
        raise UnsupportedMediaType(f"The file is named .{extension}, but its content is something else.")
    return known


def kind_of(content_type: str) -> str | None:
    """`audio`, `image`, `video`, `document` or `text`; None for what was never taken."""
    for known in FILE_TYPES.values():
        if known.content_type == content_type:
            return known.kind
    return None


def _by_content(beginning: bytes) -> FileType:
    guess = filetype.guess_mime(beginning)
    for known in FILE_TYPES.values():
        if guess in known.magic:
            return known
    if guess is None and _is_text(beginning):
        return FILE_TYPES["txt"]
    raise UnsupportedMediaType(f"The content is of no type that is taken: {_taken()}.")


def _looks_like(known: FileType, extension: str, beginning: bytes) -> bool:
    if known.kind == "text":
        return _is_text(beginning)
    if extension == "doc" and beginning.startswith(_OLE):
        return True
    guess = filetype.guess_mime(beginning)
    if guess is None:  # recordings may begin with anything; what is wrong, the decoder says
        return known.kind in ("audio", "video") and not _is_text(beginning)
    return guess in known.magic


def _is_text(beginning: bytes) -> bool:
    """Whether this may be text in some encoding: UTF-16 says so itself, the others hold no NUL."""
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return b"\0" not in beginning and filetype.guess_mime(beginning) is None


def _taken() -> str:
    return "these are " + ", ".join(FILE_TYPES)
