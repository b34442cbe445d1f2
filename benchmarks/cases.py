"""What is measured beside the peers, and what it may cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PIECES = 2000
"""Of text in a measured stream."""

_SYNC = ("nexusai", "keystone-ai", "openai", "anthropic")
_ASYNC = ("nexusai", "openai", "anthropic")


@dataclass(frozen=True)
class Case:
    """One thing that every contender does.

    Attributes:
        action: of `clients/measure.py`.
        scale, unit: from seconds to what is shown.
        processes: fresh processes of each contender in each round.
        from_outside: the whole process is measured, and a bare interpreter's cost is taken off.
        rate: what to call units per CPU second, where that is the figure to look at.
        goals: the highest ratio of our cost to a peer's that we accept.
    """

    name: str
    title: str
    action: str
    scale: float = 1e6
    unit: str = "µs"
    count: int = 0
    path: str = ""
    processes: int = 1
    from_outside: bool = False
    rate: str = ""
    contenders: tuple[str, ...] = _SYNC
    goals: Mapping[str, float] = field(default_factory=dict)


CASES = (
    Case(
        "import",
        "Import the package (over bare Python)",
        action="import",
        scale=1e3,
        unit="ms",
        processes=3,
        from_outside=True,
        goals={"keystone-ai": 0.1},
    ),
    Case(
        "cold",
        "Cold start: a fresh process to its first answer (over bare Python)",
        action="cold",
        scale=1e3,
        unit="ms",
        processes=2,
        from_outside=True,
        goals={"openai": 0.45, "keystone-ai": 0.9},
    ),
    Case(
        "call",
        "One small sync call, on a connection that is kept",
        action="call",
        count=500,
        goals={"openai": 0.3, "anthropic": 0.3, "keystone-ai": 0.65},
    ),
    Case(
        "call64",
        "One small async call, 64 at a time",
        action="concurrent",
        count=768,
        contenders=_ASYNC,
        goals={"openai": 0.5, "anthropic": 0.65},
    ),
    Case(
        "stream1",
        "One streamed event, each in a network chunk of its own",
        action="stream",
        count=PIECES,
        path=f"/{PIECES}x1",
        rate="events per CPU second",
        goals={"openai": 0.15, "anthropic": 0.45},
    ),
    Case(
        "stream64",
        "One streamed event, 64 to a network chunk",
        action="stream",
        count=PIECES,
        path=f"/{PIECES}x64",
        rate="events per CPU second",
        goals={"openai": 0.05},
    ),
)
