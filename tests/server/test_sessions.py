"""`/sessions`: conversations that are remembered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.inside import Scripted, serving
from server.process import ServerProcess
from server.upstream import FakeUpstream

from nexus_server.errors import ContextLengthExceeded
from nexus_server.providers.base import OfferedModel, TextChunk, TextRequest, Usage
from nexus_server.services.sessions import estimate
from nexus_server.settings import ServerSettings


def create(server: ServerProcess, **body: Any) -> dict[str, Any]:
    answer = server.client.post("/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def say(
    server: ServerProcess, session: dict[str, Any], prompt: str = "hi", *, fake: Any = None, **more: Any
) -> httpx.Response:
    body = {"prompt": prompt, **more}
    if fake is not None:
        body["config"] = {"fake": fake}
    headers = more.pop("headers", None)
    body.pop("headers", None)
    return server.client.post(f"/sessions/{session['session_id']}/invoke", json=body, headers=headers)


def said(server: ServerProcess, session: dict[str, Any], **query: Any) -> list[tuple[str, str]]:
    answer = server.client.get(f"/sessions/{session['session_id']}/history", params=query)
    assert answer.status_code == 200
    return [(message["role"], message["content"]) for message in answer.json()["messages"]]


def test_a_conversation(server: ServerProcess, upstream: FakeUpstream) -> None:
    """What was said before is told to the model each time; both shapes are answered."""
    session = create(server, agent_config={"system_prompt": "简短回答。", "temperature": 0.5}, name="主题")
    assert session["is_active"] is True
    assert session["agent_type"] == "assistant"
    first = say(server, session, "我叫小明。", fake={"text": "你好，小明。"})
    body = first.json()
    assert body["response"] == {"role": "assistant", "content": "你好，小明。"}
    assert body["output"] == {"text": "你好，小明。"}
    assert body["usage"] == body["metadata"]["usage"]
    assert body["metadata"]["dropped_messages"] == 0
    say(server, session, "我叫什么？", fake={"text": "小明。"})
    seen = upstream.chats()[-1].body
    assert seen["temperature"] == 0.5
    assert [(turn["role"], turn["content"]) for turn in seen["messages"]] == [
        ("system", "简短回答。"),
        ("user", "我叫小明。"),
        ("assistant", "你好，小明。"),
        ("user", "我叫什么？"),
    ]
    assert said(server, session) == [
        ("user", "我叫小明。"),
        ("assistant", "你好，小明。"),
        ("user", "我叫什么？"),
        ("assistant", "小明。"),
    ]
    assert said(server, session, limit=1, offset=2) == [("user", "我叫什么？")]
    told = server.client.get(f"/sessions/{session['session_id']}").json()
    assert told["message_count"] == 4
    assert told["updated_at"] > told["created_at"]


def test_a_fact_ten_turns_later(server: ServerProcess, upstream: FakeUpstream) -> None:
    """Nothing is forgotten while it fits."""
    session = create(server)
    say(server, session, "The code word is ORANGE.")
    for number in range(10):
        say(server, session, f"question {number}")
    messages = upstream.chats()[-1].body["messages"]
    assert messages[0]["content"] == "The code word is ORANGE."
    assert len(messages) == 21


def test_streaming(server: ServerProcess) -> None:
    """The pieces as they come; remembered at the end."""
    session = create(server)
    url = f"/sessions/{session['session_id']}/invoke"
    with server.client.stream("POST", url, json={"input": {"prompt": "hi"}, "stream": True}) as response:
        raw = response.read().decode()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert raw.endswith("data: [DONE]\n\n")
    assert json.loads(raw.split("\n\n")[-3].removeprefix("data: "))["metadata"] == {"dropped_messages": 0}
    assert said(server, session) == [("user", "hi"), ("assistant", "w0 w1 w2 w3 w4 ")]


@pytest.mark.parametrize("fake", [{"status": 500}, {"error_after": 2}, {"break_after": 1}])
@pytest.mark.parametrize("stream", [False, True])
def test_what_fails_leaves_nothing(server: ServerProcess, fake: dict[str, Any], stream: bool) -> None:
    """Neither the question nor half an answer."""
    session = create(server)
    answer = say(server, session, fake=fake, stream=stream)
    if not stream:
        assert answer.status_code == 503
    assert said(server, session) == []
    assert say(server, session).status_code == 200
    assert len(said(server, session)) == 2


def test_a_reader_that_leaves(server: ServerProcess) -> None:
    """A stream that nobody reads to its end is forgotten, and the next question is not held up."""
    session = create(server)
    url = f"/sessions/{session['session_id']}/invoke"
    body = {"prompt": "hi", "stream": True, "config": {"fake": {"tokens": 2, "delay": 30}}}
    with server.client_with(server.key) as client, client.stream("POST", url, json=body) as response:
        next(response.iter_raw())
    assert say(server, session, "again").status_code == 200
    assert said(server, session)[0] == ("user", "again")
    assert len(said(server, session)) == 2


def test_one_answer_at_a_time(server: ServerProcess, upstream: FakeUpstream) -> None:
    """Further questions wait in their order; other sessions do not wait for them."""
    session, other = create(server), create(server)
    upstream.gate.clear()
    before = len(upstream.chats())
    threads = []
    try:
        for number in range(4):
            thread = threading.Thread(
                target=say,
                args=(server, session, f"q{number}"),
                kwargs={"fake": {"gated": True, "tokens": 1}},
            )
            thread.start()
            threads.append(thread)
            _until(lambda n=number: _waiting(server) >= n + 1)  # type: ignore[misc]
        assert say(server, other, "other").status_code == 200
        assert len(upstream.chats()) - before == 2, "one question of the first session, and the other's"
    finally:
        upstream.gate.set()
    for thread in threads:
        thread.join(20)
    questions = [content for role, content in said(server, session) if role == "user"]
    assert questions == ["q0", "q1", "q2", "q3"]


def _waiting(server: ServerProcess) -> int:
    return int(server.client.get("/tasks?status=running").json()["total"])


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_deleted_session(server: ServerProcess) -> None:
    """It is gone for every call; an answer that is being made fails, and is remembered nowhere."""
    session = create(server)
    path = f"/sessions/{session['session_id']}"
    answers: list[httpx.Response] = []
    thread = threading.Thread(
        target=lambda: answers.append(say(server, session, fake={"tokens": 2, "delay": 0.5}))
    )
    thread.start()
    _until(lambda: _waiting(server))
    with server.client_with(server.key) as client:
        assert client.delete(path).status_code == 204
    thread.join(10)
    assert answers[0].status_code == 404
    for method, more in (("GET", ""), ("GET", "/history"), ("DELETE", "")):
        assert server.client.request(method, path + more).status_code == 404
    assert say(server, session).status_code == 404


def test_an_answer_that_takes_long(server: ServerProcess) -> None:
    """With `Prefer: wait` it goes on as a task, and is remembered all the same."""
    session = create(server)
    answer = say(server, session, fake={"tokens": 2, "delay": 1.5}, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    task = server.finished(answer.json()["task_id"])
    assert task["output"]["text"] == "w0 w1 "
    assert len(said(server, session)) == 2


def test_repeating(server: ServerProcess) -> None:
    """An idempotency key stands for one answer, also while it is being made."""
    session = create(server)
    key = {"Idempotency-Key": f"say-{session['session_id']}"}
    answers: list[httpx.Response] = []
    slow = {"tokens": 2, "delay": 0.7}
    thread = threading.Thread(target=lambda: answers.append(say(server, session, fake=slow, headers=key)))
    thread.start()
    _until(lambda: _waiting(server))
    with server.client_with(server.key) as client:
        body = {"prompt": "hi", "config": {"fake": slow}}
        again = client.post(f"/sessions/{session['session_id']}/invoke", json=body, headers=key)
    thread.join(10)
    assert again.json() == answers[0].json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(said(server, session)) == 2
    assert say(server, session, "another", headers=key).status_code == 409
    first = server.client.post("/sessions", json={"name": "a"}, headers={"Idempotency-Key": "create-1"})
    second = server.client.post("/sessions", json={"name": "a"}, headers={"Idempotency-Key": "create-1"})
    assert first.json() == second.json()


def test_after_a_crash(tmp_path: Path, upstream: FakeUpstream) -> None:
    """A kill in the middle of an answer leaves a session as it was before."""
    with ServerProcess(tmp_path / "data", upstream.base_url) as server:
        session = create(server)
        say(server, session, "before")
        thread = threading.Thread(
            target=lambda: _ignore(lambda: say(server, session, fake={"tokens": 2, "delay": 30}))
        )
        thread.start()
        _until(lambda: _waiting(server))
        server.kill()
        thread.join(10)
        server.start()
        assert [content for _, content in said(server, session)][:1] == ["before"]
        assert len(said(server, session)) == 2
        assert say(server, session, "after").status_code == 200
        assert len(said(server, session)) == 4


def _ignore(call: Any) -> None:
    try:
        call()
    except httpx.HTTPError:
        return


def test_listing(server: ServerProcess) -> None:
    """Newest first."""
    made = [create(server, name=str(number))["session_id"] for number in range(3)]
    page = server.client.get("/sessions?per_page=2").json()
    assert [row["session_id"] for row in page["sessions"]] == made[:0:-1]
    assert page["total"] >= 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"prompt": ""}, 422),
        ({"prompt": "a", "input": {"prompt": "b"}}, 400),
        ({"input": {}}, 422),
        ({"prompt": 7}, 422),
    ],
)
def test_questions_that_are_none(server: ServerProcess, body: dict[str, Any], status: int) -> None:
    """Each is told, and changes nothing."""
    session = create(server)
    answer = server.client.post(f"/sessions/{session['session_id']}/invoke", json=body)
    assert answer.status_code == status, answer.text
    assert said(server, session) == []


def test_a_model_that_does_not_exist(server: ServerProcess) -> None:
    """It is told when the session is made."""
    answer = server.client.post("/sessions", json={"agent_config": {"model": "nothing"}})
    assert answer.status_code == 400
    assert answer.json()["available"]


class _Narrow(Scripted):
    """A model that reads at most so many words, and says so as providers do."""

    def __init__(self, limit: int, *, told: bool) -> None:
        super().__init__()
        self.limit = limit
        self.told = told
        self.seen: list[list[str]] = []

    def models(self) -> list[OfferedModel]:
        return [OfferedModel("narrow", context_length=self.limit if self.told else None)]

    async def stream_text(self, request: TextRequest) -> Iterator[TextChunk]:  # type: ignore[override]
        size = estimate(request.messages)
        if size > self.limit:
            raise ContextLengthExceeded(limit=self.limit, size=size)
        self.seen.append([str(message["content"]) for message in request.messages])
        yield TextChunk("ok")
        yield TextChunk(finish_reason="stop", usage=Usage(size, 1))


@pytest.mark.parametrize("told", [True, False], ids=["told before", "found out"])
def test_a_context_that_is_full(tmp_path: Path, told: bool) -> None:
    """The oldest turns are left out, the answer says how many, and they are still remembered."""
    narrow = _Narrow(400, told=told)
    with serving(ServerSettings(data_dir=tmp_path), [narrow]) as client:
        made = client.post("/sessions", json={"agent_config": {"system_prompt": "Be brief."}}).json()
        path = f"/sessions/{made['session_id']}"
        dropped = []
        for number in range(30):
            answer = client.post(f"{path}/invoke", json={"prompt": f"{number} " + "word " * 20})
            assert answer.status_code == 200, answer.text
            dropped.append(answer.json()["metadata"]["dropped_messages"])
        assert dropped[0] == 0
        assert dropped[-1] > 0
        assert dropped == sorted(dropped)
        last = narrow.seen[-1]
        assert last[0] == "Be brief."
        assert last[-1].startswith("29 ")
        assert last[1].startswith(f"{dropped[-1] // 2} ")
        assert client.get(f"{path}/history").json()["total"] == 60
        alone = client.post(f"{path}/invoke", json={"prompt": "word " * 2000})
        assert alone.status_code == 400
        assert alone.json()["error_code"] == "CONTEXT_LENGTH_EXCEEDED"
        assert client.get(f"{path}/history").json()["total"] == 60
