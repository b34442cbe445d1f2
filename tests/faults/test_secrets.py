# Generated from tests/aio/faults/test_secrets.py by scripts/unasync.py: edit that file.

"""Whatever happens, and whoever looks: the key is nowhere to be seen."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import warnings
from contextlib import suppress
from typing import Any, Callable, Dict, List

import pytest
from conftest import KEY
from faults.leaks import all_of, inside
from faults.server import (
    DONE,
    STREAM_HEAD,
    Act,
    FaultServer,
    completed,
    delta,
    drop,
    event,
    hang,
    head,
    reply,
    reset,
    stream,
    trickle,
)

import nexusai
from nexusai import error as errors

ECHO = {"detail": f"bad key {KEY}", "error_code": KEY, "headers": {"authorization": f"Bearer {KEY}"}}

FAULTS: Dict[str, Act] = {
    "closed": drop(),
    "reset": reset(),
    "no http": drop(b"GARBAGE\r\n\r\n"),
    "half a head": drop(b"HTTP/1.1 200 OK\r\nx: "),
    "half a body": drop(head(200, {"content-length": "99"}), b"{"),
    "bad chunks": drop(head(200, {"transfer-encoding": "chunked"}), b"zz\r\n"),
    "silence": hang(),
    "silence in a body": hang(head(200, {"content-length": "99"}), b"{"),
    "a trickle": trickle(head(200, {"content-length": "2", "x": "x" * 200}), 0.05),
    "refused, with the key": reply(401, ECHO),
    "refused, with the key in a text": reply(403, raw=f"who is {KEY}?".encode()),
    "failed, with the key": reply(500, ECHO),
    "wrong fields, with the key": reply(422, {"detail": [{"loc": ["header"], "msg": KEY}]}),
    "no json, with the key": reply(200, raw=f"<html>{KEY}".encode()),
    "no task, with the key": reply(200, ECHO),
    "another content, with the key": reply(200, raw=KEY.encode(), content_type=f"text/{KEY}"),
    "a redirect": reply(307, ECHO, location="http://127.0.0.1:1/"),
    "no content": reply(204, raw=b""),
    "an error in a stream": stream(delta("a"), event({"error": {"message": KEY, "code": KEY}})),
    "no chunk, with the key": stream(event(KEY), DONE),
    "a failed task, with the key as its request's id": reply(
        200, {"task_id": "t", "status": "failed"}, x_request_id=KEY
    ),
    "a cut stream": drop(STREAM_HEAD, delta("a")),
    "a reset stream": reset(STREAM_HEAD, delta("a")),
    "a stream that falls silent": hang(STREAM_HEAD, delta("a")),
    "an endless event": drop(STREAM_HEAD, b"data: ", *[b"x" * 2**20] * 9),
}
Calls = Dict[str, Callable[[nexusai.NexusAIClient], Any]]


def a_stream(client: nexusai.NexusAIClient) -> Any:
    return client.text.stream("hi").read()


def an_upload(client: nexusai.NexusAIClient) -> Any:
    return client.files.upload(b"x" * 3_000_000, "a.txt")


def a_download(client: nexusai.NexusAIClient) -> Any:
    return (client.files.download("f")).read()


def a_generation(client: nexusai.NexusAIClient) -> Any:
    return client.text.generate("hi")


def a_listing(client: nexusai.NexusAIClient) -> Any:
    return client.models.list()


CALLS: Calls = {
    "generate": a_generation,
    "stream": a_stream,
    "upload": an_upload,
    "download": a_download,
    "list": a_listing,
}


PAIRS = [
    (fault, call)
    for fault in FAULTS
    for call in (["stream"] if "stream" in fault or "chunk" in fault else ["generate", "upload", "download"])
]


@pytest.mark.parametrize(("fault", "call"), [*PAIRS, ("no task, with the key", "list")])
def test_no_failure_shows_the_key(
    faults: FaultServer,
    client: nexusai.NexusAIClient,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    call: str,
) -> None:
    """In no message, cause, note, pickle or log of any logger, nor in the variables of any frame."""
    caplog.set_level(logging.DEBUG)
    faults.plays(*[FAULTS[fault]] * 4)
    secretive = client.with_options(timeout=0.3, max_retries=0, default_headers={"X-Tenant": f"t-{KEY}"})
    told: List[str] = []
    with warnings.catch_warnings(record=True) as warned:
        try:
            CALLS[call](secretive)
        except errors.APIError as error:
            told.append(all_of(error))
    assert not any(KEY in text for text in told)
    assert told or call == "download"
    shown = "\n".join(f"{record.getMessage()} {record.args!r}" for record in caplog.records)
    assert KEY not in shown
    assert not any(KEY in str(warning.message) for warning in warned)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/x", "https://127.0.0.1:1/x", "http://nowhere.invalid/"]
)
def test_no_failure_to_connect_shows_the_key(address: str) -> None:
    """Nor does one that never got so far."""
    client = nexusai.NexusAIClient(KEY, address, timeout=2, max_retries=0)
    with pytest.raises(errors.NetworkError) as caught:
        client.text.generate("hi")
    assert KEY not in all_of(caught.value)


def test_no_object_shows_the_key(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Whatever a client gives away, and all that these hold; also as a copy, and in `dir`."""
    session = {"session_id": "s", "agent_type": "a", "is_active": True}
    faults.plays(
        reply(200, completed()), reply(200, completed()), reply(200, session), stream(delta("a"), DONE)
    )
    again = client.with_options(api_key=KEY, default_headers={"Authorization": f"Bearer {KEY}"})
    reading = client.text.stream("x")
    objects: List[Any] = [client, again, nexusai.config, client.text, reading]
    objects.append(client.text.generate("hi"))
    objects.append(client.tasks.get("t"))
    objects.append(client.sessions.get("s"))
    reading.read()
    objects += [reading.response, *gc.get_referents(reading)]
    for each in objects:
        assert not any(KEY in text for text in inside(each)), type(each)
        assert not any(KEY in name for name in dir(each))
        with suppress(TypeError):  # a stream cannot be copied
            assert not any(KEY in text for text in inside(copy.copy(each)))
    for answer in objects[5:6]:
        assert KEY.encode() not in pickle.dumps(answer)


BAD = [
    f"{KEY}\r\nX: y",
    f" {KEY}",
    f"{KEY} ",
    f"{KEY}\n",
    f"{KEY}\0",
    f"密{KEY}",
    f"{KEY} {KEY}" * 400,
    "\ud800" + KEY,
]


@pytest.mark.parametrize("key", [*BAD, "", KEY.encode(), [KEY], 7])
def test_a_key_that_cannot_be_is_refused_unseen(key: Any) -> None:
    """At construction, by whatever way it came."""
    kinds = (errors.AuthenticationError, ValueError, TypeError)
    with pytest.raises(kinds) as caught:
        nexusai.NexusAIClient(key)
    assert KEY not in all_of(caught.value)
    if isinstance(key, str) and key:
        nexusai.config.api_key = key
        with pytest.raises(kinds) as caught:
            nexusai.NexusAIClient()
        assert KEY not in all_of(caught.value)
        assert not any(KEY in text for text in inside(nexusai.config))


@pytest.mark.parametrize(
    "wrong", [{"timeout": -1}, {"base_url": "nowhere"}, {"max_retries": "x"}, {"http_client": 7}]
)
def test_another_wrong_setting_does_not_show_the_key(wrong: Dict[str, Any]) -> None:
    """The frames of the constructor hold it, and do not show it."""
    secrets = {"X-Token": KEY}
    with pytest.raises((ValueError, TypeError)) as caught:
        nexusai.NexusAIClient(KEY, default_headers=secrets, **wrong)
    assert KEY not in all_of(caught.value)
    client = nexusai.NexusAIClient("k")
    with pytest.raises((ValueError, TypeError)) as caught:
        client.with_options(api_key=KEY, default_headers=secrets, **wrong)
    assert KEY not in all_of(caught.value)


def test_a_stream_that_breaks_over_the_key_does_not_show_it(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """What the protocol's reader says of a broken line quotes it."""
    framed = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    faults.plays(drop(framed + f"{KEY}\r\n".encode()))
    with pytest.raises(errors.APIError) as caught:
        client.with_options(max_retries=0).text.stream("hi").read()
    assert KEY not in f"{caught.value} {caught.value.attempts}"


def test_no_request_id_shows_the_key(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """A platform may call a request by it: in errors, results and what hooks are told."""
    seen: List[Any] = []
    watched = client.with_options(on_response=seen.append)
    faults.plays(
        reply(200, raw=b"x", content_encoding="gzip", x_request_id=KEY),
        reply(200, completed(), x_request_id=KEY),
        reply(200, raw=b"x", x_request_id=KEY),
    )
    with pytest.raises(errors.InvalidResponseError, match="compressed") as caught:
        watched.text.generate("hi")
    answer = watched.text.generate("hi")
    download = watched.files.download("f")
    download.read()
    told = [caught.value, answer, download, *seen]
    assert [each.request_id for each in told] == ["***"] * 6
