"""Testing programs that use the SDK, without a network.

    from nexusai.testing import Platform

    platform = Platform()
    platform.text("Hello")
    client = platform.client()
    assert client.text.generate("Say hello.").text == "Hello"

`Platform` is scripted, `Recording` repeats what a real platform has once answered. For pytest there are the
fixtures `nexus_platform` and `nexus_recording`, which need no import.
"""

from __future__ import annotations

TYPE_CHECKING = False  # pytest loads this package for everybody who has the SDK installed
if TYPE_CHECKING:
    from typing import Any

    from nexusai.testing._calls import Call
    from nexusai.testing._platform import Platform
    from nexusai.testing._recording import Recording
    from nexusai.testing._script import UnexpectedCallError
    from nexusai.testing._wire import VirtualClock

_HOMES = {
    "Call": "nexusai.testing._calls",
    "Platform": "nexusai.testing._platform",
    "Recording": "nexusai.testing._recording",
    "UnexpectedCallError": "nexusai.testing._script",
    "VirtualClock": "nexusai.testing._wire",
}

__all__ = ["Call", "Platform", "Recording", "UnexpectedCallError", "VirtualClock"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'nexusai.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
