"""What the processes that we start get to see of our environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SECRET = re.compile(r"^NEXUS_|_API_KEY$", re.IGNORECASE)


def without_secrets(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy without the platform's own settings and without anybody's API keys."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name)}
