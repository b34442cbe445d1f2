"""What is measured beside the peers, and what it may cost at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

PIECES = 2000
"""Of text in a measured stream."""

MEGABYTES = 256
"""Of a file that is sent or received."""

STREAMS_AT_ONCE = 10_000

Cost = Mapping[str, float]
"""What one process measured: CPU and wall seconds, bytes, or a plain ratio, by name."""

Costs = Mapping[str, Sequence[Cost]]
"""Contender → its cost in each round; empty where it could not be measured."""

_MS, _US, _MB, _KB = 1e3, 1e6, 1 / 1024 / 1024, 1 / 1024
_SYNC = ("nexusai", "nexusai[fast]", "keystone-ai", "openai", "anthropic")
_ASYNC = ("nexusai", "nexusai[fast]", "openai", "anthropic")
_FILES = ("nexusai", "nexusai[fast]", "keystone-ai", "openai", "anthropic", "raw")


@dataclass(frozen=True)
class Column:
    """A figure of a case's table: the median of what was measured under this name."""

    key: str
    title: str
    scale: float = 1.0
    digits: str = ""


@dataclass(frozen=True)
class Ratio:
    """At most so many times what another contender costs: the median of the rounds' ratios."""

    most: float
    theirs: str
    ours: str = "nexusai"
    key: str = "cpu"
    their_key: str = ""
    of: str = ""

    @property
    def what(self) -> str:
        """What is compared with what."""
        return f"{self.of + ', ' if self.of else ''}{self.ours} / {self.theirs}"

    def measured(self, costs: Costs) -> float | None:
        """None where either could not be measured."""
        pairs = zip(costs.get(self.ours, ()), costs.get(self.theirs, ()), strict=False)
        ratios = [ours[self.key] / theirs[self.their_key or self.key] for ours, theirs in pairs]
        return median(ratios) if ratios else None

    def shown(self, value: float) -> str:
        return f"{value:.3f}" if value < 1 else f"{value:.2f}"


@dataclass(frozen=True)
class Bound:
    """At most so much, in a unit of its own."""

    most: float
    key: str
    scale: float
    unit: str
    ours: str = "nexusai"
    of: str = ""

    @property
    def what(self) -> str:
        """Of whom, and of what."""
        return f"{self.of + ', ' if self.of else ''}{self.ours}"

    def measured(self, costs: Costs) -> float | None:
        """None where it could not be measured."""
        values = [cost[self.key] * self.scale for cost in costs.get(self.ours, ())]
        return median(values) if values else None

    def shown(self, value: float) -> str:
        return f"{value:,.0f} {self.unit}" if value >= 100 else f"{value:.3g} {self.unit}".rstrip()


Goal = Ratio | Bound


@dataclass(frozen=True)
class Case:
    """One thing that every contender does.

    Attributes:
        action: of `clients/measure.py`.
        columns: what its table shows.
        processes: fresh processes of each contender in each round.
        rounds: at most so many, where one takes long.
        from_outside: the whole process is measured, and a bare interpreter's cost is taken off.
        ratios: the key by which every contender is compared with ours in the table.
        note: what a reader of the table must know.
    """

    name: str
    title: str
    action: str
    columns: tuple[Column, ...]
    goals: tuple[Goal, ...] = ()
    contenders: tuple[str, ...] = _SYNC
    count: int = 0
    path: str = ""
    processes: int = 1
    rounds: int = 1000
    from_outside: bool = False
    ratios: str = "cpu"
    note: str = ""


def _cost(scale: float, unit: str) -> tuple[Column, ...]:
    return (Column("cpu", f"CPU, {unit}", scale), Column("wall", f"wall, {unit}", scale))


_EVENTS = (*_cost(_US, "µs"), Column("per_second", "events per CPU second"))
_TRANSFER = (
    Column("cpu", "sync: CPU, ms", _MS),
    Column("wall", "wall, ms", _MS),
    Column("memory", "memory, MB", _MB),
    Column("cpu_async", "async: CPU, ms", _MS),
    Column("memory_async", "memory, MB ", _MB),
)


_TRANSFER_GOALS = (
    Ratio(1.5, "raw", of="sync"),
    Ratio(1.5, "raw", key="cpu_async", of="async"),
    Bound(8, "memory", _MB, "MB", of="memory, sync"),
    Bound(8, "memory_async", _MB, "MB", of="memory, async"),
)
_PLAIN_LOOP = (
    "`raw` is a loop over a socket, blocking or on an event loop, 64 KB at a time, with the file read or "
    "written. Memory is the highest resident size during the transfer, less what it was before, after one of "
    "1 MB. Ratios are of the sync CPU."
)

CASES = (
    Case(
        "import",
        "Import the package (over bare Python)",
        action="import",
        columns=_cost(_MS, "ms"),
        contenders=("nexusai", "keystone-ai", "openai", "anthropic"),
        processes=3,
        from_outside=True,
        goals=(Bound(15, "cpu", _MS, "ms"), Ratio(0.1, "keystone-ai")),
    ),
    Case(
        "cold",
        "Cold start: a fresh process to its first answer (over bare Python)",
        action="cold",
        columns=_cost(_MS, "ms"),
        processes=2,
        from_outside=True,
        goals=(Ratio(0.45, "openai"), Ratio(0.9, "keystone-ai")),
    ),
    Case(
        "second",
        "A second client in one process",
        action="second",
        columns=(
            Column("made", "CPU to make it, ms", _MS),
            Column("cpu", "and have its first answer, ms", _MS),
        ),
        count=20,
        goals=(Bound(2, "cpu", _MS, "ms"),),
        note="Over plain HTTP, for all; nexusai reads TLS settings once for a process, when a client first "
        "needs them. The goal is held against the second figure.",
    ),
    Case(
        "call",
        "One small sync call, on a connection that is kept",
        action="call",
        columns=_cost(_US, "µs"),
        count=500,
        contenders=(*_SYNC, "raw"),
        goals=(
            Ratio(0.3, "openai"),
            Ratio(0.3, "anthropic"),
            Ratio(0.65, "keystone-ai"),
            Ratio(0.08, "openai", ours="nexusai[fast]"),
            Ratio(2.5, "raw", ours="nexusai[fast]"),
        ),
        note="`raw` is a blocking socket, a request put together beforehand, httptools and `json.loads`.",
    ),
    Case(
        "concurrent",
        "One small async call, 1, 64 and 512 at a time",
        action="concurrent",
        columns=(
            *(Column(f"cpu{width}", f"CPU at {width}, µs", _US) for width in (1, 64, 512)),
            Column("wall64", "wall at 64, µs", _US),
            Column("growth", "1 → 512"),
        ),
        count=1024,
        contenders=(*_ASYNC, "raw"),
        ratios="cpu64",
        goals=(
            Ratio(0.5, "openai", key="cpu64", of="at 64"),
            Ratio(0.65, "anthropic", key="cpu64", of="at 64"),
            Bound(1.3, "growth", 1, "×", of="growth from 1 to 512"),
            Ratio(0.08, "openai", ours="nexusai[fast]", key="cpu64", of="at 64"),
            Ratio(2.5, "raw", ours="nexusai[fast]", key="cpu64", of="at 64"),
            Bound(1.3, "growth", 1, "×", ours="nexusai[fast]", of="growth from 1 to 512"),
        ),
        note="`raw` is one `asyncio.Protocol` to a connection, a request put together beforehand, httptools "
        "and `json.loads`. Clients have their default limits. The columns of ratios compare at 64.",
    ),
    Case(
        "stream1",
        "One streamed event, each in a write and an HTTP chunk of its own",
        action="stream",
        columns=_EVENTS,
        count=PIECES,
        path=f"/{PIECES}x1",
        contenders=(*_SYNC, "raw"),
        goals=(
            Ratio(0.15, "openai"),
            Ratio(0.45, "anthropic"),
            Ratio(0.15, "openai", ours="nexusai[fast]"),
            Ratio(0.45, "anthropic", ours="nexusai[fast]"),
        ),
        note="Sent as fast as the socket takes them: a client that is slower than the server finds many of "
        "them in one read.",
    ),
    Case(
        "stream64",
        "One streamed event, 64 to a write and an HTTP chunk",
        action="stream",
        columns=_EVENTS,
        count=PIECES,
        path=f"/{PIECES}x64",
        contenders=(*_SYNC, "raw"),
        goals=(Ratio(0.05, "openai"), Ratio(0.05, "openai", ours="nexusai[fast]")),
    ),
    Case(
        "paced",
        "One streamed event, one every 300 µs",
        action="stream",
        columns=_EVENTS,
        count=PIECES,
        path=f"/{PIECES}x1/every300us",
        contenders=(*_SYNC, "raw"),
        note="So that each is waited for and read by itself, as a model's words are. What `raw` costs is "
        "mostly the system's: to put a process to sleep and to wake it. No goal was set for this.",
    ),
    Case(
        "decode",
        "256 × 768 embeddings, from an answer's bytes to lists of floats",
        action="decode",
        columns=(
            Column("cpu", "floats: CPU, ms", _MS),
            Column("cpu64", "base64: CPU, ms", _MS),
        ),
        count=20,
        contenders=("nexusai", "pydantic"),
        goals=(
            Ratio(0.5, "pydantic", of="floats"),
            Ratio(0.2, "pydantic", key="cpu64", their_key="cpu", of="base64"),
        ),
        note="Decoding alone: what `embeddings.create(…).vectors` does with an answer's bytes, without the "
        "network (`_internal._responses.read_model`). `pydantic` is `Model(**json.loads(bytes))` with the "
        "same lists taken out. Base64 is compared with its floats.",
    ),
    Case(
        "embed",
        "The same by a whole call, in the encoding that each asks for by itself",
        action="embed",
        columns=_cost(_MS, "ms"),
        count=10,
        contenders=("nexusai", "nexusai[fast]", "keystone-ai", "openai"),
        note="`nexusai` and `openai` ask for base64, `keystone-ai` for floats; `anthropic` has none.",
    ),
    Case(
        "upload",
        f"Send a file of {MEGABYTES} MB",
        action="upload",
        columns=_TRANSFER,
        count=MEGABYTES,
        contenders=_FILES,
        rounds=3,
        goals=_TRANSFER_GOALS,
        note=f"As a form, from a path. {_PLAIN_LOOP}",
    ),
    Case(
        "download",
        f"Receive a file of {MEGABYTES} MB",
        action="download",
        columns=_TRANSFER,
        count=MEGABYTES,
        contenders=("nexusai", "nexusai[fast]", "openai", "anthropic", "raw"),
        rounds=3,
        goals=_TRANSFER_GOALS,
        note=f"To a path, from a server that tells no checksum. `keystone-ai` cannot. {_PLAIN_LOOP}",
    ),
    Case(
        "verified",
        f"Receive a file of {MEGABYTES} MB and verify its SHA-256",
        action="download",
        columns=_TRANSFER,
        count=MEGABYTES,
        path="/hashed",
        contenders=("nexusai", "nexusai[fast]", "raw"),
        rounds=3,
        goals=_TRANSFER_GOALS,
        note="As our platform's answers ask for; the loop over a socket computes it too. No peer verifies.",
    ),
    Case(
        "held",
        f"{STREAMS_AT_ONCE:,} async streams, all open at the same time",
        action="held",
        columns=(
            Column("complete", "complete and right"),
            Column("memory", "memory a stream, KB", _KB),
            Column("cpu", "CPU a stream, µs", _US),
            Column("total", "wall for all, s"),
        ),
        count=STREAMS_AT_ONCE,
        contenders=("nexusai", "nexusai[fast]", "raw"),
        rounds=1,
        goals=(Bound(100, "memory", _KB, "KB", of="memory a stream"),),
        note="Each stream has 20 events with a text of its own. The server holds each after its first until "
        "all are open, and then goes on with all in turn. They are opened 200 at a time. Memory is the "
        "highest resident size, less what it was before, with a client that had been answered once.",
    ),
)
