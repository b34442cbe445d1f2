"""Every fault comes to the same in both colours and on both transports: error, status, attempts, words."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, List, NamedTuple, Tuple

import pytest
from conftest import TRANSPORTS
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
    send,
    stream,
    trickle,
)

import nexusai

AGAIN = {"retry_after": "0"}
TASK = reply(202, {"task_id": "task_1", "status": "queued"})
RUNNING = reply(200, {"task_id": "task_1", "status": "running"})
FAILED = reply(200, {"task_id": "t", "status": "failed", "error": {"code": "X", "message": "no room"}})
LONG = {"content-length": "100"}


STATUSES = [300, 307, 400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 422, 429, 500, 501, 502, 503]


def _refusal(status: int) -> Act:
    return reply(status, {"detail": "why", "error_code": "C"}, x_request_id="req_7", **AGAIN)


class Fault(NamedTuple):
    """What is called, and what the server does about it."""

    call: str
    acts: List[Act]
    timeout: float = 5.0


FAULTS: Dict[str, Fault] = {
    **{f"status {status}": Fault("generate", [_refusal(status)] * 2) for status in STATUSES},
    "an hour": Fault("generate", [reply(429, {"detail": "slow"}, retry_after="3600")]),
    "then it works": Fault("generate", [reply(503, {}, **AGAIN), drop(), reply(200, completed())]),
    "drops": Fault("generate", [drop()] * 3),
    "resets": Fault("generate", [reset()] * 3),
    "half a head": Fault("generate", [drop(b"HTTP/1.1 200 OK\r\ncontent-le")] * 3),
    "half a body": Fault("generate", [drop(head(200, LONG), b'{"task_id"')] * 3),
    "half a chunk": Fault("generate", [drop(head(200, {"transfer-encoding": "chunked"}), b"5\r\nab")] * 3),
    "junk": Fault("generate", [send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")] * 3),
    "html": Fault("generate", [reply(200, raw=b"<html>", content_type="text/html")]),
    "nothing": Fault("generate", [reply(200, raw=b"")]),
    "a list": Fault("generate", [reply(200, [1])]),
    "no text": Fault("generate", [reply(200, {**completed(), "output": {}})]),
    "packed": Fault("generate", [reply(200, completed(), content_encoding="gzip")]),
    "silence": Fault("generate", [hang()], 0.3),
    "silence after a head": Fault("get", [hang(head(200, LONG))] * 3, 0.3),
    "a trickle": Fault("get", [trickle(head(200, LONG) + b"x" * 99, 0.05)] * 3, 0.4),
    "a failed task": Fault("generate", [TASK, FAILED]),
    "a task that is lost": Fault("generate", [TASK, RUNNING, *[reply(503, {}, **AGAIN)] * 3]),
    "a stream": Fault("stream", [stream(delta("a"), delta("b"), DONE)]),
    "a stream that is refused": Fault("stream", [reply(401, {"detail": "Invalid API key"})]),
    "a stream that is html": Fault("stream", [reply(200, raw=b"<html>", content_type="text/html")]),
    "a stream without its end": Fault("stream", [drop(STREAM_HEAD, delta("a")), *[reply(404, {})] * 4]),
    "a stream that fails": Fault("stream", [stream(delta("a"), event({"error": {"message": "gone"}}))]),
    "a stream of junk": Fault("stream", [stream(event("not json"), DONE)]),
    "a stream that hangs": Fault("stream", [hang(STREAM_HEAD, delta("a")), *[reply(404, {})] * 4], 0.4),
    "a stream of nothing": Fault("stream", [drop(STREAM_HEAD)] * 4),
    "no file": Fault("download", [reply(404, {"detail": "no such file"})]),
    "half a file": Fault("download", [drop(head(200, LONG), b"x" * 10)]),
    "an upload refused": Fault("upload", [reply(413, {"detail": "too long"})]),
    "an upload cut": Fault("upload", [drop()] * 3),
}

Work = Callable[[Any], Any]
SYNC: Dict[str, Work] = {
    "generate": lambda client: client.text.generate("hi").text,
    "get": lambda client: client.models.list(),
    "stream": lambda client: client.text.stream("hi").read().text,
    "download": lambda client: client.files.download("f").read(),
    "upload": lambda client: client.files.upload(("a.bin", b"x" * 100)),
}


async def _downloaded(client: nexusai.AsyncNexusAIClient) -> bytes:
    return await (await client.files.download("f")).read()


async def _streamed(client: nexusai.AsyncNexusAIClient) -> str:
    return (await client.text.stream("hi").read()).text


async def _generated(client: nexusai.AsyncNexusAIClient) -> str:
    return (await client.text.generate("hi")).text


AWAITED: Dict[str, Work] = {
    "generate": _generated,
    "get": lambda client: client.models.list(),
    "stream": _streamed,
    "download": _downloaded,
    "upload": lambda client: client.files.upload(("a.bin", b"x" * 100)),
}


def _outcome(work: Callable[[], Any], faults: FaultServer) -> Tuple[Any, ...]:
    """What a caller can tell of how it went."""
    try:
        return "result", work(), len(faults.requests)
    except nexusai.APIError as error:
        statuses = [attempt.outcome for attempt in error.attempts if attempt.outcome.isdecimal()]
        facts = (error.status_code, error.error_code, error.request_id, error.retry_after, error.is_retryable)
        more = (getattr(error, "partial_text", None), error.task_id, error.hint)
        return (
            type(error),
            facts,
            more,
            len(error.attempts),
            statuses,
            len(faults.requests),
            str(error)[:12],
        )


@pytest.mark.parametrize("name", list(FAULTS))
def test_the_same_in_both_colours(name: str) -> None:
    """Whichever way it is called."""
    outcomes = {}
    for transport in TRANSPORTS:
        outcomes[transport, "sync"] = _run(FAULTS[name], transport, awaited=False)
        outcomes[transport, "async"] = _run(FAULTS[name], transport, awaited=True)
    first, *others = outcomes.values()
    assert others == [first] * len(others), outcomes


def _run(fault: Fault, transport: str, *, awaited: bool) -> Tuple[Any, ...]:
    faults = FaultServer()
    faults.plays(*fault.acts)
    options: Any = {"timeout": fault.timeout, "max_retries": 1, "transport": transport}
    try:
        if awaited:
            return _outcome(lambda: asyncio.run(_awaited(AWAITED[fault.call], faults, options)), faults)
        with nexusai.NexusAIClient("k", faults.base_url, **options) as client:
            return _outcome(lambda: SYNC[fault.call](client), faults)
    finally:
        faults.stop()


async def _awaited(work: Callable[[Any], Awaitable[Any]], faults: FaultServer, options: Any) -> Any:
    async with nexusai.AsyncNexusAIClient("k", faults.base_url, **options) as client:
        return await work(client)
