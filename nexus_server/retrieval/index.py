"""The passages of one knowledge base, in a file of their own: searched by meaning and by words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nexus_server.documents.chunking import Chunk
from nexus_server.retrieval.scoring import score, share_of, weight
from nexus_server.retrieval.words import is_cjk, query_words, words

_SCHEMA = """
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL, number INTEGER NOT NULL, page INTEGER,
    content TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS passages_doc_id ON passages (doc_id);
CREATE VIRTUAL TABLE IF NOT EXISTS passage_words USING fts5(
    words, tokenize='ascii', detail=column
);
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(passage_words, row);
"""

_CANDIDATES = 40
"""Passages that each of the two ways proposes; the score is computed for these."""

_MOST_POSTINGS = 20_000
"""Passages that a search by words may rank: it takes the query's rarest words that have so many in
all. What a word tells that half of a large knowledge base has, is not worth the time."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """A passage that was found. `score` is from 0 to 1."""

    chunk_id: str
    doc_id: str
    content: str
    score: float
    index: int
    page: int | None


class Index:
    """Thread-safe. Vectors are kept in memory from the first search on: 1.5 kB for a passage."""

    def __init__(self, path: Path) -> None:
        """Makes the file, if there is none."""
        self._path = path
        self._lock = threading.RLock()
        self._ids: NDArray[np.int64] | None = None
        self._vectors: Vectors = np.zeros((0, 0), np.float32)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._writing() as connection:
            connection.executescript(_SCHEMA)

    def add(self, doc_id: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Put in a document, in place of what was there of it; all of it or nothing."""
        with self._lock, self._writing() as connection:
            gone = self._delete(connection, doc_id)
            first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM passages").fetchone()[0]
            ids = range(first, first + len(chunks))
            rows = (
                (row, doc_id, each.index, each.page, each.text, vector.astype("<f2").tobytes())
                for row, each, vector in zip(ids, chunks, vectors, strict=True)
            )
            connection.executemany("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany(
                "INSERT INTO passage_words (rowid, words) VALUES (?, ?)",
                ((row, " ".join(words(each.text))) for row, each in zip(ids, chunks, strict=True)),
            )
            connection.commit()
            self._note(gone, np.array(ids, np.int64), vectors)

    def remove(self, doc_id: str) -> int:
        """Take a document out; the number of passages that it had."""
        with self._lock, self._writing() as connection:
            gone = self._delete(connection, doc_id)
            connection.commit()
            self._note(gone, np.zeros(0, np.int64), self._vectors[:0])
            return len(gone)

    def counts(self) -> dict[str, int]:
        """How many passages each document has."""
        with self._reading() as connection:
            rows = connection.execute("SELECT doc_id, count(*) FROM passages GROUP BY doc_id")
            return dict(rows.fetchall())

    def search(self, query: str, vector: Vectors, *, top_k: int, threshold: float) -> list[Hit]:
        """The best passages, of at least this score."""
        with self._reading() as connection:
            ids, vectors = self._load(connection)
            if not len(ids):
                return []
            wanted = query_words(query)
            having = self._having(connection, wanted)
            weights = {word: weight(len(ids), having.get(word, 0)) for word in wanted}
            nearest = _nearest(vectors @ vector, _CANDIDATES)
            candidates = set(ids[nearest].tolist()) | set(self._worded(connection, having))
            found = self._fetch(connection, sorted(candidates))
        hits = [_hit(row, vector, wanted, weights) for row in found]
        good = sorted((hit for hit in hits if hit.score >= threshold), key=lambda hit: -hit.score)
        return good[:top_k]

    def delete(self) -> None:
        """Remove the files."""
        with self._lock:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _delete(self, connection: sqlite3.Connection, doc_id: str) -> list[int]:
        ids = [row for (row,) in connection.execute("SELECT id FROM passages WHERE doc_id = ?", (doc_id,))]
        connection.executemany("DELETE FROM passage_words WHERE rowid = ?", ((row,) for row in ids))
        connection.execute("DELETE FROM passages WHERE doc_id = ?", (doc_id,))
        return ids

    def _note(self, gone: list[int], new: NDArray[np.int64], vectors: Vectors) -> None:
        """Bring what is in memory up to date."""
        if self._ids is None:
            return
        kept = ~np.isin(self._ids, gone)
        ids = np.concatenate([self._ids[kept], new])
        parts = [part for part in (self._vectors[kept], vectors) if len(part)]
        self._vectors = np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
        self._ids = ids

    def _load(self, connection: sqlite3.Connection) -> tuple[NDArray[np.int64], Vectors]:
        with self._lock:
            if self._ids is None:
                rows = connection.execute("SELECT id, vector FROM passages ORDER BY id").fetchall()
                self._ids = np.array([row for row, _ in rows], np.int64)
                raw = b"".join(vector for _, vector in rows)
                width = len(raw) // 2 // max(1, len(rows))
                self._vectors = np.frombuffer(raw, "<f2").reshape(len(rows), width).astype(np.float32)
            return self._ids, self._vectors

    def _having(self, connection: sqlite3.Connection, wanted: list[str]) -> dict[str, int]:
        """How many passages have each of the words; those that none has are left out."""
        marks = ",".join("?" * len(wanted))
        rows = connection.execute(f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})", wanted)  # noqa: S608
        return dict(rows.fetchall())

    def _worded(self, connection: sqlite3.Connection, having: dict[str, int]) -> list[int]:
        """The passages that BM25 prefers."""
        chosen, postings = [], 0
        for word in sorted(having, key=having.__getitem__):
            postings += having[word]
            if postings > _MOST_POSTINGS:
                break
            chosen.append(word)
        if not chosen:
            return []
        match = " OR ".join('"' + word.replace('"', "") + '"' for word in chosen)
        rows = connection.execute(
            "SELECT rowid FROM passage_words WHERE passage_words MATCH ? ORDER BY rank LIMIT ?",
            (match, _CANDIDATES),
        )
        return [row for (row,) in rows]

    def _fetch(self, connection: sqlite3.Connection, ids: list[int]) -> list[tuple[object, ...]]:
        marks = ",".join("?" * len(ids))
        query = f"SELECT doc_id, number, page, content, vector FROM passages WHERE id IN ({marks})"  # noqa: S608
        return connection.execute(query, ids).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            yield connection


def _hit(row: tuple[object, ...], vector: Vectors, wanted: list[str], weights: dict[str, float]) -> Hit:
    doc_id, number, page, content, raw = row
    assert isinstance(content, str)  # noqa: S101 - by the schema, like the others
    assert isinstance(raw, bytes)  # noqa: S101
    cosine = float(np.frombuffer(raw, "<f2").astype(np.float32) @ vector)
    share = share_of(wanted, weights, set(words(content)))
    same_script = is_cjk(" ".join(wanted)) == is_cjk(content)
    name = str(doc_id).removeprefix("doc_")
    return Hit(
        chunk_id=f"chunk_{name}_{number}",
        doc_id=str(doc_id),
        content=content,
        score=round(score(cosine, share, same_script=same_script), 4),
        index=int(str(number)),
        page=None if page is None else int(str(page)),
    )


def _nearest(cosines: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    if len(cosines) <= count:
        return np.arange(len(cosines))
    return np.argpartition(cosines, -count)[-count:]
