"""What is pickled and copied: whole, and without a key."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any, List

import httpx
import pytest
from conftest import KEY
from faults.server import FaultServer, completed, reply

import nexusai
from nexusai import error as errors
from nexusai._internal._runtime import sleep
from nexusai.models import Embedding, Page, Task, TextResponse, Usage

ROUNDS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def _round_trips(thing: Any) -> List[Any]:
    pickles = [pickle.dumps(thing, protocol) for protocol in ROUNDS]
    assert not any(KEY.encode() in data for data in pickles)
    return [pickle.loads(data) for data in pickles]


@pytest.mark.parametrize(
    "result",
    [
        TextResponse(text="你好", usage=Usage(total_tokens=3), finish_reason="stop"),
        Task.model_validate({"task_id": "t", "status": "queued", "news": [1]}),
        Embedding.model_validate({"index": 0, "embedding": [0.5, 0.25]}),
        errors.RateLimitError("slow down", 429, "LIMIT", {"a": 1}, request_id="r", retry_after=3.0),
        errors.StreamInterruptedError("cut", partial_text="half", task_id="t"),
        nexusai.config.resolve(timeout=3.0),
    ],
    ids=lambda result: type(result).__name__,
)
def test_results_and_errors(result: Any) -> None:
    """They come back equal."""
    for twin in [*_round_trips(result), copy.copy(result), copy.deepcopy(result)]:
        assert type(twin) is type(result)
        if isinstance(result, Exception):
            assert twin.__dict__ == result.__dict__
            assert str(twin) == str(result)
        else:
            assert twin == result


def test_pages(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """With where they stand, and their request id."""
    rows = [{"task_id": "t0", "status": "queued"}]
    faults.plays(reply(200, {"tasks": rows, "total": 3, "page": 1, "per_page": 1}, x_request_id="req_p"))
    page = client.tasks.list(per_page=1)
    for twin in [*_round_trips(page), copy.copy(page), copy.deepcopy(page)]:
        assert isinstance(twin, Page)
        assert list(twin) == list(page)
        assert (twin.total, twin.request_id) == (3, "req_p")


def test_an_error_of_a_call_holds_no_key(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Though the platform quotes it."""
    faults.plays(reply(401, {"detail": f"bad key {KEY}"}))
    with pytest.raises(errors.AuthenticationError) as caught:
        client.models.list()
    for twin in _round_trips(caught.value):
        assert (twin.status_code, str(twin)) == (401, str(caught.value))


def test_a_task_goes_on_where_it_is_unpickled(
    faults: FaultServer, client: nexusai.NexusAIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the key as any client does; all handles of a client share one there."""
    faults.plays(reply(202, {"task_id": "task_1", "status": "queued"}), reply(200, completed("done")))
    handle = client.text.generate_async("hi")
    twins = _round_trips(handle)
    assert [twin.model_dump() for twin in twins] == [handle.model_dump()] * len(twins)
    with pytest.raises(errors.AuthenticationError, match="pickled without its key"):
        twins[0].refresh()
    monkeypatch.setenv("NEXUS_API_KEY", "nxs_of_the_other_process")
    assert twins[0].wait().text == "done"
    assert faults.requests[-1].headers["authorization"] == "Bearer nxs_of_the_other_process"
    assert twins[0]._source() is twins[1]._source()
    assert copy.deepcopy(handle)._source().base_url == faults.base_url
    twins[0]._source().close()


def test_sessions(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The conversation goes on elsewhere."""
    nexusai.config.api_key = "nxs_of_the_other_process"
    facts = {"session_id": "s", "is_active": True}
    faults.plays(reply(200, facts), reply(200, {"messages": [], "total": 0}))
    session = client.sessions.create()
    twin = _round_trips(session)[0]
    assert twin.model_dump() == session.model_dump()
    assert list(twin.history()) == []
    assert faults.requests[-1].headers["authorization"] == "Bearer nxs_of_the_other_process"
    twin._source().close()


def test_a_client(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Its settings, not its key."""
    told = "^No API key.* A client is pickled without its key, and needs one where it is unpickled.$"
    with pytest.raises(errors.AuthenticationError, match=told):
        _round_trips(client)
    nexusai.config.api_key = "nxs_of_the_other_process"
    for twin in _round_trips(client):
        with twin:
            faults.plays(reply(200, completed("there")))
            assert twin.text.generate("hi").text == "there"
            inside = twin._internal_client
            assert (inside.timeout, inside.max_retries, inside.base_url) == (5, 2, faults.base_url)
            assert inside.options["transport"] == client._internal_client.options["transport"]
    assert faults.requests[-1].headers["authorization"] == "Bearer nxs_of_the_other_process"
    awaited = nexusai.AsyncNexusAIClient(KEY, faults.base_url, timeout=7)
    assert _round_trips(awaited)[0]._internal_client.timeout == 7


def test_copies_of_a_client(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """They keep the key, and share the connections."""
    faults.plays(*[reply(200, completed())] * 3)
    for twin in (client, copy.copy(client), copy.deepcopy(client)):
        assert twin.text.generate("hi").text == "hello"
    assert {seen.headers["authorization"] for seen in faults.requests} == {f"Bearer {KEY}"}
    assert faults.connections == 1


@pytest.mark.parametrize("name", ["http_client", "on_request", "on_response", "default_headers"])
def test_a_client_that_cannot_be_pickled(faults: FaultServer, name: str) -> None:
    """It says why; a task of it can be, and says so when it is asked for more."""
    with httpx.Client() as own:
        values = {"http_client": own, "default_headers": {"x-token": "secret"}}
        faults.plays(reply(202, {"task_id": "task_1", "status": "queued"}))
        with nexusai.NexusAIClient(KEY, faults.base_url, **{name: values.get(name, sleep)}) as client:
            with pytest.raises(TypeError, match=f"`{name}` cannot be pickled"):
                pickle.dumps(client)
            data = pickle.dumps(client.text.generate_async("hi"))
            assert b"secret" not in data
            with pytest.raises(RuntimeError, match="nothing to ask the platform with"):
                pickle.loads(data).refresh()
            assert (
                copy.deepcopy(client)._internal_client.options[name] == client._internal_client.options[name]
            )


def test_an_awaited_task(faults: FaultServer) -> None:
    """The same, awaited."""
    nexusai.config.api_key = KEY
    faults.plays(reply(202, {"task_id": "task_1", "status": "queued"}), reply(200, completed("done")))

    async def main() -> None:
        async with nexusai.AsyncNexusAIClient(KEY, faults.base_url) as client:
            twin = pickle.loads(pickle.dumps(await client.text.generate_async("hi")))
            assert (await twin.wait()).text == "done"
            await twin._source().aclose()

    asyncio.run(main())
