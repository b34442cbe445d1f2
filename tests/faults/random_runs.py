"""How long the random tests run: moments in `make test`, minutes in `make faults`."""

from __future__ import annotations

import os
import random

RUNS = int(os.environ.get("NEXUS_FAULT_RUNS", "1"))
"""How many times as much as in `make test`."""
SEED = int(os.environ.get("NEXUS_FAULT_SEED", "0") or "0") or random.SystemRandom().randrange(1, 10**6)
"""Where the dice begin. It is in the message of what fails: set it to see the same again."""


def seeds(count: int) -> range:
    """`count` seeds in `make test`, more in `make faults`."""
    return range(SEED, SEED + count * RUNS)


def hint(seed: int) -> str:
    """What to say when a run fails."""
    return f"again: NEXUS_FAULT_SEED={seed}"
