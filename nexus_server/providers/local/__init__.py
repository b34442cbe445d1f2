"""Models that run on this machine, each in a llama.cpp of its own.

`provider` implements the port, `supervisor` keeps the child processes running, and `child` is what
runs in them; so nothing of llama.cpp is ever loaded into the server's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nexus_server.providers.local.provider import LocalProvider

__all__ = ["LocalProvider"]


def __getattr__(name: str) -> Any:
    """Import the provider only for who asks for it: every child imports this package, too."""
    if name != "LocalProvider":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nexus_server.providers.local.provider import LocalProvider

    return LocalProvider
