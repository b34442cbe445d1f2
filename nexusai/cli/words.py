"""English or Chinese, as the person at the terminal reads."""

from __future__ import annotations

import os

_VARIABLES = ("NEXUS_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def in_chinese() -> bool:
    """Whether the environment asks for Chinese: `NEXUS_LANG`, else the locale."""
    chosen = next((value for value in map(os.environ.get, _VARIABLES) if value), "")
    return chosen.lower().startswith("zh")


def say(english: str, chinese: str) -> str:
    """The one of the two that is asked for."""
    return chinese if in_chinese() else english
