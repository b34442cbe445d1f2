"""Text → passages that respect its sentences, paragraphs and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nexus_server.documents.reading import Document

_WIDE = re.compile(r"[\u2e80-\uffef]")
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)

CHINESE_SHARE = 0.4
"""A Chinese character says about as much as 2.5 letters: passages of Chinese are so much shorter, for
what a passage's vector can hold is meaning and not characters."""


@dataclass(frozen=True)
class Chunk:
    """A passage. `page` is the one that it begins on."""

    text: str
    index: int
    page: int | None = None


def chunk(document: Document, *, size: int, overlap: int) -> list[Chunk]:
    """Cut a document into passages of at most `size` characters, `overlap` of them from the one before.

    Sizes are for text in letters; Chinese is cut at `CHINESE_SHARE` of them. A sentence is cut only if
    it is longer than a passage, a word never.

    Raises:
        ValueError: `overlap` is not less than `size`.
    """
    if not 0 <= overlap < size:
        raise ValueError("overlap: expected less than size")
    passages = (
        (text, page.number) for page in document.pages for text in _cut(page.text, size=size, overlap=overlap)
    )
    return [Chunk(text, index, page) for index, (text, page) in enumerate(passages)]


def _cut(text: str, *, size: int, overlap: int) -> Iterator[str]:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    share = _share(text)
    capacity = max(20, int(size * share))
    shared = min(int(overlap * share), capacity - 1)
    splitter = MarkdownSplitter if _HEADING.search(text) else TextSplitter
    for passage in splitter(capacity, overlap=shared).chunks(text):
        if passage.strip():
            yield passage.strip()


def _share(text: str) -> float:
    """Between 1 for letters and `CHINESE_SHARE` for Chinese."""
    visible = len(text) - text.count(" ") or 1
    wide = len(_WIDE.findall(text)) / visible
    return 1 - wide * (1 - CHINESE_SHARE)
