"""What some Pythons cannot do, for tests to be marked with."""

from __future__ import annotations

import sys

import pytest

# anyio's last releases for these Pythons lose a connection that is cancelled just as it is made: it is
# closed by the garbage collector, with a warning. The slot is ours, and must be free all the same.
LOST_BY_ANYIO = (
    [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
    if sys.version_info < (3, 10)
    else []
)
