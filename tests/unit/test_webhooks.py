"""Webhooks: the specification's own vector, and what must be refused."""

from __future__ import annotations

import json
import time
from typing import Callable

import pytest

from nexusai import webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, MOMENT, PAYLOAD = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
EVENT = json.dumps(
    {
        "type": "task.completed",
        "timestamp": "2026-01-01T00:00:00Z",
        "data": {"task_id": "task_1", "status": "completed", "output": {"text": "你好"}},
    },
    ensure_ascii=False,
).encode()


def headers(payload: bytes = EVENT, *, moment: int = 0, signature: str = "") -> dict[str, str]:
    moment = moment or int(time.time())
    signed = signature or webhooks.sign(payload, "msg_1", moment, SECRET)
    return {"Webhook-Id": "msg_1", "WEBHOOK-TIMESTAMP": str(moment), "webhook-signature": signed}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in headers().items() if key != name}


def test_the_specification_s_vector() -> None:
    """With and without the prefix of the secret, as text and as bytes."""
    assert webhooks.sign(PAYLOAD, ID, MOMENT, SECRET) == SIGNATURE
    assert webhooks.sign(PAYLOAD.encode(), ID, MOMENT, SECRET[6:]) == SIGNATURE
    old = {"webhook-id": ID, "webhook-timestamp": str(MOMENT), "webhook-signature": SIGNATURE}
    webhooks.verify(PAYLOAD, old, SECRET, tolerance=float("inf"))


def test_an_event() -> None:
    """What it tells is a task."""
    event = webhooks.parse(EVENT, headers(), SECRET)
    assert (event.type, event.id, event.data.task_id) == ("task.completed", "msg_1", "task_1")
    assert event.data.output == {"text": "你好"}
    assert event.timestamp is not None


def test_the_receiver_says_how_old_an_event_may_be() -> None:
    """One that was kept for long can still be read."""
    old = headers(moment=MOMENT)
    assert webhooks.parse(EVENT, old, SECRET, tolerance=float("inf")).id == "msg_1"
    recent = headers(moment=int(time.time()) - 100)
    with pytest.raises(webhooks.WebhookVerificationError, match="too old"):
        webhooks.parse(EVENT, recent, SECRET, tolerance=50)


def test_several_signatures() -> None:
    """While secrets are changed there are two; of versions that we do not know, too."""
    good = webhooks.sign(EVENT, "msg_1", int(time.time()), SECRET)
    webhooks.verify(EVENT, headers(signature=f"v1a,xyz v1,AAAA {good}"), SECRET)


NO_HEADERS = "Expected the headers webhook-id, webhook-timestamp and webhook-signature."
NOT_NOW = "The webhook is too old, or from the future: is this computer's clock right?"
NO_FIT = "The signature does not fit: is the secret right, and the payload the body as it came?"
NO_EVENT = "The webhook is signed, but it holds no event."


@pytest.mark.parametrize(
    ("payload", "make_headers", "why"),
    [  # The headers are made when the test runs: a signature is good for five minutes only.
        (EVENT + b" ", headers, NO_FIT),
        (EVENT, lambda: headers(signature="v1,AAAA"), NO_FIT),
        (EVENT, lambda: {**headers(), "Webhook-Id": "msg_2"}, NO_FIT),
        (EVENT, lambda: headers(moment=int(time.time()) - 400), NOT_NOW),
        (EVENT, lambda: headers(moment=int(time.time()) + 400), NOT_NOW),
        (EVENT, lambda: {**headers(), "WEBHOOK-TIMESTAMP": "today"}, NOT_NOW),
        (EVENT, dict, NO_HEADERS),
        (EVENT, lambda: {**headers(), "Webhook-Id": ""}, NO_HEADERS),
        (EVENT, lambda: without("Webhook-Id"), NO_HEADERS),
        (EVENT, lambda: without("WEBHOOK-TIMESTAMP"), NO_HEADERS),
        (EVENT, lambda: without("webhook-signature"), NO_HEADERS),
        (EVENT, lambda: {**headers(), "webhook-signature": "é"}, NO_FIT),
        (b"[]", lambda: headers(b"[]"), NO_EVENT),
    ],
)
def test_refusals(payload: bytes, make_headers: Callable[[], dict[str, str]], why: str) -> None:
    """Changed, old, unsigned, or no event: and the secret is never told."""
    with pytest.raises(webhooks.WebhookVerificationError) as caught:
        webhooks.parse(payload, make_headers(), SECRET)
    assert str(caught.value) == why
    assert SECRET[6:] not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_???", "pass word"])
def test_a_secret_that_is_none(secret: str) -> None:
    """It is a mistake of the receiver's, and told as one."""
    told = "^secret: expected the platform's webhook secret, `whsec_` and base64$"
    with pytest.raises(ValueError, match=told):
        webhooks.verify(EVENT, headers(), secret)
