"""How a fetch tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Step = Literal["waiting", "downloading", "assembling", "verifying"]


@dataclass(frozen=True)
class Progress:
    """Where a fetch is: `done` of `total` bytes of this step.

    `message` is empty, or a sentence that a person should see: which source is used, and why
    another one was given up.
    """

    step: Step
    source: str = ""
    done: int = 0
    total: int = 0
    message: str = ""


OnProgress = Callable[[Progress], None]
"""Called several times a second, and at every message. Raising in it ends the fetch."""


def ignore(progress: Progress) -> None:
    """For who does not want to know."""
