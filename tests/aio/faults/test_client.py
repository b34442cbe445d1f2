"""The one client under all resources: what it adds to a request, what it makes of an answer."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional

import httpx
import pytest
from conftest import KEY
from faults.server import DONE, FaultServer, delta, drop, hang, reply, stream

import nexusai
from nexusai import error as errors
from nexusai.aio._internal._client import AsyncInternalClient, _may_repeat, _outcome
from nexusai.models import ModelInfo, Task

pytestmark = pytest.mark.anyio
QUEUED = {"task_id": "t", "status": "queued"}


async def test_an_ordinary_call_has_these_headers_and_no_others(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """A body has a type, a POST has a key by which it is done once."""
    internal = async_client._internal_client
    faults.plays(reply(200, {}), reply(200, {}), reply(200, {}))
    await internal.request("GET", "/x")
    await internal.request("POST", "/x")
    await internal.request("PUT", "/x", {"a": 1})
    got, posted, put = faults.requests
    always = {
        "host": faults.base_url.split("/")[2],
        "authorization": f"Bearer {KEY}",
        "user-agent": f"nexus-ai-python/{nexusai.__version__}",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",
    }
    for seen in (got, posted, put):  # how a body is framed is the transport's own affair
        seen.headers.pop("connection", None)
        seen.headers.pop("content-length", None)
    assert got.headers == always
    assert set(posted.headers) - set(always) == {"idempotency-key"}
    assert set(put.headers) - set(always) == {"content-type"}
    assert put.headers["content-type"] == "application/json"
    assert put.body == b'{"a":1}'


async def test_default_headers_go_with_every_call(faults: FaultServer) -> None:
    """In place of ours, where they have the same name; a call's own go before them."""
    mine = {"User-Agent": "mine", "X-Team": "a"}
    async with nexusai.AsyncNexusAIClient(KEY, faults.base_url, default_headers=mine) as client:
        faults.plays(reply(200, {}), reply(200, {}))
        await client._internal_client.request("GET", "/x")
        await client._internal_client.request("GET", "/x", headers={"x-team": "b"})
    first, second = faults.requests
    assert (first.headers["user-agent"], first.headers["x-team"]) == ("mine", "a")
    assert (second.headers["user-agent"], second.headers["x-team"]) == ("mine", "b")


async def test_an_endpoint_is_a_path(async_client: nexusai.AsyncNexusAIClient) -> None:
    """No address, which could lead elsewhere."""
    for endpoint in ("tasks", "", "http://127.0.0.1:9/x"):
        with pytest.raises(ValueError, match="^endpoint: expected a path like /tasks, not ") as caught:
            await async_client._internal_client.request("GET", endpoint)
        assert repr(endpoint) in str(caught.value)


async def test_a_model_and_a_page_are_fetched(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """With the query and the body that were given."""
    internal = async_client._internal_client
    faults.plays(reply(200, QUEUED, x_request_id="req_1"), reply(200, {"data": [{"id": "m"}], "page": 2}))
    task = await internal.fetch(Task, "POST", "/tasks", {"a": 1}, params={"b": 2})
    assert (task.task_id, task.request_id) == ("t", "req_1")
    page = await internal.fetch_page("data", ModelInfo, "/models", {"page": 2, "status": None})
    assert ([model.id for model in page], page.page) == (["m"], 2)
    posted, got = faults.requests
    assert (posted.method, posted.target, posted.json) == ("POST", "/api/v1/tasks?b=2", {"a": 1})
    assert (got.method, got.target) == ("GET", "/api/v1/models?page=2")


async def test_a_call_s_own_timeout_is_kept(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """In place of the client's."""
    faults.plays(hang())
    patient = async_client.with_options(timeout=60, max_retries=0)
    began = time.monotonic()
    with pytest.raises(errors.APITimeoutError):
        await patient._internal_client.request("GET", "/x", timeout=0.2)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "soon"])
async def test_a_call_s_own_timeout_is_checked_as_a_client_s_is(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, timeout: Any
) -> None:
    """Only None means that it is not given."""
    with pytest.raises(ValueError, match="timeout: expected seconds, more than 0"):
        await async_client._internal_client.request("GET", "/x", timeout=timeout)
    assert not faults.requests
    faults.plays(reply(200, [1, 2]))
    assert await async_client._internal_client.request("GET", "/x", timeout=None) == [1, 2]


async def test_the_plan_s_stream_still_works(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """`InternalClient.stream(method, endpoint, json, headers)` gives chunks, and asks for more of them."""
    internal = async_client._internal_client
    faults.plays(stream(delta("a"), delta("b"), DONE), stream(DONE), stream(DONE))
    chunks = internal.stream("POST", "/x", {"q": 1}, {"X-Y": "z"}, params={"p": 1})
    assert [chunk async for chunk in chunks] == [{"delta": {"content": text}} for text in "ab"]
    assert [chunk async for chunk in internal.stream("POST", "/x", headers={"Prefer": "mine"})] == []
    plain = async_client.with_options(resume_streams=False)._internal_client
    assert [chunk async for chunk in plain.stream("POST", "/x")] == []
    first, own, unresumed = faults.requests
    assert (first.target, first.json, first.headers["x-y"]) == ("/api/v1/x?p=1", {"q": 1}, "z")
    assert [value for name, value in first.lines if name == "prefer"] == ["resumable"]
    assert [value for name, value in own.lines if name == "prefer"] == ["mine"]
    assert "prefer" not in unresumed.headers


async def test_content_is_asked_for_with_the_key_where_the_platform_keeps_it(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """At a path, or at an address of the same origin; never compressed, whatever else is."""
    internal = async_client.with_options(default_headers={"Accept-Encoding": "gzip"})._internal_client
    faults.plays(*[reply(200, raw=b"abc")] * 3)
    origin = faults.base_url.replace("/api/v1", "")
    for download in (
        await internal.download("/files/f/content"),
        await internal.download_url("/files/f?x=1"),
        await internal.download_url(f"{origin}/elsewhere"),
    ):
        assert await download.read() == b"abc"
    assert [(seen.method, seen.target) for seen in faults.requests] == [
        ("GET", "/api/v1/files/f/content"),
        ("GET", "/files/f?x=1"),
        ("GET", "/elsewhere"),
    ]
    assert all(seen.headers["authorization"] == f"Bearer {KEY}" for seen in faults.requests)
    assert all(seen.headers["accept-encoding"] == "identity" for seen in faults.requests)


async def test_content_elsewhere_goes_through_the_caller_s_own_client(faults: FaultServer) -> None:
    """With its proxies, its authorities, and whatever else it was made for."""
    seen: List[str] = []

    async def note(request: httpx.Request) -> None:
        seen.append(str(request.url))

    elsewhere = FaultServer()
    try:
        elsewhere.plays(reply(200, raw=b"abc"))
        async with httpx.AsyncClient(event_hooks={"request": [note]}) as own:
            client = AsyncInternalClient(KEY, faults.base_url, http_client=own)
            download = await client.download_url(elsewhere.base_url)
            assert await download.read() == b"abc"
        assert seen == [elsewhere.base_url]
    finally:
        elsewhere.stop()


async def test_the_caller_s_own_credentials_go_to_the_platform_only(faults: FaultServer) -> None:
    """A client's `auth` is meant for whom the caller has named, not for whatever address an answer names."""
    elsewhere = FaultServer()
    try:
        faults.plays(reply(200, raw=b"mine"))
        elsewhere.plays(reply(200, raw=b"abc"))
        async with httpx.AsyncClient(auth=("user", "secret-pass")) as own:
            client = AsyncInternalClient(KEY, faults.base_url, http_client=own)
            assert await (await client.download_url("/files/f")).read() == b"mine"
            assert await (await client.download_url(elsewhere.base_url)).read() == b"abc"
        assert faults.requests[0].headers["authorization"].startswith("Basic ")
        assert "authorization" not in elsewhere.requests[0].headers
    finally:
        elsewhere.stop()


async def test_content_elsewhere_is_asked_for_as_a_stranger(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Nothing of ours goes there but the name; and it is asked again where that may help."""
    elsewhere = FaultServer()
    try:
        elsewhere.plays(drop(), reply(200, raw=b"abc"))
        address = elsewhere.base_url.replace("/api/v1", "/cdn")
        download = await async_client._internal_client.download_url(address)
        assert await download.read() == b"abc"
        first, second = elsewhere.requests
        for seen in (first, second):
            seen.headers.pop("connection", None)
            assert seen.headers.pop("accept", "*/*") == "*/*"
            assert set(seen.headers) == {"host", "user-agent", "accept-encoding"}
            assert seen.headers["user-agent"] == f"nexus-ai-python/{nexusai.__version__}"
            assert seen.headers["accept-encoding"] == "identity"
    finally:
        elsewhere.stop()


@pytest.mark.parametrize(
    "address", ["ftp://x/y", "file:///etc/passwd", "https:///x", "http://u:p@x/" + "y" * 300]
)
async def test_what_is_no_address_of_content(async_client: nexusai.AsyncNexusAIClient, address: str) -> None:
    """The platform has told it, so it is the answer that is wrong."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        await async_client._internal_client.download_url(address)
    assert caught.value.message == f"Expected the address of a file, but found {address[:200]!r}."


async def test_each_attempt_is_kept_with_the_pause_after_it(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The last has none; what came of it is a status, or the words of what broke."""
    faults.plays(reply(503, {}, retry_after="0.01", x_request_id="req_1"), drop(), reply(404, {}))
    with pytest.raises(errors.NotFoundError) as caught:
        await async_client._internal_client.request("GET", "/x")
    first, second, third = caught.value.attempts
    assert (first.outcome, first.request_id) == ("503", "req_1")
    assert 0.01 <= first.delay <= 0.011
    assert "disconnected" in second.outcome
    assert 0.75 <= second.delay <= 1
    assert third == errors.Attempt("404", None, 0.0)


async def test_a_call_can_have_fewer_retries_than_its_client(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """None, for example: 0 is a number."""
    internal = async_client._internal_client
    for retries in (0, 1):
        faults.plays(*[reply(503, {}, retry_after="0")] * (retries + 1))
        with pytest.raises(errors.ServerError) as caught:
            await internal.open(internal.call("GET", "/x"), retries=retries)
        assert len(caught.value.attempts) == retries + 1


async def test_limits_are_no_storm(faults: FaultServer, async_client: nexusai.AsyncNexusAIClient) -> None:
    """A platform that says when to come back is asked again, however often that happens."""
    faults.plays(*[reply(429, {}, retry_after="0")] * 30, reply(200, {"ok": True}))
    patient = async_client.with_options(max_retries=30)
    assert await patient._internal_client.request("GET", "/x") == {"ok": True}


async def test_what_is_not_tried_again_says_so(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Where it was not for itself, but for all the others."""
    internal = async_client.with_options(max_retries=30)._internal_client
    faults.plays(*[reply(503, {"detail": "down."}, retry_after="0")] * 31)
    with pytest.raises(errors.ServerError) as caught:
        await internal.request("GET", "/x")
    assert caught.value.message == "down. It was not tried again: too many of this client's calls fail."
    assert len(caught.value.attempts) == 21
    shared = async_client.with_options(timeout=3)._internal_client
    assert shared._budget is async_client._internal_client._budget


async def test_a_pause_that_would_outlast_the_call_is_not_begun(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """The error is told at once, with what the platform asked for."""
    faults.plays(reply(503, {}, retry_after="30"))
    hasty = async_client.with_options(total_timeout=5)
    began = time.monotonic()
    with pytest.raises(errors.ServerError) as caught:
        await hasty._internal_client.request("GET", "/x")
    assert time.monotonic() - began < 5
    assert (caught.value.retry_after, len(caught.value.attempts)) == (30, 1)


async def test_the_platform_is_warmed_up_at_its_door(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """By a GET; that it cannot be reached, or knows no such key, is told."""
    faults.plays(reply(200, {}), reply(401, {"detail": "who?"}))
    await async_client.warmup()
    assert (faults.requests[0].method, faults.requests[0].target) == ("GET", "/health")
    with pytest.raises(errors.AuthenticationError, match="who"):
        await async_client.warmup()


def failure(
    kind: Any, status: Optional[int] = None, message: str = "it broke", **facts: Any
) -> errors.APIError:
    made: errors.APIError = kind(message, status, **facts)
    return made


UNTRUSTED = "Could not connect: CERTIFICATE_VERIFY_FAILED, Certificate has expired."


@pytest.mark.parametrize(
    ("error", "get", "post"),
    [
        (failure(errors.ServerError, 503), True, True),
        (failure(errors.ServerError, 501), False, False),
        (failure(errors.RateLimitError, 429), True, True),
        (failure(errors.APITimeoutError, 408, sent=True), True, True),
        (failure(errors.NotFoundError, 404), False, False),
        (failure(errors.NetworkError, sent=True), True, True),
        (failure(errors.APITimeoutError, sent=False), True, True),
        (failure(errors.APITimeoutError), True, True),
        (failure(errors.APITimeoutError, sent=True), True, False),
        (failure(errors.APITimeoutError, pool_is_full=True), False, False),
        (failure(errors.NetworkError, sent=False), True, True),
        (failure(errors.NetworkError, message=UNTRUSTED, sent=False), False, False),
        (failure(errors.NetworkError, message=UNTRUSTED, sent=True), True, True),
        (failure(errors.NetworkError, message=UNTRUSTED), True, True),
        (failure(errors.InvalidResponseError), False, False),
    ],
)
async def test_what_may_be_repeated(error: errors.APIError, get: bool, post: bool) -> None:
    """What passes by itself; but not a POST after silence, which may still be worked on.

    A full pool has had its time, and who is not trusted now will not be in a second.
    """
    for first in (True, False):
        repeated = (_may_repeat(error, "GET", first=first), _may_repeat(error, "POST", first=first))
        assert repeated == (get, post)


async def test_only_a_later_attempt_may_meet_its_own_first() -> None:
    """By its idempotency key, and where the platform says when to come back."""
    running = failure(errors.ConflictError, 409, retry_after=0.0)
    assert _may_repeat(running, "POST", first=False)
    assert not _may_repeat(running, "POST", first=True)
    assert not _may_repeat(running, "GET", first=False)
    assert not _may_repeat(failure(errors.ConflictError, 409), "POST", first=False)


async def test_what_came_of_an_attempt() -> None:
    """A status, else the cause, else the message."""
    assert _outcome(failure(errors.ServerError, 503)) == "503"
    assert _outcome(failure(errors.NetworkError)) == "it broke"
    caused = failure(errors.NetworkError)
    caused.__cause__ = OSError("refused")
    assert _outcome(caused) == "refused"


GIVEN: Dict[str, Any] = {
    "timeout": 3.0,
    "max_retries": 4,
    "poll_interval": 5.0,
    "poll_timeout": 6.0,
    "total_timeout": 7.0,
    "content_timeout": 8.0,
    "resume_streams": False,
}


async def test_every_option_is_kept_and_can_be_changed() -> None:
    """An option that is not given comes from the settings; one that does not exist is named."""
    made = AsyncInternalClient("nxs_k", "http://127.0.0.1:9/api", **GIVEN)
    assert {name: getattr(made, name) for name in GIVEN} == GIVEN
    assert made.base_url == "http://127.0.0.1:9/api"
    for name, value in GIVEN.items():
        other = made.with_options(**{name: not value if isinstance(value, bool) else value + 1})
        changed = {key for key in GIVEN if getattr(other, key) != getattr(made, key)}
        assert changed == {name}
        assert other._pools is made._pools
    assert AsyncInternalClient("nxs_k", timeout=3).content_timeout == 30
    for change in ({"base_url": "http://127.0.0.1:8/api"}, {"transport": "httpx"}):
        assert made.with_options(**change)._pools is not made._pools
    async with httpx.AsyncClient() as own:
        assert made.with_options(http_client=own)._pools is not made._pools
    with pytest.raises(TypeError, match="^with_options: no such option: a, b$"):
        made.with_options(b=1, a=2, timeout=3)
    assert repr(made) == "<AsyncInternalClient base_url='http://127.0.0.1:9/api'>"


async def test_an_unknown_transport_is_refused() -> None:
    """It is quoted, with what there is."""
    with pytest.raises(ValueError, match="^transport: expected '.*, not 'pigeon'$"):
        AsyncInternalClient("nxs_k", transport="pigeon")
