"""Every row of the reliability card has tests, and they are there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

from faults.rows import ROWS

TESTS = Path(__file__).resolve().parents[1]


def places(name: str) -> Iterator[str]:
    """Where a test must stand: what is two-coloured in both."""
    yield name
    if name.startswith("faults/"):
        yield f"aio/{name}"


def test_every_row_has_tests() -> None:
    """From the first to the last, in order."""
    numbers = [int(row[1:]) for row in ROWS]
    assert numbers[:30] == [*range(1, 31)]
    assert numbers == sorted(set(numbers))
    assert all(ROWS.values())


def test_every_test_of_a_row_exists() -> None:
    """Under the very name that the row gives."""
    found = {}
    for name in (place for tests in ROWS.values() for test in tests for place in places(test)):
        path, _, function = name.partition("::")
        if path not in found:
            tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
            found[path] = {getattr(node, "name", "") for node in tree.body}
        assert function in found[path], name
