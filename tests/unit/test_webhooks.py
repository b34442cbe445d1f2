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


def test_several_signatures() -> None:
    """While secrets are changed there are two; of versions that we do not know, too."""
    good = webhooks.sign(EVENT, "msg_1", int(time.time()), SECRET)
    webhooks.verify(EVENT, headers(signature=f"v1a,xyz v1,AAAA {good}"), SECRET)


@pytest.mark.parametrize(
    ("payload", "make_headers", "why"),
    [  # The headers are made when the test runs: a signature is good for five minutes only.
        (EVENT + b" ", headers, "does not fit"),
        (EVENT, lambda: headers(signature="v1,AAAA"), "does not fit"),
        (EVENT, lambda: {**headers(), "Webhook-Id": "msg_2"}, "does not fit"),
        (EVENT, lambda: headers(moment=int(time.time()) - 400), "too old"),
        (EVENT, lambda: headers(moment=int(time.time()) + 400), "future"),
        (EVENT, lambda: {**headers(), "WEBHOOK-TIMESTAMP": "today"}, "too old"),
        (EVENT, dict, "headers"),
        (EVENT, lambda: {**headers(), "webhook-signature": "é"}, "does not fit"),
        (b"[]", lambda: headers(b"[]"), "no event"),
    ],
)
def test_refusals(payload: bytes, make_headers: Callable[[], dict[str, str]], why: str) -> None:
    """Changed, old, unsigned, or no event: and the secret is never told."""
    with pytest.raises(webhooks.WebhookVerificationError, match=why) as caught:
        webhooks.parse(payload, make_headers(), SECRET)
    assert SECRET[6:] not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_???", "pass word"])
def test_a_secret_that_is_none(secret: str) -> None:
    """It is a mistake of the receiver's, and told as one."""
    with pytest.raises(ValueError, match="whsec_"):
        webhooks.verify(EVENT, headers(), secret)
