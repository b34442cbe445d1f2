"""Files → text. It runs in a process of its own: see `parsing`."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from nexus_server.errors import InvalidRequest

_LARGEST_UNPACKED = 400 * 1024 * 1024  # a DOCX is a zip archive, and may be a bomb


@dataclass(frozen=True)
class Page:
    """A page's text; `number` counts from 1, and is None for what has no pages."""

    text: str
    number: int | None = None


@dataclass(frozen=True)
class Document:
    """What is written in a file, and of which type that is: pdf, docx, md, html, csv, json, txt."""

    file_type: str
    pages: tuple[Page, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n\n".join(page.text for page in self.pages)


def read(path: Path, filename: str) -> Document:
    """What is written in a file, by the type that its name tells.

    Raises:
        InvalidRequest: it cannot be read, or nothing is written in it.
    """
    extension = PurePath(filename).suffix[1:].lower() or "txt"
    reader = _READERS.get(extension)
    if reader is None:
        raise InvalidRequest(f"Documents of the type .{extension} are not read: {', '.join(_READERS)} are.")
    pages = tuple(page for page in reader(path) if page.text.strip())
    if not pages:
        raise InvalidRequest(f"{filename} holds no text that could be read.")
    return Document(extension, pages)


def _pdf(path: Path) -> Iterator[Page]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise InvalidRequest("The PDF is encrypted: save it without a password.") from error
        raise InvalidRequest("The PDF is damaged: it cannot be opened.") from error
    found = False
    for number in range(len(document)):
        text = document[number].get_textpage().get_text_bounded()
        found = found or bool(text.strip())
        yield Page(_joined_lines(text.replace("\r\n", "\n").replace("\ufffe", "")), number + 1)
    if not found:
        raise InvalidRequest("The PDF holds pictures of text, which are not read: run OCR on it first.")


def _joined_lines(text: str) -> str:
    """Lines that only the width of the page has broken become whole again."""
    text = re.sub(r"(?<=[\u3400-\u9fff，、；：])\n(?=[\u3400-\u9fff])", "", text)
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)
    return re.sub(r"(?<=[^\n.!?。！？：:])\n(?=[a-z(])", " ", text)


def _docx(path: Path) -> Iterator[Page]:
    import docx
    from docx.table import Table

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST_UNPACKED:
                raise InvalidRequest("The DOCX unpacks to more than 400 MB: it is not read.")
        document = docx.Document(str(path))
    except InvalidRequest:
        raise
    except Exception as error:  # the library raises whatever its parts do
        raise InvalidRequest("The DOCX is damaged: it cannot be opened.") from error
    blocks = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            blocks.append(_table([[cell.text for cell in row.cells] for row in block.rows]))
        else:
            blocks.append(_paragraph(block.text, block.style.name if block.style else ""))
    yield Page("\n\n".join(block for block in blocks if block.strip()))


def _paragraph(text: str, style: str | None) -> str:
    level = re.fullmatch(r"(?:Heading|标题) ?(\d)", style or "")
    return f"{'#' * int(level[1])} {text}" if level and text.strip() else text


def _table(rows: list[list[str]]) -> str:
    """A row says by itself what it is about: `header: value; header: value`."""
    if len(rows) < 2:
        return "\n".join("; ".join(row) for row in rows)
    head, *body = rows
    return "\n".join(
        "; ".join(
            f"{name}: {value}" if name.strip() else value for name, value in zip(head, row, strict=False)
        )
        for row in body
    )


def _doc(path: Path) -> Iterator[Page]:
    raise InvalidRequest("Old Word files (.doc) are not read: save it as .docx or .pdf.")


def _text(path: Path) -> Iterator[Page]:
    yield Page(decode(path.read_bytes()))


def _html(path: Path) -> Iterator[Page]:
    from selectolax.lexbor import LexborHTMLParser

    raw = path.read_bytes()
    declared = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]+)", raw[:4096], re.IGNORECASE)
    tree = LexborHTMLParser(decode(raw, declared[1].decode("ascii") if declared else None))
    for junk in tree.css("script, style, noscript, template, svg, nav, iframe"):
        junk.decompose()
    for table in tree.css("table"):
        rows = [[cell.text(strip=True) for cell in row.css("th, td")] for row in table.css("tr")]
        table.replace_with(f"\n{_table([row for row in rows if row])}\n")
    for level in range(1, 7):
        for heading in tree.css(f"h{level}"):
            heading.replace_with(f"\n\n{'#' * level} {heading.text(strip=True)}\n\n")
    for line in tree.css("p, div, li, br, tr, section, article, blockquote, pre"):
        line.insert_before("\n")
    body = tree.body
    text = body.text() if body is not None else ""
    yield Page(re.sub(r"\n\s*\n+", "\n\n", re.sub(r"[ \t]+", " ", text)).strip())


def _csv(path: Path) -> Iterator[Page]:
    text = decode(path.read_bytes())
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(10_000_000)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InvalidRequest(f"The CSV cannot be read: {error}.") from error
    yield Page(_table(rows))


def _json(path: Path) -> Iterator[Page]:
    try:
        value = json.loads(decode(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The file is named .json, but is no JSON.") from error
    yield Page(json.dumps(value, ensure_ascii=False, indent=1))


_READERS: dict[str, Callable[[Path], Iterator[Page]]] = {
    "pdf": _pdf,
    "docx": _docx,
    "doc": _doc,
    "md": _text,
    "txt": _text,
    "html": _html,
    "csv": _csv,
    "json": _json,
}

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(raw: bytes, declared: str | None = None) -> str:
    """Text in whatever encoding it is: by its mark, as UTF-8, as declared, or else by its looks."""
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    for likely in ("utf-8", *([declared] if declared else [])):
        try:
            return raw.decode(likely)
        except (UnicodeDecodeError, LookupError):
            continue
    if (text := _asian(raw)) is not None:
        return text
    from charset_normalizer import from_bytes

    best = from_bytes(raw, cp_isolation=["euc_kr", "cp1251", "cp1252", "latin_1"], threshold=0.9).best()
    return str(best) if best is not None else raw.decode("latin-1")


def _asian(raw: bytes) -> str | None:
    """Text as Chinese or Japanese, if nearly all its characters are everyday ones in that encoding.

    Both Chinese encodings keep their everyday characters in rows of their own, so that even a few
    words decide it: GB 2312 in the lead bytes B0–D7, Big5 in A4–C6.
    """
    found: list[tuple[float, str]] = []
    for encoding, first, last in (("gb18030", 0xB0, 0xD7), ("big5", 0xA4, 0xC6)):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        leads = [each.encode(encoding)[0] for each in text if "\u4e00" <= each <= "\u9fff"]
        if leads:
            found.append((sum(first <= lead <= last for lead in leads) / len(leads), text))
    try:
        text = raw.decode("shift_jis")
        kana = sum("\u3040" <= each <= "\u30ff" for each in text)
        found.append((0.9 if kana > 0.3 * sum(each > "\u2e80" for each in text) > 0 else 0.0, text))
    except UnicodeDecodeError:
        pass
    share, text = max(found, key=lambda each: each[0], default=(0.0, ""))  # of equals, the first
    return text if share > 0.8 else None
