"""Two providers behind a real platform, one of which goes away."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Tuple

import pytest

import nexusai
from nexusai import error as errors
from nexusai.models import Route

if TYPE_CHECKING:
    from server.process import ServerProcess
    from server.upstream import FakeUpstream

pytestmark = pytest.mark.anyio
SECOND = [{"provider": "second", "model": "fake-large"}]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Tuple[ServerProcess, FakeUpstream]]:
    """A platform whose first provider is down by now, and the second."""
    from server.process import ServerProcess
    from server.upstream import FakeUpstream

    with FakeUpstream() as second, ExitStack() as until_down:
        first = until_down.enter_context(FakeUpstream())
        upstreams = [
            {"name": name, "base_url": upstream.base_url, "max_retries": 0}
            for name, upstream in (("first", first), ("second", second))
        ]
        with ServerProcess(tmp_path / "data", upstreams=upstreams) as server:
            until_down.close()
            yield server, second


async def test_the_second_answers_for_the_first(pair: Tuple[ServerProcess, FakeUpstream]) -> None:
    """At once, as a stream, and as a task."""
    server, second = pair
    async with nexusai.AsyncNexusAIClient(server.key, server.url) as client:
        with pytest.raises(errors.ServerError):
            await client.with_options(max_retries=0).text.generate("hi", "first", "fake-small")
        answer = await client.text.generate("hi", "first", "fake-small", fallbacks=SECOND)
        assert (answer.text.strip(), answer.route) == ("w0 w1 w2 w3 w4", Route(1, "second", "fake-large"))
        reading = client.text.stream("hi", "first", fallbacks=SECOND)
        assert (await reading.read()).text == answer.text
        assert reading.response.route == Route(1, "second", "fake-large")
        handle = await client.text.generate_async("hi", "first", fallbacks=SECOND)
        began_as = handle.task_id
        assert (await handle.wait()).route == Route(1, "second", "fake-large")
        assert handle.task_id != began_as
    assert [chat.body["model"] for chat in second.chats()] == ["fake-large"] * 3


async def test_a_busy_one_is_not_waited_for(pair: Tuple[ServerProcess, FakeUpstream]) -> None:
    """Where both cannot answer, the error tells of both."""
    server, _ = pair
    fake = {"status": 429, "headers": {"Retry-After": "3600"}}
    async with nexusai.AsyncNexusAIClient(server.key, server.url) as client:
        call = client.text.generate
        with pytest.raises(errors.RateLimitError, match="too much.*Asked before: first: ") as caught:
            await call("hi", "first", fake=fake, fallbacks=SECOND)
    assert caught.value.retry_after == 3600
    assert [error.status_code for error in caught.value.fallback_errors] == [503]


async def test_a_mistake_ends_the_search(pair: Tuple[ServerProcess, FakeUpstream]) -> None:
    """A fallback that is not there is one."""
    server, second = pair
    async with nexusai.AsyncNexusAIClient(server.key, server.url) as client:
        with pytest.raises(errors.InvalidRequestError, match="no-such-model"):
            await client.text.generate("hi", "first", fallbacks=[{"model": "no-such-model"}, *SECOND])
        with pytest.raises(errors.InvalidRequestError, match="no-such-model"):
            await client.text.generate("hi", model="no-such-model", fallbacks=SECOND)
    assert not second.chats()
