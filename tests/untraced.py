"""Programs whose coverage is not measured."""

from __future__ import annotations

import os
from typing import Dict


def untraced() -> Dict[str, str]:
    """This environment, without what has coverage measured in the programs that a test starts.

    For programs that are interrupted: the tracer swallows a KeyboardInterrupt now and then (6 of 150; without
    it none of 500). For those that tell what they have loaded: the tracer
    loads sqlite3. And for those that measure themselves.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
