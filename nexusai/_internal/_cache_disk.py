"""Where a cache keeps its bytes on disk: in a file that several processes may share.

SQLite comes with Python, outlives crashes, arbitrates between processes, and reads nothing but bytes.
diskcache reads pickles (CVE-2025-69872, never mended) and had its last release in 2023; hishel 2 and
py-key-value need Python 3.10, and the latter's disk is diskcache; cachelib reads pickles, and counts
entries where bytes are to be bounded.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import contextmanager
from threading import Lock
from typing import Callable, Iterator, List, Optional, Tuple

from nexusai._internal._runtime import renewed_in_children

FILE = "nexusai-answers-1.sqlite3"
_BUSY_TIMEOUT = 0.5
"""Seconds to wait for another process: an answer that is not kept is better than a call that waits."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    stored REAL NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_age ON answers (stored, size);
"""

_of_other_processes: List[sqlite3.Connection] = []
"""After a fork a connection must be neither used nor closed."""


class DiskStore:
    """Keeps bytes in a file; the oldest make room. Only its own user can read it.

    All methods raise OSError where the disk or the file cannot be used.
    """

    def __init__(
        self, directory: str, max_bytes: int, lifetime: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = os.path.join(directory, FILE)
        self._max_bytes = max_bytes
        self._lifetime = lifetime
        self._clock = clock
        self._renew()
        renewed_in_children(self)
        self._connection: Optional[sqlite3.Connection] = None
        self._process = 0

    def _renew(self) -> None:
        """This is a new process: nobody in it holds the lock."""
        self._lock = Lock()

    def get(self, key: str) -> Optional[bytes]:
        """What was put there, while it lives. What was damaged since is not there."""
        with self._opened() as database:
            row = database.execute(
                "SELECT stored, digest, value FROM answers WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        stored, digest, value = row
        sound = isinstance(stored, float) and isinstance(value, bytes) and digest == _digest(key, value)
        # A clock that was set back must not let anything live for years.
        return value if sound and abs(self._clock() - stored) < self._lifetime else None

    def put(self, key: str, value: bytes) -> None:
        """Keep it, if there can be room for it."""
        if len(value) > self._max_bytes:
            return
        now = self._clock()
        with self._opened() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(
                "DELETE FROM answers WHERE key = ? OR ABS(? - stored) >= ?", (key, now, self._lifetime)
            )
            row = (key, now, len(value), _digest(key, value), value)
            database.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", row)
            self._make_room(database)
            database.execute("COMMIT")

    def delete(self, key: str) -> None:
        """Forget it."""
        with self._opened() as database:
            database.execute("DELETE FROM answers WHERE key = ?", (key,))

    def clear(self) -> None:
        """Forget everything; a file that is damaged is removed."""
        try:
            with self._opened() as database:
                database.execute("DELETE FROM answers")
        except DamagedError:
            with self._lock:
                self._remove()

    def measure(self) -> Tuple[int, int]:
        """How many there are, and their bytes."""
        with self._opened() as database:
            count, size = database.execute("SELECT COUNT(*), COALESCE(SUM(size), 0) FROM answers").fetchone()
        return int(count), int(size)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._disconnect()

    def _make_room(self, database: sqlite3.Connection) -> None:
        total = database.execute("SELECT COALESCE(SUM(size), 0) FROM answers").fetchone()[0]
        excess = total - self._max_bytes
        while excess > 0:
            row, size = database.execute(
                "SELECT rowid, size FROM answers ORDER BY stored, rowid LIMIT 1"
            ).fetchone()
            database.execute("DELETE FROM answers WHERE rowid = ?", (row,))
            excess -= size

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The file, for one operation; the next begins anew if this one fails."""
        with self._lock:
            try:
                yield self._connect()
            except BaseException as error:
                self._disconnect()  # undoes what was begun
                if not isinstance(error, sqlite3.Error):
                    raise
                damaged = not isinstance(error, sqlite3.OperationalError)
                raise (DamagedError if damaged else OSError)(f"{self.path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._process != os.getpid():
            _of_other_processes.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection, self._process = self._open(), os.getpid()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")  # with WAL a crash loses the last, never the file
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _remove(self) -> None:
        self._disconnect()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.remove(self.path + suffix)

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        # As the interpreter ends, `os` may be gone from this module before the last cache is.
        if self._process == getpid():
            self._disconnect()


class DamagedError(OSError):
    """The file is no database."""


def _digest(key: str, value: bytes) -> bytes:
    """Ties a value to its key: neither a flipped bit nor a swapped row passes."""
    return hashlib.sha256(key.encode("ascii") + b"\n" + value).digest()
