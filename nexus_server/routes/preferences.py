"""The `Prefer` header (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_WAIT = 60

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# One preference, up to the comma: a name, perhaps a value, perhaps parameters that we ignore.
_PREFERENCE = re.compile(
    rf'\s*(?P<name>{_NAME})\s*(?:=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s;,"]*))?'
    rf'\s*(?:;(?:[^,"]|"(?:[^"\\]|\\.)*")*)?(?=,|$)'
)


@dataclass(frozen=True)
class Preferences:
    """What the caller would like.

    Attributes:
        respond_async: an answer at once.
        wait: to wait at most so many seconds.
        resumable: a stream that can be taken up again.
    """

    respond_async: bool = False
    wait: int | None = None
    resumable: bool = False

    @property
    def applied(self) -> dict[str, str]:
        """The `Preference-Applied` header of an answer that honours them."""
        if self.wait is not None:
            return {"Preference-Applied": f"wait={self.wait}"}
        return {"Preference-Applied": "respond-async"} if self.respond_async else {}


def parse_prefer(headers: Iterable[str]) -> Preferences:
    """Read the preferences that we know. Of one given twice the first counts; junk is ignored."""
    given: dict[str, str] = {}
    for header in headers:
        for part in _split(header):
            if match := _PREFERENCE.fullmatch(part):
                given.setdefault(match["name"].lower(), _unquote(match["value"] or ""))
    return Preferences("respond-async" in given, _seconds(given.get("wait")), "resumable" in given)


def _split(header: str) -> list[str]:
    """The parts between commas that stand outside quotes."""
    return re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*"|")+', header)


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _seconds(value: str | None) -> int | None:
    if value is None or not re.fullmatch(r"[0-9]{1,9}", value):
        return None
    return min(int(value), LONGEST_WAIT)
