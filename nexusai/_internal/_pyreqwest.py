"""What both colours of the fast transport are made of: pyreqwest, its errors, and how it is waited for.

pyreqwest does the work in Rust, on a thread of its own, and offers coroutines. Its blocking calls are
not used: they cannot be interrupted by Ctrl-C, and have no limit for a silence. So the sync transport
drives the same coroutines as the async one, and `Waiter` is all the event loop that takes.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import zlib
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from itertools import chain
from math import ceil
from queue import Empty, SimpleQueue
from types import coroutine
from typing import Any, Callable, Dict, Generator, Iterator, List, Mapping, Optional, Tuple

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.http import Url as RustUrl
from pyreqwest.proxy import ProxyBuilder

from nexusai._internal._transport import (
    CONNECT_TIMEOUT,
    KEEPALIVE_EXPIRY,
    Header,
    Request,
    TransportError,
    Url,
    proxy_for,
)
from nexusai.error import APIError

_FAR = float("inf")
_LONGEST = 86400.0
_SILENCE = 60.0
"""Seconds without a byte, after which pyreqwest gives up by itself: also on what nobody waits for."""
_AT_ONCE = 64 * 1024
"""So much of an answer that is taken whole comes together with its head."""
_UNPACKED_AT_ONCE = 256 * 1024
_GRACE = 0.1
"""Seconds for pyreqwest to tell that a limit was reached, before it is told by who waits.

Its own limit for the whole is a hundredth later than that for connecting: which one it was, tells whether the
request can have arrived."""

_left_behind: List[Any] = []
"""Clients of the parent, in a forked child: they are never touched again, not even to be freed."""


class Engine:
    """The connections that the slots of one client share, opened by pyreqwest as they are needed.

    Its clients are costly to build (they read the system's certificates), so there is one for all slots;
    and one for each much longer limit of silence, since that limit belongs to a client. They are dropped,
    and their connections closed, with the last slot.
    """

    def __init__(self, origin: Url, timeout: float) -> None:
        self._proxy = proxy_for(origin)
        self._timeout = timeout
        self._clients: Dict[float, Any] = {}
        self._slots = 0
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def enter(self) -> None:
        """One more slot."""
        if self._pid != os.getpid():
            _left_behind.append(self._clients)
            self._lock, self._pid, self._clients, self._slots = threading.Lock(), os.getpid(), {}, 0
        with self._lock:
            self._slots += 1

    def leave(self, *, broken: bool) -> None:
        """One slot less. A broken one leaves behind nothing that had to be closed."""
        with self._lock:
            self._slots -= 1
            if not self._slots and not broken:
                self._clients.clear()

    def silence(self, idle: float) -> float:
        """The limit of silence of the client that serves a limit of `idle` seconds."""
        limit = _SILENCE
        while limit < idle:
            limit *= 2
        return limit

    def client(self, silence: float) -> Any:
        """The client that gives up after so many seconds of silence."""
        with self._lock:
            client = self._clients.get(silence)
            if client is None:
                client = self._clients[silence] = self._built(silence)
            return client

    def _built(self, silence: float) -> Any:
        try:
            return self._builder(silence).build()
        except RuntimeError:  # this process was forked from one that has used pyreqwest
            try:
                return self._builder(silence).runtime_multithreaded(True).build()
            except RuntimeError:
                raise APIError(
                    "This process was forked from one that was forked itself, and both have used "
                    "transport='fast', which cannot be started again here. Use transport='httpx', or start "
                    "processes by 'spawn' or 'forkserver'."
                ) from None

    def _builder(self, silence: float) -> Any:
        builder = ClientBuilder().http1_only().http1_lower_case_headers()
        builder = builder.follow_redirects(False).referer(False).default_cookie_store(False)
        builder = builder.gzip(False).deflate(False).brotli(False).zstd(False)
        builder = builder.connect_timeout(timedelta(seconds=min(CONNECT_TIMEOUT, self._timeout)))
        builder = builder.pool_idle_timeout(timedelta(seconds=KEEPALIVE_EXPIRY))
        if silence < _LONGEST:
            builder = builder.read_timeout(timedelta(seconds=silence))
        if self._proxy is None:
            return builder.no_proxy()
        return builder.proxy(ProxyBuilder.all(self._proxy))


def prepared(engine: Engine, request: Request, blocks: Any) -> Any:
    """The request as pyreqwest wants it, up to its sending."""
    silence = _LONGEST if blocks is not None else engine.silence(request.idle)
    headers = list(map(_as_text, request.headers))
    try:
        builder = engine.client(silence).request(request.method, _rust_url(request.url)).headers(headers)
    except (PyreqwestError, ValueError) as error:
        raise TransportError(f"local protocol error: {_cause(error)}", timed_out=False, sent=False) from error
    left = min(request.deadline - time.monotonic(), _LONGEST)
    if left < _LONGEST or blocks is not None:
        builder = builder.timeout(_hundredths(ceil(max(left, 0.0) * 100) + 1))
    if blocks is not None:
        builder = builder.body_stream(blocks)
    elif request.body is not None:
        builder = builder.body_bytes(request.body)
    elif request.method != "GET":
        builder = builder.body_bytes(b"")
    return builder.streamed_read_buffer_limit(_AT_ONCE if request.whole else 0).build_streamed()


def sending(pending: Any) -> Any:
    """To be awaited, in either colour: the answer to a prepared request, when its head has come."""
    return pending.__aenter__()


def closing(pending: Any) -> Any:
    """To be awaited, in either colour: its connection is closed."""
    return pending.__aexit__(None, None, None)


@lru_cache(maxsize=256)
def _as_text(header: Header) -> Tuple[str, str]:
    return header[0].decode("latin-1"), header[1].decode("latin-1")


@lru_cache(maxsize=64)
def _hundredths(count: int) -> timedelta:
    """So many hundredths of a second: most calls have the same limit."""
    return timedelta(milliseconds=10 * count)


@lru_cache(maxsize=64)
def _rust_url(url: Url) -> Any:
    rust = RustUrl(str(url))
    target = rust.path if rust.query_string is None else f"{rust.path}?{rust.query_string}"
    if target != url.target:  # a browser would shorten `/a/%2e%2e/b`, and so does it
        raise ValueError(f"{url.target!r} would be sent as {target!r}")
    return rust


def headers_of(response: Any) -> Dict[str, str]:
    """The headers of an answer. One that cannot be read as ASCII counts as absent: no more is told of it."""
    found = response.headers
    try:
        headers = dict(found.items())
        if len(headers) == len(found):
            return headers
        pairs = list(found.items())
    except ValueError:
        pairs = list(chain.from_iterable(_readable(found, name) for name in dict.fromkeys(found)))
    headers = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _readable(headers: Any, name: str) -> Iterator[Tuple[str, str]]:
    with suppress(ValueError):
        for value in headers.getall(name):
            yield name, value


def comes_at_once(headers: Mapping[str, str]) -> bool:
    """Whether an answer that is taken whole has come with its head."""
    length = headers.get("content-length", "")
    return length.isdigit() and int(length) <= _AT_ONCE


class Unpacker:
    """Decodes what was asked to be compressed, a bounded piece at a time."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise TransportError(
                f"decoding error: transport='fast' reads gzip and deflate, not {encoding[:40]!r}",
                timed_out=False,
                sent=True,
            )
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if encoding == "deflate" else zlib.MAX_WBITS | 32)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to."""
        while data:
            try:
                piece = self._inflater.decompress(data, _UNPACKED_AT_ONCE)
            except zlib.error as error:
                raise TransportError(f"decoding error: {error}", timed_out=False, sent=True) from error
            data = self._inflater.unconsumed_tail
            if piece:
                yield piece


def unpacker_for(headers: Mapping[str, str]) -> Optional[Unpacker]:
    """What decodes the body of an answer; None where it is not compressed."""
    encoding = headers.get("content-encoding", "identity").lower()
    return None if encoding == "identity" else Unpacker(encoding)


def failure(step: str, error: PyreqwestError) -> TransportError:
    """What pyreqwest's error means. Its classes do not tell connecting from waiting; the causes do."""
    causes = _causes(error)
    sent = "client error (Connect)" not in causes
    timed_out = isinstance(error, RequestTimeoutError)
    what = f"{step if sent else 'connect'} {'timeout' if timed_out else 'error'}"
    return TransportError(f"{what}: {_cause(error)}", timed_out=timed_out, sent=sent)


def _causes(error: Exception) -> List[str]:
    details = getattr(error, "details", None) or {}
    return [str(cause.get("message", "")) for cause in details.get("causes") or []]


def _cause(error: Exception) -> str:
    """The innermost cause, which names no address."""
    causes = _causes(error)
    if causes and causes[-1] == "connection closed before message completed":
        return "the server disconnected without an answer"
    return causes[-1] if causes else str(getattr(error, "message", error))


class _Patience:
    """How long a transport waits: `idle` seconds for each sign of life, and to `deadline` in all."""

    def __init__(self) -> None:
        self.deadline = _FAR
        self.idle = _FAR
        self.exact = False
        """Whether pyreqwest itself keeps to these limits, so that no timer is needed here."""
        self.since = 0.0
        """When the present silence began; far away while it is not for the other side to speak."""

    def begin(self, engine: Engine, request: Request, *, exact: bool) -> None:
        """Wait for the answer to `request`."""
        self.deadline, self.idle = request.deadline, request.idle
        known = engine.silence(self.idle) == self.idle or self.deadline <= time.monotonic() + self.idle
        self.exact = exact and known

    def hasten(self, seconds: float) -> None:
        """Give what is still to be read only so long."""
        self.deadline = min(self.deadline, time.monotonic() + seconds)
        self.exact = False

    def left(self) -> float:
        """Seconds from now to the nearer limit."""
        return min(self.since + self.idle, self.deadline) - time.monotonic()


def _over(step: str) -> TransportError:
    return TransportError(f"{step} timeout: the time limit was reached", timed_out=True, sent=True)


class AsyncWaiter(_Patience):
    """Awaits pyreqwest's coroutines on asyncio, within limits.

    One timer serves many reads: it is looked at, and set anew, only when it rings.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ValueError(
                "transport='fast' runs on asyncio only. On trio, use transport='httpx'."
            ) from None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._awaited: Any = None

    async def run(self, step: str, work: Any) -> Any:
        """The result of `work`; `TransportError` where it fails."""
        try:
            return await (work if self.exact else self._bounded(step, work))
        except PyreqwestError as error:
            raise failure(step, error) from error

    @coroutine
    def _bounded(self, step: str, work: Any) -> Generator[Any, None, Any]:
        self.since = time.monotonic()
        try:
            while True:
                try:
                    awaited = work.send(None)
                except StopIteration as end:
                    return end.value
                if awaited is not None:
                    self._awaited = awaited
                    self._set_timer()
                yield awaited
                if self.left() <= 0:
                    raise _over(step)
        finally:
            self._awaited = None
            work.close()

    def hasten(self, seconds: float) -> None:
        """Give what is still to be read only so long; if that is none, whoever waits hears of it now."""
        super().hasten(seconds)
        if seconds <= 0:
            self.stop()
            self._ring()

    def pause(self) -> None:
        """What follows does not depend on the other side."""
        self.since = _FAR

    def go_on(self) -> None:
        """It is for the other side to do something."""
        self.since = time.monotonic()
        self._set_timer()

    def _set_timer(self) -> None:
        left = self.left()
        if self._awaited is None or left == _FAR:
            return
        if self._timer is not None:
            if self._timer.when() <= self._loop.time() + left:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(left, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self.left() > 0:
            self._set_timer()
        elif self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def stop(self) -> None:
        """Leave nothing behind in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class AsyncBlocks:
    """The blocks of an upload, handed to pyreqwest one by one."""

    def __init__(self, blocks: Any, waiter: AsyncWaiter) -> None:
        self._blocks = blocks
        self._waiter = waiter
        self._taking: Optional[asyncio.Future[Any]] = None
        self._stopped = False
        self._given_up = False
        self._released = asyncio.Event()

    def __aiter__(self) -> AsyncBlocks:
        return self

    def __anext__(self) -> _AsyncBlock:
        return _AsyncBlock(self)  # always: pyreqwest does not survive an exception here

    async def take(self) -> bytes:
        """The next one."""
        if self._stopped:  # the answer came early; to end the body here would be an error of its own
            await self._released.wait()
            if self._given_up:  # it must not end as if it were whole
                raise asyncio.CancelledError
            raise StopAsyncIteration
        self._taking = asyncio.current_task()
        self._waiter.pause()
        try:
            block: bytes = await self._blocks.__anext__()
            return block
        finally:
            self._taking = None
            self._waiter.go_on()

    async def stop(self) -> None:
        """Take no more. What is just being taken is waited for."""
        self._stopped = True
        if self._taking is not None:
            await asyncio.wait([self._taking])

    def give_up(self) -> None:
        """No answer will be read."""
        self._stopped = self._given_up = True
        self._released.set()

    def release(self) -> None:
        """The answer has been read, or will not be."""
        self._released.set()


class _AsyncBlock:
    """A block that is asked for.

    No coroutine, of which Python would complain if it were never awaited: pyreqwest may ask for a block that
    it does not come to take, since its request is over. `_Block` is none for the same reason.
    """

    def __init__(self, blocks: AsyncBlocks) -> None:
        self._blocks = blocks
        self._steps: Optional[Generator[Any, Any, bytes]] = None

    def __await__(self) -> Generator[Any, Any, bytes]:
        if self._steps is None:  # Python asks for them before each step
            self._steps = self._blocks.take().__await__()
        return self._steps


class Waiter(_Patience):
    """Drives pyreqwest's coroutines in the calling thread, within limits.

    To them it is the running event loop: they leave their wake-ups in its queue.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wake_ups: SimpleQueue[Any] = SimpleQueue()
        # As `put(callback, block=future)`: which callback it is does not matter, there is only one.
        self.call_soon_threadsafe: Callable[..., Any] = self._wake_ups.put
        # A future is iterated over, to find what to yield.
        self.create_future: Callable[[], Any] = [True].copy
        self.blocks: Optional[Blocks] = None

    def is_closed(self) -> bool:
        """As event loops have it."""
        return False

    def run(self, step: str, work: Any) -> Any:
        """The result of `work`; `TransportError` where it fails."""
        self.since = time.monotonic()
        try:
            while True:
                outer = asyncio._get_running_loop()
                asyncio._set_running_loop(self)  # type: ignore[arg-type]
                try:
                    awaited = work.send(None)
                finally:
                    asyncio._set_running_loop(outer)
                if awaited is not None:
                    self._wait(step)
        except StopIteration as end:
            return end.value
        except PyreqwestError as error:
            raise failure(step, error) from error
        finally:
            work.close()

    def hasten(self, seconds: float) -> None:
        """Give what is still to be read only so long; if that is none, whoever waits hears of it now."""
        super().hasten(seconds)
        if seconds <= 0:
            self._wake_ups.put(None)

    def _wait(self, step: str) -> None:
        while True:
            # Where pyreqwest keeps to the limits, it closes the connection, too: it goes first.
            left = self.left() + (_GRACE if self.exact else 0.0)
            if left <= 0:
                raise _over(step)
            try:
                wake_up = self._wake_ups.get(True, min(left, _LONGEST))
            except Empty:
                continue
            if wake_up is None:
                continue
            if self.blocks is None or not self.blocks.asked(wake_up):
                return
            self.since = time.monotonic()

    def stop(self) -> None:
        """Nothing, here."""


class Blocks:
    """The blocks of an upload, handed to pyreqwest one by one.

    They are taken in the thread that waits for the answer, where everything else of the user's runs, and
    not in pyreqwest's.
    """

    def __init__(self, blocks: Iterator[bytes], waiter: Waiter) -> None:
        self._blocks = blocks
        self._taken: Optional[_Taken] = None
        self._stopped = False
        wake_ups = waiter._wake_ups
        waiter.blocks = self
        waiter.call_soon_threadsafe = lambda call, *of, context=None: wake_ups.put((call, of))
        waiter.create_task = self._take  # type: ignore[attr-defined]

    def __aiter__(self) -> Blocks:
        return self

    def __anext__(self) -> _Block:
        return _Block(self._blocks)

    def asked(self, wake_up: Any) -> bool:
        """Whether pyreqwest wanted a block, which it now has."""
        call, of = wake_up
        if of:  # the callback of a future
            return False
        call()  # comes back here as `create_task`
        if self._taken is not None:
            self._taken.tell()
        return True

    def _take(self, block: Any) -> _Taken:
        self._taken = _Taken(block, self._stopped)
        return self._taken

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True

    def give_up(self) -> None:
        """Nothing, here."""

    def release(self) -> None:
        """Nothing, here."""


class _Block:
    """A block that is asked for: the next one, whose taking waits for nothing."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def __await__(self) -> Generator[Any, Any, bytes]:
        yield from ()
        try:
            return next(self._blocks)
        except StopIteration:
            raise StopAsyncIteration from None


class _Taken:
    """What an event loop would call the task that takes a block. It is done before anybody asks."""

    def __init__(self, block: Any, never: bool) -> None:
        self._callback: Optional[Callable[[Any], Any]] = None
        self._error: Optional[BaseException] = None
        self._block: Any = None
        self._never = never  # the answer came early; to end the body here would be an error of its own
        if never:
            block.close()
            return
        try:
            block.send(None)
        except StopIteration as end:
            self._block = end.value
        except BaseException as error:  # noqa: BLE001 - it comes out where the answer is waited for
            self._error = error

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """As tasks have it: not called before its caller is through."""
        self._callback = callback

    def tell(self) -> None:
        """Call it."""
        callback, self._callback = self._callback, None
        if callback is not None and not self._never:
            callback(self)

    def result(self) -> Any:
        """As tasks have it."""
        if self._error is not None:
            raise self._error
        return self._block

    def cancel(self) -> None:
        """As tasks have it."""
