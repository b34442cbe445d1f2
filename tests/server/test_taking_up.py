"""The platform's half of taking a stream up again, byte by byte: no SDK stands between."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from faults.random_runs import RUNS, SEED, hint
from server.process import ServerProcess, text
from server.upstream import FakeUpstream, Seen

RESUMABLE = {"Prefer": "resumable"}
MIXED = 'Grüße, 世界 👩‍👩‍👧 \\ " \u2028 end'


def blocks(response: httpx.Response) -> Iterator[tuple[int, object]]:
    """Each event with its id, as it comes; comments left out."""
    pending = ""
    for piece in response.iter_text():
        *whole, pending = (pending + piece).split("\n\n")
        for block in whole:
            if block.startswith(":"):
                continue
            if block == "data: [DONE]":
                yield -1, "[DONE]"
                continue
            first, second = block.split("\n")
            assert first.startswith("id: ")
            assert second.startswith("data: ")
            yield int(first[4:]), json.loads(second[6:])


def delta(data: object) -> str:
    return str(data["delta"]["content"]) if isinstance(data, dict) and "delta" in data else ""


def begin(server: ServerProcess, **fake: object) -> httpx.Response:
    """A stream whose head has come."""
    request = server.client.build_request(
        "POST", "/invoke", json=text(stream=True, fake=fake), headers=RESUMABLE
    )
    return server.client.send(request, stream=True)


def again(server: ServerProcess, task_id: str, seen: int) -> httpx.Response:
    headers = {"Last-Event-ID": str(seen)}
    request = server.client.build_request("GET", f"/tasks/{task_id}/events", headers=headers)
    return server.client.send(request, stream=True)


@pytest.mark.parametrize("run", range(5 * RUNS))
def test_a_reader_who_comes_and_goes_gets_every_character_once(server: ServerProcess, run: int) -> None:
    """While the text is made, and after; ids only grow, and say how many characters there were."""
    seed = SEED + run
    dice = random.Random(seed)
    whole = "".join(f"w{number} " for number in range(80))
    told, seen, ended = "", 0, False
    response = begin(server, tokens=80, delay=0.002)
    task_id = response.headers["x-task-id"]
    visits = 0
    while not ended:
        visits += 1
        left = dice.randrange(1, 15)
        for number, data in blocks(response):
            if data == "[DONE]":
                ended = True
                break
            told, seen = told + delta(data), number
            assert seen == len(told), hint(seed)
            left -= 1
            if not left:
                break
        response.close()
        if not ended:
            response = again(server, task_id, seen)
            assert response.status_code == 200, f"{hint(seed)}: {response.read()!r}"
    assert told == whole, hint(seed)
    assert visits > 1
    assert server.finished(task_id)["output"]["text"] == whole


def test_any_character_of_any_script_is_a_place_to_go_on_from(server: ServerProcess) -> None:
    """Ids count characters, not bytes; what was told is never cut in two."""
    with closing(begin(server, text=MIXED)) as response:
        events = list(blocks(response))
    task_id = response.headers["x-task-id"]
    assert "".join(delta(data) for _, data in events) == MIXED
    assert events[-2][0] == len(MIXED)
    for seen in range(len(MIXED) + 1):
        with closing(again(server, task_id, seen)) as response:
            rest = list(blocks(response))
        assert "".join(delta(data) for _, data in rest) == MIXED[seen:]
        assert [number for number, _ in rest][-2:] == [len(MIXED), -1]
        last = rest[-2][1]
        assert isinstance(last, dict)
        assert last["task_id"] == task_id
        assert last["finish_reason"] == "stop"


def test_beyond_the_end_there_is_only_the_end(server: ServerProcess) -> None:
    """A position that never was does no harm."""
    with closing(begin(server, text="short")) as response:
        response.read()
    with closing(again(server, response.headers["x-task-id"], 999)) as response:
        rest = list(blocks(response))
    assert [delta(data) for _, data in rest] == ["", ""]
    assert rest[-1][1] == "[DONE]"


def test_a_generation_waits_for_its_reader_only_so_long(upstream: FakeUpstream, tmp_path: Path) -> None:
    """Then it is cancelled, at the provider too; each visit begins the wait anew."""
    with ServerProcess(tmp_path / "data", upstream.base_url, stream_grace=1.0) as server:
        response = begin(server, tokens=500, delay=0.05)
        task_id = response.headers["x-task-id"]
        seen = next(number for number, _ in blocks(response))
        response.close()
        for _ in range(3):
            with closing(again(server, task_id, seen)) as response:
                assert response.status_code == 200
                seen = next(number for number, _ in blocks(response) if number > seen)
        task = server.finished(task_id)
        assert task["status"] == "cancelled"
        (chat,) = [
            each for each in upstream.chats() if each.body.get("fake") == {"tokens": 500, "delay": 0.05}
        ]
        assert chat.ended.wait(10)
        assert chat.state == "disconnected"
        with closing(again(server, task_id, seen)) as response:
            assert response.status_code == 409
            assert "the task is cancelled" in response.read().decode()


def test_a_crash_takes_the_stream_with_it(upstream: FakeUpstream, tmp_path: Path) -> None:
    """After it, whoever comes back is told so: half a text never passes for a whole one."""
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        response = begin(server, tokens=500, delay=0.05)
        task_id = response.headers["x-task-id"]
        seen = next(number for number, _ in blocks(response))
        server.kill()
        server.start()
        assert server.finished(task_id)["error"]["code"] == "SERVER_RESTARTED"
        with closing(again(server, task_id, seen)) as response:
            assert response.status_code == 409
            assert "the task is failed" in response.read().decode()


@pytest.fixture(scope="module")
def quiet(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A platform whose streams begin with their first piece, and would wait long for a reader."""
    directory = tmp_path_factory.mktemp("quiet") / "data"
    with ServerProcess(directory, upstream.base_url, heartbeat=60, stream_grace=60) as running:
        yield running


@pytest.fixture(params=["invoke", "session"])
def place(request: pytest.FixtureRequest, quiet: ServerProcess) -> str:
    """Where streams are asked for."""
    if request.param == "invoke":
        return "/invoke"
    session_id = quiet.client.post("/sessions", json={}).json()["session_id"]
    return f"/sessions/{session_id}/invoke"


def question(place: str, prompt: str, **fake: object) -> dict[str, object]:
    if place == "/invoke":
        return text(prompt, stream=True, fake=fake)
    return {"prompt": prompt, "stream": True, "config": {"fake": fake}}


def asked(upstream: FakeUpstream, prompt: str) -> list[Seen]:
    """What the provider was asked."""
    return [seen for seen in upstream.chats() if prompt in str(seen.body)]


def test_a_repeated_request_joins_the_stream_that_goes_on(
    quiet: ServerProcess, upstream: FakeUpstream, place: str
) -> None:
    """Though the first reader still seems to be there: it may have lost its connection before it was told."""
    prompt, headers = str(uuid4()), {**RESUMABLE, "Idempotency-Key": str(uuid4())}
    body = question(place, prompt, tokens=3, silent=1.5)
    before = len(upstream.chats())
    with ThreadPoolExecutor(1) as pool, quiet.client_with(quiet.key) as second:
        first = pool.submit(quiet.client.post, place, json=body, headers=headers)
        upstream.wait_for_chats(before + 1)
        with second.stream("POST", place, json=body, headers=headers) as response:
            assert response.status_code == 200
            assert response.headers["idempotent-replayed"] == "true"
            assert response.headers["preference-applied"] == "resumable"
            events = list(blocks(response))
        refused = first.result()
    assert [number for number, _ in events] == [3, 6, 9, 9, -1]
    assert "".join(delta(data) for _, data in events) == "w0 w1 w2 "
    assert refused.status_code == 409
    assert "read elsewhere" in refused.text
    assert len(asked(upstream, prompt)) == 1


def test_a_stream_that_cannot_be_taken_up_cannot_be_joined(quiet: ServerProcess, place: str) -> None:
    """Whoever asks for it again is asked to come back."""
    headers = {"Idempotency-Key": str(uuid4())}
    body = question(place, "hi", tokens=2, delay=30)
    with quiet.client.stream("POST", place, json=body, headers=headers) as response:
        pieces = response.iter_raw()
        next(pieces)
        with quiet.client_with(quiet.key) as second:
            refused = second.post(place, json=body, headers={**headers, **RESUMABLE})
    assert refused.status_code == 409
    assert refused.headers["retry-after"] == "1"


def test_who_leaves_before_the_head_is_not_waited_for(
    quiet: ServerProcess, upstream: FakeUpstream, place: str
) -> None:
    """Nobody else could come back: the generation stops at once."""
    prompt, before = str(uuid4()), len(upstream.chats())
    body = question(place, prompt, silent=30)
    with quiet.client_with(quiet.key) as client, pytest.raises(httpx.ReadTimeout):
        client.post(place, json=body, headers=RESUMABLE, timeout=0.5)
    (seen,) = upstream.wait_for_chats(before + 1)[before:]
    assert seen.ended.wait(10)
    assert seen.state == "disconnected"
    newest = quiet.client.get("/tasks?per_page=1").json()["tasks"][0]
    assert quiet.finished(newest["task_id"])["status"] == "cancelled"
