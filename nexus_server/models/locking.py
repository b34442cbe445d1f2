"""One process at a time works on a model's file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL = 0.2  # seconds


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold `path` locked; the lock goes with the process, however that ends.

    `on_wait` is called a few times a second while another process holds it, and ends the waiting
    by raising. On Windows, which has no `flock`, nothing is locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        while not _try_lock(file):
            on_wait()
            time.sleep(_POLL)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
