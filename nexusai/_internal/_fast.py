# Generated from nexusai/aio/_internal/_fast.py by scripts/unasync.py: edit that file.

"""The wire through pyreqwest: Rust does what else would be Python. Chosen by `transport="fast"`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Iterator, Mapping, Optional

from nexusai._internal._pyreqwest import (
    Blocks,
    Engine,
    Waiter,
    closing,
    comes_at_once,
    headers_of,
    prepared,
    sending,
    unpacker_for,
)
from nexusai._internal._runtime import finish
from nexusai._internal._transport import Request


class FastTransport:
    """One of the places on the connections that an engine holds."""

    def __init__(self, engine: Engine) -> None:
        self._waiter = Waiter()
        self._engine: Optional[Engine] = engine
        self._broken = False
        engine.enter()

    def send(self, request: Request) -> FastResponse:
        """Send, and wait for the head of the answer."""
        assert self._engine is not None  # noqa: S101 - nothing is sent on what was closed
        self._broken = True
        body: Any = request.body
        blocks = None
        if body is not None and not isinstance(body, bytes):
            blocks = Blocks(body, self._waiter)
        pending = prepared(self._engine, request, blocks)
        # A stream may be closed by another task while its head is waited for, so that has to be done here.
        self._waiter.begin(self._engine, request, exact=blocks is None and request.whole)
        try:
            answer = self._waiter.run("read", sending(pending))
            if blocks is not None:
                finish(blocks.stop)
        except BaseException:
            if blocks is not None:
                blocks.give_up()
                finish(blocks.stop)
            raise
        return FastResponse(self, pending, answer, blocks, whole=request.whole)

    def run(self, work: Any) -> Any:
        """What a step of reading comes to, within the limits."""
        return self._waiter.run("read", work)

    def finish(self) -> None:
        """An answer was read to its end."""
        self._broken = False

    def hasten(self, seconds: float) -> bool:
        """Give what is still to be read only so long; False where that cannot be."""
        self._waiter.hasten(seconds)
        return True

    def close(self) -> None:
        """Give the place up."""
        self.abandon()

    def abandon(self) -> None:
        """Give the place up, of an event loop that is closed."""
        engine, self._engine = self._engine, None
        self._waiter.stop()
        if engine is not None:
            engine.leave(broken=self._broken)


class FastResponse:
    """An answer whose head has come. Read it, then close it."""

    def __init__(
        self,
        transport: FastTransport,
        pending: Any,
        answer: Any,
        blocks: Optional[Blocks],
        *,
        whole: bool,
    ) -> None:
        self._transport = transport
        self._pending = pending
        self._answer = answer
        self._blocks = blocks
        self._open = True
        self.status: int = answer.status
        self.headers: Mapping[str, str] = headers_of(answer)
        self._at_once = whole and comes_at_once(self.headers)

    def chunks(self) -> Iterator[bytes]:
        """The body, decoded, as it comes."""
        unpacker = unpacker_for(self.headers)
        take = self._answer.bytes if self._at_once else self._answer.body_reader.read_chunk
        while True:
            data = self._transport.run(take())
            if not data:
                break
            if unpacker is None:
                yield data.to_bytes()
            else:
                for piece in unpacker.pieces(data.to_bytes()):
                    yield piece
            if self._at_once:
                break
        self._open = False
        self._release()
        self._transport.finish()

    def close(self) -> None:
        """Close the connection, if the body was not read to its end."""
        if not self._open:
            return
        self._open = False
        self._release()
        with suppress(RuntimeError):  # there is nothing to close any more
            self._transport.run(closing(self._pending))

    def _release(self) -> None:
        if self._blocks is not None:
            self._blocks.release()
