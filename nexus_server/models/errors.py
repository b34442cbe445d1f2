"""What can go wrong with a model's file."""

from __future__ import annotations


class ModelError(Exception):
    """One sentence or two for a person: what happened, what was expected, what to do."""


class WrongBytesError(ModelError):
    """A file is whole, and is not the one that the catalogue describes."""

    def __init__(self, name: str, *, expected: str, found: str, remedy: str) -> None:
        """`expected` and `found` are SHA-256 sums, or sizes where the size tells already."""
        super().__init__(f"{name} is not the published file (expected {expected}, found {found}): {remedy}")
        self.expected = expected
        self.found = found


class SourceError(ModelError):
    """One source could not give the file; another one may."""
