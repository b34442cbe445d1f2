"""Webhooks: the specification's own vector, and what must be refused."""

from __future__ import annotations

import ast
import json
import re
import sys
import time
from pathlib import Path
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


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("WEBHOOK-TIMESTAMP", "9" * 400, NOT_NOW),
        ("WEBHOOK-TIMESTAMP", "9" * 5000, NOT_NOW),
        ("WEBHOOK-TIMESTAMP", "\udcff", NOT_NOW),
        ("Webhook-Id", "msg_\udcff", NO_FIT),
        ("webhook-signature", "v1,\udcff", NO_FIT),
    ],
    ids=["long time", "longer time", "no time", "id", "signature"],
)
@pytest.mark.parametrize("tolerance", [300, float("inf")])
def test_headers_that_nobody_would_send(name: str, value: str, why: str, tolerance: float) -> None:
    """Numbers that no clock shows, and what was no UTF-8: refused like any other forgery."""
    with pytest.raises(webhooks.WebhookVerificationError, match=f"^{re.escape(why)}$"):
        webhooks.verify(EVENT, {**headers(), name: value}, SECRET, tolerance=tolerance)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_???", "pass word"])
def test_a_secret_that_is_none(secret: str) -> None:
    """It is a mistake of the receiver's, and told as one."""
    told = "^secret: expected the platform's webhook secret, `whsec_` and base64$"
    with pytest.raises(ValueError, match=told):
        webhooks.verify(EVENT, headers(), secret)


def test_no_byte_can_be_changed() -> None:
    """Of the payload, of the id, of the time, of the signature: whatever bit is flipped."""
    good = headers()
    webhooks.verify(EVENT, good, SECRET)
    for index in range(len(EVENT)):
        for bit in range(8):
            changed = EVENT[:index] + bytes([EVENT[index] ^ (1 << bit)]) + EVENT[index + 1 :]
            with pytest.raises(webhooks.WebhookVerificationError):
                webhooks.verify(changed, good, SECRET)
    for name, value in good.items():
        for index in range(len(value)):
            for bit in range(7):
                letter = chr(ord(value[index]) ^ (1 << bit))
                changed_value = value[:index] + letter + value[index + 1 :]
                if _says_the_same(value, changed_value):
                    continue
                with pytest.raises(webhooks.WebhookVerificationError):
                    webhooks.verify(EVENT, {**good, name: changed_value}, SECRET)


def _says_the_same(value: str, changed: str) -> bool:
    return value.split() == changed.split()


@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_nothing_can_be_left_out_or_added(cut: int) -> None:
    """At either end."""
    for changed in (EVENT[:cut], EVENT[cut:] + b" ", EVENT + EVENT[cut:][:1], b""):
        if changed != EVENT:
            with pytest.raises(webhooks.WebhookVerificationError):
                webhooks.verify(changed, headers(), SECRET)


def test_another_secret_s_signature() -> None:
    """Not even one that begins in the same way."""
    other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"
    signed = webhooks.sign(EVENT, "msg_1", int(time.time()), other)
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.verify(EVENT, headers(signature=signed), SECRET)


def test_one_that_is_sent_again_can_be_told() -> None:
    """It is valid, since a platform repeats what was not acknowledged; its id is the same each time."""
    first, again = headers(), headers()
    assert webhooks.parse(EVENT, first, SECRET).id == webhooks.parse(EVENT, again, SECRET).id == "msg_1"


@pytest.mark.skipif(sys.version_info < (3, 9), reason="`ast.unparse` is newer")
def test_signatures_are_compared_in_constant_time() -> None:
    """By `hmac.compare_digest`, all of them, and nothing about the secret is compared in another way."""
    tree = ast.parse(Path(webhooks.__file__).read_text(encoding="utf-8"))
    (function,) = [node for node in tree.body if getattr(node, "name", "") == "verify"]
    calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
    assert calls.count("hmac.compare_digest") == 1
    compared = {
        getattr(part, "id", "")
        for node in ast.walk(function)
        if isinstance(node, ast.Compare)
        for part in [node.left, *node.comparators]
    }
    assert not compared & {"expected", "secret", "given", "signatures"}
