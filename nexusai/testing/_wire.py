"""The wire of a test: it ends in this process, and time passes on it only when somebody waits."""

from __future__ import annotations

from contextlib import contextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    TypeVar,
)

from nexusai._internal import _stand_in
from nexusai._internal._runtime import Clock
from nexusai._internal._transport import TransportError
from nexusai.config import config
from nexusai.testing._calls import Call, call_of

if TYPE_CHECKING:
    from nexusai.aio.client import AsyncNexusAIClient
    from nexusai.client import NexusAIClient

TEST_KEY = "nxs_test"
TEST_URL = "http://nexus.test/api/v1"
_MANY = 1_000_000

S = TypeVar("S", bound="Stage")


class Trouble(NamedTuple):
    """What happens to a connection."""

    message: str
    timed_out: bool = False
    sent: bool = True

    def error(self) -> TransportError:
        """As the SDK's transports tell it."""
        return TransportError(self.message, timed_out=self.timed_out, sent=self.sent)


class Reply(NamedTuple):
    """An answer, in the pieces in which it comes.

    Attributes:
        takes: seconds until it begins to come.
        trouble: what breaks it off after the pieces; with a status of 0, before anything has come.
    """

    status: int
    headers: Dict[str, str]
    pieces: List[bytes]
    takes: float = 0.0
    trouble: Optional[Trouble] = None


class VirtualClock(Clock):
    """Seconds that pass when somebody waits, and at once.

    Attributes:
        now: seconds since the test began.
        pauses: the waits so far: between attempts, and between two looks at a task.
    """

    def __init__(self) -> None:
        self.now: float = 0.0
        self.pauses: List[float] = []

    def monotonic(self) -> float:
        """The same as `now`."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        """Wait; others come to their turn."""
        from anyio.lowlevel import checkpoint

        until = self.now + seconds
        self.pauses.append(seconds)
        await checkpoint()
        self.now = max(self.now, until)  # who waits beside others waits no longer for that

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.pauses.append(seconds)
        self.now += seconds


class Stage(_stand_in.StandIn):
    """What takes a platform's place: clients are made of it, or led to it."""

    def __init__(self) -> None:
        from nexusai._internal._pool import Pools
        from nexusai.aio._internal._pool import AsyncPools

        self.pools: Pools = Pools(lambda: self.transport, _MANY)
        self.async_pools: AsyncPools = AsyncPools(lambda: self.async_transport, _MANY)

    def _options(self, options: Dict[str, Any]) -> Dict[str, Any]:
        return {"api_key": TEST_KEY, "base_url": TEST_URL, **options, "http_client": self}

    def client(self, **options: Any) -> NexusAIClient:
        """A client of it. The options are those of `NexusAIClient`."""
        from nexusai.client import NexusAIClient

        return NexusAIClient(**self._options(options))

    def async_client(self, **options: Any) -> AsyncNexusAIClient:
        """The same, awaited."""
        from nexusai.aio.client import AsyncNexusAIClient

        return AsyncNexusAIClient(**self._options(options))

    @contextmanager
    def installed(self: S) -> Iterator[S]:
        """Meanwhile every client in this process speaks with it, made before or now, in any thread.

        The default client of `nexusai.text.generate(…)` and the like does so too. Only a client that was
        given an `http_client` of its own stays with that.
        """
        given = config._assigned.get("api_key")
        config.api_key = config.api_key or TEST_KEY  # also makes a new default client
        _stand_in.installed.append(self)
        try:
            yield self
        finally:
            _stand_in.installed.remove(self)
            config.api_key = given


class ScriptedWire:
    """A transport that asks a function, in this process."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    def send(self, request: Any) -> ScriptedResponse:
        """Send, and wait for the head of the answer."""
        content = request.body
        if content is not None and not isinstance(content, bytes):
            content = b"".join(content)
        return ScriptedResponse(_reply(self._stage, request, content))

    def hasten(self, seconds: float) -> bool:
        """There is nothing to wait for."""
        return True

    def close(self) -> None:
        """Nothing is open."""


class AsyncScriptedWire:
    """The same, awaited."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    async def send(self, request: Any) -> AsyncScriptedResponse:
        """Send, and wait for the head of the answer."""
        from anyio.lowlevel import checkpoint

        await checkpoint()
        content = request.body
        if content is not None and not isinstance(content, bytes):
            content = b"".join([block async for block in content])
        return AsyncScriptedResponse(_reply(self._stage, request, content))

    def hasten(self, seconds: float) -> bool:
        """There is nothing to wait for."""
        return True

    async def aclose(self) -> None:
        """Nothing is open."""


class ScriptedResponse:
    """An answer that is known already."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply

    def chunks(self) -> Iterator[bytes]:
        """The body, piece by piece."""
        yield from self._reply.pieces
        if self._reply.trouble is not None:
            raise self._reply.trouble.error()

    def close(self) -> None:
        """Nothing is open."""


class AsyncScriptedResponse:
    """The same, awaited."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers: Mapping[str, str] = reply.headers
        self._reply = reply

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        from anyio.lowlevel import checkpoint

        for piece in self._reply.pieces:
            await checkpoint()
            yield piece
        if self._reply.trouble is not None:
            raise self._reply.trouble.error()

    async def aclose(self) -> None:
        """Nothing is open."""


def _reply(stage: Any, request: Any, content: Optional[bytes]) -> Reply:
    """What comes back, by when it does."""
    clock: VirtualClock = stage.clock
    reply: Reply = stage._answer_to(seen(request, content))
    patience = min(request.idle, request.deadline - clock.now)
    if reply.takes > patience:
        clock.advance(patience)
        raise TransportError("the scripted answer takes longer", timed_out=True, sent=True)
    clock.advance(reply.takes)
    if reply.status == 0 and reply.trouble is not None:
        raise reply.trouble.error()
    return reply


def seen(request: Any, content: Optional[bytes]) -> Call:
    """A request of the SDK's transport port."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
    return call_of(request.method, str(request.url), headers, content or b"")
