"""Webhooks: what the platform sends when a task has ended.

    import nexusai

    @app.post("/hooks/nexus")
    async def hook(request):
        event = nexusai.webhooks.parse(await request.body(), request.headers, secret="whsec_…")
        if event.type == "task.completed":
            print(event.data.output)

They are signed as the Standard Webhooks specification says. A webhook may come more than once: its
`id` stays the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import Mapping, Optional, Union

from nexusai.error import APIError
from nexusai.models import Model, Task, Time

__all__ = ["TOLERANCE", "WebhookEvent", "WebhookVerificationError", "parse", "sign", "verify"]

TOLERANCE = 300
"""Seconds by which the sender's clock and ours may differ: the specification's five minutes."""

_PREFIX = "whsec_"
_MANY_DIGITS = 16
"""No clock shows so many seconds."""


class WebhookVerificationError(APIError):
    """This was not sent by the platform, or was changed on its way, or is an old one sent again."""


class WebhookEvent(Model):
    """A webhook.

    Attributes:
        type: `task.completed`, `task.failed` or `task.cancelled`.
        id: the same each time when it is sent more than once.
        data: the task, as `tasks.get` would tell it.
    """

    type: str
    timestamp: Optional[Time] = None
    data: Task
    id: Optional[str] = None


def verify(
    payload: Union[bytes, str],
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = TOLERANCE,
) -> None:
    """See that a webhook was sent by the platform, now, as it is.

    `payload` is the body as it came, before any parsing; `secret` the platform's, `whsec_…`.

    Raises:
        WebhookVerificationError: it was not.
        ValueError: the secret is none.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    signatures = found.get("webhook-signature", "").split()
    if not (message_id and timestamp and signatures):
        raise WebhookVerificationError(
            "Expected the headers webhook-id, webhook-timestamp and webhook-signature."
        )
    moment = int(timestamp) if timestamp.isdecimal() and len(timestamp) < _MANY_DIGITS else 0
    if not moment or abs(time.time() - moment) > tolerance:
        raise WebhookVerificationError(
            "The webhook is too old, or from the future: is this computer's clock right?"
        )
    expected = sign(payload, message_id, moment, secret)
    # All are compared, and each in constant time: nothing can be learned from how long this takes.
    matches = [hmac.compare_digest(expected.encode(), _bytes(given)) for given in signatures]
    if not any(matches):
        raise WebhookVerificationError(
            "The signature does not fit: is the secret right, and the payload the body as it came?"
        )


def parse(
    payload: Union[bytes, str],
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float = TOLERANCE,
) -> WebhookEvent:
    """Verify a webhook, and read it.

    Raises:
        WebhookVerificationError: it was not sent by the platform, now, as it is; or holds no event.
        ValueError: the secret is none.
    """
    verify(payload, headers, secret, tolerance=tolerance)
    try:
        event = WebhookEvent.model_validate_json(payload)
    except ValueError as error:
        raise WebhookVerificationError("The webhook is signed, but it holds no event.") from error
    event.id = next(value for name, value in headers.items() if name.lower() == "webhook-id")
    return event


def sign(payload: Union[bytes, str], message_id: str, timestamp: int, secret: str) -> str:
    """The signature of a webhook, `v1,…`: what a sender does, and a test of a receiver.

    Raises:
        ValueError: the secret is none.
    """
    body = _bytes(payload) if isinstance(payload, str) else payload
    signed = _bytes(f"{message_id}.{timestamp}.") + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def _bytes(text: str) -> bytes:
    return text.encode(
        "utf-8", "surrogatepass"
    )  # what was no UTF-8 fits no signature, and is no crash either


def _key(secret: str) -> bytes:
    encoded = secret[len(_PREFIX) :] if secret.startswith(_PREFIX) else secret
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("secret: expected the platform's webhook secret, `whsec_` and base64")
    return key
