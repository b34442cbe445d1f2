"""Webhooks: telling whom it concerns that a task has ended.

Signed as the Standard Webhooks specification says, and delivered at least once: a delivery is
written in the transaction that ends the task, and stays due until its receiver has taken it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import random
import secrets
import ssl
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_server.errors import InvalidRequest, StartupError
from nexus_server.services.addresses import Address, is_public, resolve
from nexus_server.services.telling import task_body
from nexus_server.settings import ServerSettings
from nexus_server.store import webhooks as store
from nexus_server.store.clock import iso, now_ms
from nexus_server.store.data_dir import write_private
from nexus_server.store.database import Database
from nexus_server.store.tasks import TaskRecord
from nexus_server.store.webhooks import Delivery

_logger = logging.getLogger(__name__)

# Seconds before each further attempt: the schedule that the Standard Webhooks specification recommends.
_PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
_JITTER = 0.2  # a pause is up to so much longer, lest those that failed together come back together
_LONGEST_WAIT = 86_400.0  # a receiver's Retry-After counts up to a day
_AT_ONCE = 32
_AT_ONCE_EACH = 4  # to one receiver
_ANSWER_BYTES = 64 * 1024
_SKIM_SECONDS = 1.0
_LOOK_UP_SECONDS = 2.0  # for a name, while its request is held
_IDLE_SECONDS = 60.0
_AFTER_TROUBLE_SECONDS = 5.0
_LAST_SECONDS = 1.0  # for what is under way when the server stops

_PREFIX = "whsec_"
_KEY_BYTES = (24, 64)


class RefusedAddressError(Exception):
    """A receiver at an address that the platform may not call."""


async def check_webhook_url(url: str, settings: ServerSettings) -> None:
    """See whether webhooks may be delivered there, as far as it can be known beforehand.

    A name that cannot be looked up now is let pass: it is looked up again at each attempt.

    Raises:
        InvalidRequest: it is no address of a receiver, or one on this machine or its networks.
    """
    try:
        receiver = _Receiver.parse(url, settings)
        async with asyncio.timeout(_LOOK_UP_SECONDS):
            await receiver.addresses()
    except RefusedAddressError as error:
        raise InvalidRequest(f"webhook_url cannot be used: {error}") from error
    except (OSError, TimeoutError):
        return


def load_secret(settings: ServerSettings) -> bytes:
    """The key that signs: the setting's, or that of the file `webhook_secret`, which is made if need be.

    Raises:
        StartupError: what is there is no secret.
    """
    if settings.webhook_secret is not None:
        return _decode_secret(settings.webhook_secret.get_secret_value(), "The setting webhook_secret")
    path = settings.data_dir / "webhook_secret"
    text = _read_secret(path)
    if text is None:
        text = _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        write_private(path, text + "\n")
    return _decode_secret(text, str(path))


def sign(secret: bytes, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature`: version 1, HMAC-SHA256 of id, time and body."""
    signed = b".".join((delivery_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


class WebhookService:
    """Writes deliveries, and makes them in the background."""

    def __init__(self, database: Database, settings: ServerSettings, secret: bytes) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret
        self._origin = (settings.public_url or "").rstrip("/")
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._receivers: Counter[str] = Counter()
        self._wanted = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver; first of all what an earlier server left."""
        self._dispatcher = asyncio.create_task(self._dispatch())

    async def close(self) -> None:
        """Stop. What is not delivered stays due."""
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            await asyncio.wait([self._dispatcher])
        sending = list(self._sending.values())
        if sending:
            await asyncio.wait(sending, timeout=_LAST_SECONDS)
            for task in sending:
                task.cancel()
            await asyncio.wait(sending)

    async def announce(self, connection: AsyncConnection, task: TaskRecord) -> None:
        """Write that the end of this task is to be told, in the transaction that ends it."""
        if task.webhook_url is None:
            return
        moment = task.finished_at or now_ms()
        message = {
            "type": f"task.{task.status}",
            "timestamp": iso(moment),
            "data": task_body(task, self._origin),
        }
        delivery = Delivery(
            id=store.new_delivery_id(),
            task_id=task.id,
            url=task.webhook_url,
            receiver=httpx.URL(task.webhook_url).netloc.decode(),
            body=json.dumps(message, ensure_ascii=False, separators=(",", ":")),
            created_at=moment,
            next_attempt_at=moment,
        )
        await store.insert(connection, delivery)

    def nudge(self) -> None:
        """There may be something to deliver."""
        self._wanted.set()

    async def _dispatch(self) -> None:
        while True:
            try:
                self._wanted.clear()
                moment = now_ms()  # of both questions, so that nothing falls due between them
                await self._begin_due(moment)
                pause = await self._pause(moment)
            except Exception:
                _logger.exception("Webhooks could not be looked up; it is tried again.")
                pause = _AFTER_TROUBLE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    async def _begin_due(self, moment: int) -> None:
        """Begin what is due, as far as there is room."""
        while (room := _AT_ONCE - len(self._sending)) > 0:
            busy = [name for name, count in self._receivers.items() if count >= _AT_ONCE_EACH]
            async with self._database.read() as connection:
                found = await store.due(
                    connection, moment, under_way=list(self._sending), busy=busy, limit=room
                )
            if not found:
                return
            for delivery in found:
                if self._receivers[delivery.receiver] < _AT_ONCE_EACH:
                    self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        def ended(_: asyncio.Task[None]) -> None:
            del self._sending[delivery.id]
            self._receivers[delivery.receiver] -= 1
            if not self._receivers[delivery.receiver]:
                del self._receivers[delivery.receiver]
            self._wanted.set()

        self._receivers[delivery.receiver] += 1
        self._sending[delivery.id] = asyncio.create_task(self._deliver(delivery))
        self._sending[delivery.id].add_done_callback(ended)

    async def _pause(self, moment: int) -> float:
        """Seconds until something falls due by itself."""
        async with self._database.read() as connection:
            following = await store.next_moment(connection, moment)
        if following is None:
            return _IDLE_SECONDS
        return min(max(following - now_ms(), 0) / 1000, _IDLE_SECONDS)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await self._attempt(delivery)
            await self._record(delivery, outcome)
        except Exception:
            # It is still due: without this pause it would be sent again at once, and again.
            _logger.exception("Webhook %s could not be attempted; it stays due.", delivery.id)
            await asyncio.sleep(_AFTER_TROUBLE_SECONDS)

    async def _attempt(self, delivery: Delivery) -> _Outcome:
        try:
            async with asyncio.timeout(self._settings.webhook_timeout):
                return await self._post(delivery)
        except TimeoutError:
            return _Outcome(f"no answer within {self._settings.webhook_timeout:g} s")
        except RefusedAddressError as error:
            return _Outcome(str(error))
        except (OSError, httpx.HTTPError, ssl.SSLError) as error:
            return _Outcome(f"{type(error).__name__}: {error}")

    async def _post(self, delivery: Delivery) -> _Outcome:
        receiver = _Receiver.parse(delivery.url, self._settings)
        unreachable: Exception = OSError("the name stands for no address")
        for address in await receiver.addresses():
            try:
                return await self._post_to(address, receiver, delivery)
            except httpx.ConnectError as error:
                unreachable = error
        raise unreachable

    async def _post_to(self, address: Address, receiver: _Receiver, delivery: Delivery) -> _Outcome:
        """Send to the very address that was judged; the name is only for the receiver to read."""
        body = delivery.body.encode()
        timestamp = int(time.time())
        headers = {
            "host": receiver.url.netloc.decode(),
            "content-type": "application/json",
            "user-agent": "Nexus-AI-Webhooks/1",
            "accept-encoding": "identity",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, delivery.id, timestamp, body),
        }
        # A connection belongs to one attempt: a pool would know it by its address alone, and lend one
        # whose certificate is for another name.
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        client = httpx.AsyncClient(
            transport=transport, timeout=self._settings.webhook_timeout, trust_env=False
        )
        request = client.build_request(
            "POST",
            receiver.url.copy_with(host=str(address)),
            content=body,
            headers=headers,
            extensions={"sni_hostname": receiver.url.raw_host.decode()},
        )
        async with client:
            response = await client.send(request, stream=True)
            try:
                with suppress(httpx.HTTPError, TimeoutError):  # the status has said it all
                    async with asyncio.timeout(_SKIM_SECONDS):
                        await _skim(response)
            finally:
                await response.aclose()
        return _judged(response)

    async def _record(self, delivery: Delivery, outcome: _Outcome) -> None:
        async with self._database.write() as connection:
            if outcome.error is None:
                await store.set_delivered(connection, delivery.id)
                return
            moment = self._next_attempt(delivery, outcome)
            await store.set_failed(connection, delivery.id, error=outcome.error, next_attempt_at=moment)
        if moment is None:
            _logger.warning("Webhook %s is given up: %s.", delivery.id, outcome.error)

    def _next_attempt(self, delivery: Delivery, outcome: _Outcome) -> int | None:
        if outcome.gone or delivery.attempts >= len(_PAUSES):
            return None
        jitter = random.uniform(1, 1 + _JITTER)  # noqa: S311
        pause = _PAUSES[delivery.attempts] * jitter * self._settings.webhook_retry_scale
        return now_ms() + int(1000 * max(pause, outcome.retry_after))

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()  # slow to build, so only where it is needed, and once


@dataclass(frozen=True)
class _Outcome:
    """What an attempt came to: delivered if there is no error."""

    error: str | None = None
    gone: bool = False
    retry_after: float = 0.0


@dataclass(frozen=True)
class _Receiver:
    """Where a webhook goes, as it was parsed once: what is judged is what is called."""

    url: httpx.URL
    port: int
    private: bool
    """Whether it may be on this machine or its networks."""

    @classmethod
    def parse(cls, url: str, settings: ServerSettings) -> _Receiver:
        """Read a URL.

        Raises:
            RefusedAddressError: it is none that can be called.
        """
        private = settings.webhook_allow_private
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise RefusedAddressError("it is not a URL.") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise RefusedAddressError("it must begin with https:// or http:// and a host.")
        if parsed.userinfo:
            raise RefusedAddressError("it must not hold a user name or a password.")
        port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
        if parsed.port == 0 or port > 65_535:
            raise RefusedAddressError("its port must be one of 1 to 65535.")
        if port < 1024 and port not in (80, 443) and not private:
            raise RefusedAddressError("below 1024, only the ports 80 and 443 are allowed.")
        return cls(parsed, port, private)

    async def addresses(self) -> list[Address]:
        """What its host stands for at this moment.

        Raises:
            RefusedAddressError: any of it is on this machine or its networks.
            OSError: it stands for nothing.
        """
        found = await resolve(self.url.raw_host.decode(), self.port)
        if not self.private and not all(is_public(address) for address in found):
            raise RefusedAddressError(
                f"{self.url.host} is on this machine or in a private network. To allow that, set "
                "webhook_allow_private (NEXUS_SERVER_WEBHOOK_ALLOW_PRIVATE=true)."
            )
        return found


async def _skim(response: httpx.Response) -> None:
    """Read the answer, so that its sender is not cut off; but not without end."""
    size = 0
    async for block in response.aiter_raw():
        size += len(block)
        if size >= _ANSWER_BYTES:
            return


def _judged(response: httpx.Response) -> _Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return _Outcome()
    retry_after = _seconds(response.headers.get("retry-after", ""))
    return _Outcome(f"answered {status}", gone=status == 410, retry_after=retry_after)


def _seconds(retry_after: str) -> float:
    """A `Retry-After` as seconds from now, whether it is a number or a date; 0 if it is neither."""
    if retry_after.isascii() and retry_after.isdecimal():
        return min(float(retry_after), _LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _read_secret(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} cannot be read: correct it, or delete it.") from error


def _decode_secret(text: str, place: str) -> bytes:
    least, most = _KEY_BYTES
    try:
        if not text.startswith(_PREFIX):
            raise ValueError
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if not least <= len(secret) <= most:
        form = f"{_PREFIX} and {least} to {most} bytes in base64"
        raise StartupError(f"{place} does not hold a webhook secret: it must be {form}.")
    return secret
