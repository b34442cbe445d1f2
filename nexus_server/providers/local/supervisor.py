"""Keeps one model's child process running."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import signal
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from nexus_server.errors import Unavailable
from nexus_server.models.environment import without_secrets
from nexus_server.providers.local import child as child_module
from nexus_server.providers.local.child import ChildConfig

logger = logging.getLogger(__name__)

_STOP = 3.0  # seconds that a child gets to end by itself
_HEALTH = 5.0  # seconds that it gets to say that it is well
_TAIL = 20  # lines of its standard error that are kept


@dataclass(frozen=True)
class Endpoint:
    """Where a child answers, and the key it wants: another one for every child."""

    base_url: str
    api_key: str


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait before the next start: doubled each time, forgotten after a healthy run."""

    first: float = 0.5
    longest: float = 30.0
    healthy: float = 60.0

    def delay(self, failures: int) -> float:
        """The pause after that many failures in a row (at least one)."""
        return min(self.first * 2.0 ** min(failures - 1, 30), self.longest)


class StartError(Exception):
    """A child did not come up; the message says why."""


class Child:
    """One child process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self._process = process
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._pump = asyncio.create_task(self._read_stderr(name))
        self.endpoint = Endpoint("", "")
        self.seconds = 0.0

    @classmethod
    async def start(cls, config: ChildConfig, timeout: float) -> Child:
        """Start one and wait until its model has answered a first time.

        Raises:
            StartError: it reported an error, ended, or took longer than `timeout` seconds.
        """
        config = replace(config, api_key=secrets.token_urlsafe(32))
        process = await asyncio.create_subprocess_exec(
            # As a file and not with -m, which would import our packages first: 0.1 s, not 0.4 s.
            *(sys.executable, "-P", child_module.__file__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=without_secrets(),
            start_new_session=True,  # Ctrl-C is for the server: it ends its children itself
        )
        child = cls(process, Path(config.path).name)
        try:
            async with asyncio.timeout(timeout):
                await child._handshake(config)
        except TimeoutError:
            await child.kill()
            raise StartError(f"it did not load within {timeout:g} seconds, and was ended") from None
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended, as far as we know."""
        return self._process.returncode is None

    async def wait(self) -> str:
        """Wait for its end; how it ended, for the log."""
        code = await self._process.wait()
        await self._pump
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return "; ".join([how, *list(self._tail)[-3:]])

    async def ends_within(self, seconds: float) -> bool:
        """Wait that long for its end; whether it ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()
        return not self.running

    async def answers(self) -> bool:
        """Whether its HTTP server says that it is well, within a few seconds."""
        address = self.endpoint.base_url.removesuffix("/v1")
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=_HEALTH) as client:
                return (await client.get(f"{address}/health")).is_success
        except httpx.HTTPError:
            return False

    async def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        _streams(self._process)[0].close()
        if not await self.ends_within(_STOP):
            self.send_kill()
        await self._reap()

    async def kill(self) -> None:
        """End it now."""
        self.send_kill()
        await self._reap()

    def send_kill(self) -> None:
        """End it, without waiting for that."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _reap(self) -> None:
        stdin, stdout, _ = _streams(self._process)
        await self._process.wait()
        stdin.close()
        await stdout.read()  # to its end, which lets the transport close
        await self._pump

    async def _handshake(self, config: ChildConfig) -> None:
        stdin, stdout, _ = _streams(self._process)
        with suppress(ConnectionError):  # it died already; the missing answer tells
            stdin.write(config.to_line())
            await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise StartError(f"the process {await self.wait()} while loading")
        answer = json.loads(line)
        if "error" in answer:
            await self.wait()  # so that all it said is here
            raise StartError(self._why() or answer["error"])
        self.endpoint = Endpoint(f"{answer['address']}/v1", config.api_key)
        self.seconds = answer["seconds"]

    def _why(self) -> str:
        """What llama.cpp itself said about a file that it could not load."""
        matches = [re.search(r"error loading model: (.+)", line) for line in self._tail]
        return next((match[1] for match in matches if match), "")

    async def _read_stderr(self, name: str) -> None:
        stderr = _streams(self._process)[2]
        while line := await stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._tail.append(text)
            logger.debug("%s: %s", name, text)


class ModelProcess:
    """A model that is kept running: started at first use, and again after a crash.

    A start that fails is not repeated by itself, because a broken file stays broken: whoever asks
    next tries again, once the pause has passed that the failures so far call for.
    """

    def __init__(
        self,
        model_id: str,
        config: ChildConfig,
        *,
        start_timeout: float = 120.0,
        backoff: Backoff = Backoff(),
    ) -> None:
        """`start_timeout` is in seconds, from the start of the process to its first token."""
        self.model_id = model_id
        self.slots = asyncio.Semaphore(config.slots)
        self.users = 0
        """Requests that are using or awaiting this model; the provider counts them."""
        self._config = config
        self._start_timeout = start_timeout
        self._backoff = backoff
        self._failures = 0
        self._retry_at = 0.0
        self._closed = False
        self._replaced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._attempt: asyncio.Future[Child | StartError] | None = None

    def start(self) -> None:
        """Begin loading, unless that is done or under way, or we were closed."""
        if self._closed:
            return
        if self._task is None or self._task.done():
            self._next_attempt()
            self._task = asyncio.create_task(self._run(), name=f"model {self.model_id}")

    async def ready(self) -> Child:
        """The running child, once its model has loaded; a restart is waited for.

        Raises:
            Unavailable: it did not start, or failed so recently that it is not tried again yet.
        """
        if not self._pausing():
            self.start()
        if self._attempt is None:
            raise Unavailable(f"The local model {self.model_id} is being stopped.")
        outcome = await asyncio.shield(self._attempt)
        while isinstance(outcome, Child) and not outcome.running:
            await self._replaced.wait()
            outcome = await asyncio.shield(self._attempt)
        if isinstance(outcome, StartError):
            pause = max(self._retry_at - asyncio.get_running_loop().time(), 0.0)
            raise Unavailable(
                f"The local model {self.model_id} could not be started: {outcome}.",
                retry_after=round(pause, 1),
            )
        return outcome

    async def examine(self, child: Child) -> None:
        """After an answer broke off: end the child if it hangs, so that it is started again.

        Returns once it is known to have ended, or to answer.
        """
        if not await child.ends_within(1.0) and not await child.answers():
            logger.error("The local model %s hangs; ending it", self.model_id)
            child.send_kill()
            await child.ends_within(_STOP)

    async def close(self) -> None:
        """End the child, and whatever waits for it; nothing starts it again."""
        self._closed = True
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def _pausing(self) -> bool:
        """Whether the last start failed, and it is too early for another one."""
        failed = self._task is not None and self._task.done()
        return failed and asyncio.get_running_loop().time() < self._retry_at

    async def _run(self) -> None:
        """Keep a child running until a start fails, or we are cancelled."""
        try:
            while await self._run_once():
                pass
        finally:
            if self._has_settled_child():
                self._next_attempt()
            self._settle(StartError("it was stopped"))

    async def _run_once(self) -> bool:
        """One child's life; whether there should be another."""
        clock = asyncio.get_running_loop().time
        try:
            child = await Child.start(self._config, self._start_timeout)
        except (StartError, OSError, ValueError) as error:
            self._retry_at = clock() + self._count_failure()
            logger.error("The local model %s could not be started: %s", self.model_id, error)
            self._settle(error if isinstance(error, StartError) else StartError(str(error)))
            return False
        logger.info("The local model %s is loaded (%.1f s)", self.model_id, child.seconds)
        self._replaced.clear()
        self._settle(child)
        since = clock()
        try:
            ending = await child.wait()
        finally:
            await child.stop()
        self._next_attempt()
        if clock() - since >= self._backoff.healthy:
            self._failures = 0
        pause = self._count_failure()
        logger.error("The local model %s %s; starting it again in %g s", self.model_id, ending, pause)
        await asyncio.sleep(pause)
        return True

    def _count_failure(self) -> float:
        """One more; the seconds to wait for it."""
        self._failures += 1
        return self._backoff.delay(self._failures)

    def _has_settled_child(self) -> bool:
        attempt = self._attempt
        return attempt is not None and attempt.done() and isinstance(attempt.result(), Child)

    def _next_attempt(self) -> None:
        """From now on, callers wait for the next child."""
        self._attempt = asyncio.get_running_loop().create_future()
        self._replaced.set()

    def _settle(self, outcome: Child | StartError) -> None:
        attempt = self._attempt
        if attempt is not None and not attempt.done():
            attempt.set_result(outcome)


def _streams(
    process: asyncio.subprocess.Process,
) -> tuple[asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamReader]:
    """The three pipes, which are there because we asked for them."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("the process was started without pipes")
    return process.stdin, process.stdout, process.stderr
