"""How often a key may ask, and an address guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from server.process import ServerProcess, text
from server.test_auth import store_key
from server.upstream import FakeUpstream

from nexus_server.auth import new_key
from nexus_server.services.rate_limits import SlidingWindow

LIMIT = 5
HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.fixture(scope="module")
def limited(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that lets each key ask five times a minute."""
    directory = tmp_path_factory.mktemp("limited") / "data"
    with ServerProcess(directory, upstream.base_url, rate_limit=LIMIT) as running:
        yield running


@pytest.fixture
def caller(limited: ServerProcess) -> Iterator[httpx.Client]:
    """A client with a key of its own, which nobody has used."""
    with limited.client_with(store_key(limited)) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, int]:
    """The status, and how much is left."""
    assert answer.headers["x-ratelimit-limit"] == str(LIMIT)
    assert time.time() - 1 <= int(answer.headers["x-ratelimit-reset"]) <= time.time() + 61
    return answer.status_code, int(answer.headers["x-ratelimit-remaining"])


def test_exactly_so_many(caller: httpx.Client) -> None:
    """Five are answered, the sixth is refused and told when to come back."""
    assert [told(caller.get("/models")) for _ in range(LIMIT)] == [(200, left) for left in (4, 3, 2, 1, 0)]
    for _ in range(3):
        refusal = caller.get("/models")
        assert told(refusal) == (429, 0)
        body = refusal.json()
        assert body["error_code"] == "RATE_LIMIT_EXCEEDED"
        assert 1 <= body["retry_after"] <= 60
        assert refusal.headers["retry-after"] == str(body["retry_after"])
        assert int(refusal.headers["x-ratelimit-reset"]) <= time.time() + body["retry_after"] + 1


def test_every_answer_tells(caller: httpx.Client) -> None:
    """Whatever it is, and a refused call does nothing."""
    assert told(caller.get("/tasks/task_0")) == (404, 4)
    assert told(caller.post("/invoke", json={"input": 1})) == (422, 3)
    assert told(caller.post("/invoke", json=text())) == (200, 2)
    assert told(caller.post("/invoke", json=text(stream=True))) == (200, 1)
    assert told(caller.get("/tasks")) == (200, 0)
    assert told(caller.post("/invoke", json=text())) == (429, 0)


def test_a_long_poll_counts_once(caller: httpx.Client) -> None:
    """However long it is held."""
    answer = caller.post("/invoke", json=text(fake={"first_delay": 0.5}), headers={"Prefer": "wait=10"})
    assert told(answer) == (200, 4)
    task = caller.get(f"/tasks/{answer.json()['task_id']}", headers={"Prefer": "wait=10"})
    assert told(task) == (200, 3)


def test_keys_are_independent(limited: ServerProcess, caller: httpx.Client) -> None:
    """What one has used up is still there for another."""
    while told(caller.get("/models"))[0] == 200:
        pass
    with limited.client_with(store_key(limited)) as other:
        assert told(other.get("/models")) == (200, 4)
    assert told(caller.get("/models")) == (429, 0)


def test_what_is_not_counted(limited: ServerProcess) -> None:
    """The health, the documents, and who has no key."""
    origin = limited.url.removesuffix("/api/v1")
    with limited.client_with(None) as client:
        for path in ("/health", "/openapi.json", "/v1/openapi.json") * LIMIT:
            answer = client.get(origin + path)
            assert answer.status_code == 200
            assert not set(HEADERS) & set(answer.headers)
        assert not set(HEADERS) & set(client.get("/models").headers)


def test_no_limit(server: ServerProcess) -> None:
    """On one's own machine there is none, unless it is set."""
    answers = [server.client.get("/models") for _ in range(70)]
    assert {answer.status_code for answer in answers} == {200}
    assert not set(HEADERS) & set(answers[0].headers)


def test_guessing_keys(upstream: FakeUpstream, limited: ServerProcess) -> None:
    """After 60 wrong keys in a minute none is looked at from there, but for those that were right before."""
    with limited.client_with(store_key(limited)) as at_work, limited.client_with(None) as guesser:
        assert at_work.get("/models").status_code == 200
        guesses = ["nxs_short", "x", *(new_key() for _ in range(70))]
        answers = [guesser.get("/models", headers={"Authorization": f"Bearer {key}"}) for key in guesses]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [401] * 60 + [429] * 12
        assert "wrong API keys" in answers[-1].json()["detail"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert not set(HEADERS) & set(answers[-1].headers)
        assert guesser.get("/models").status_code == 401  # no key is no guess
        assert at_work.get("/models").status_code == 200
        assert limited.client.get("/models").status_code == 200  # the owner's, never used until now
        with limited.client_with(store_key(limited)) as late:
            assert late.get("/models").status_code == 429


def run(limiter: SlidingWindow, *names: str) -> list[int | None]:
    """What is left after each; None for a refusal."""

    async def take() -> list[int | None]:
        allowances = [await limiter.take(name) for name in names]
        return [None if found.retry_after else found.remaining for found in allowances]

    return asyncio.run(take())


def test_the_window_slides() -> None:
    """What was counted is forgotten when its time is over; what was refused was never counted."""

    async def main() -> None:
        limiter = SlidingWindow(2, seconds=0.2)
        began = time.monotonic()
        assert [(await limiter.take("a")).remaining for _ in range(2)] == [1, 0]
        while (allowance := await limiter.take("a")).retry_after is not None:
            assert allowance.retry_after == 1
            await asyncio.sleep(0.005)
        assert time.monotonic() - began >= 0.2
        assert (await limiter.look("a")).limit == 2

    asyncio.run(main())


def test_looking_counts_nothing() -> None:
    """It tells what taking would."""

    async def main() -> None:
        limiter = SlidingWindow(1)
        assert [(await limiter.look("a")).remaining for _ in range(3)] == [1, 1, 1]
        assert (await limiter.take("a")).remaining == 0
        assert (await limiter.look("a")).retry_after == 60

    asyncio.run(main())


def test_memory_is_bounded() -> None:
    """The name that was not heard of for longest is forgotten."""
    limiter = SlidingWindow(1, most_names=2)
    assert run(limiter, "a", "b", "a", "c", "b", "a") == [0, 0, None, 0, None, 0]
