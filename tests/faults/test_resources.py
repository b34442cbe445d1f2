# Generated from tests/aio/faults/test_resources.py by scripts/unasync.py: edit that file.

"""Sessions, knowledge bases, embeddings, typed answers: every shape that was seen on the wire."""

from __future__ import annotations

import base64
import dataclasses
import struct
from typing import Any, Dict, Iterator, List

import pydantic
import pytest
from conftest import KEY
from faults.server import DONE, Act, Connection, FaultServer, completed, delta, drop, event, reply, stream

import nexusai
from nexusai import error as errors
from nexusai.models import SessionModel
from nexusai.resources.sessions import Session

SESSION = {
    "session_id": "sess_1",
    "agent_type": "assistant",
    "agent_config": {"model": "m"},
    "is_active": True,
}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
KB = {"kb_id": "kb_1", "name": "手册", "chunk_size": 1000, "document_count": 2}
HIT = {
    "chunk_id": "chunk_1",
    "doc_id": "doc_1",
    "content": "退款在七个工作日内到账。",
    "similarity_score": 0.93,
    "metadata": {"filename": "手册.pdf", "page": 3, "chunk_index": 0},
}


@pytest.mark.parametrize(
    "answer",
    [
        {"session_id": "sess_1", "response": {"role": "assistant", "content": "Ada."}, "usage": USAGE},
        {"output": {"text": "Ada."}, "metadata": {"usage": USAGE}},
    ],
)
def test_a_conversation(faults: FaultServer, client: nexusai.NexusAIClient, answer: Dict[str, Any]) -> None:
    """Both shapes are sent at once, and both are read."""
    faults.plays(reply(201, SESSION), reply(200, answer, x_request_id="req_5"))
    session = client.sessions.create(agent_config={"model": "m"}, name="主题")
    assert faults.requests[0].json == {
        "agent_type": "assistant",
        "agent_config": {"model": "m"},
        "name": "主题",
    }
    assert (session.id, session.agent_type, session.is_active) == ("sess_1", "assistant", True)
    said = session.invoke("Who am I?", temperature=0)
    assert (said.text, said.response.role, said.request_id) == ("Ada.", "assistant", "req_5")
    assert said.usage is not None
    assert said.usage.total_tokens == 5
    assert faults.requests[1].target == "/api/v1/sessions/sess_1/invoke"
    assert faults.requests[1].json == {
        "prompt": "Who am I?",
        "input": {"prompt": "Who am I?"},
        "stream": False,
        "config": {"temperature": 0},
    }


def test_an_answer_that_takes_long(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """A platform may go on with it as a task."""
    late = completed("late", "task_7")
    late["output"]["metadata"] = {"dropped_messages": 4}
    faults.plays(
        reply(200, SESSION), reply(202, {"task_id": "task_7", "status": "running"}), reply(200, late)
    )
    said = (client.sessions.get("sess_1")).invoke("hi")
    assert (said.text, said.metadata) == ("late", {"dropped_messages": 4})


def test_a_streamed_conversation(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The stream is that of `text.stream`."""
    faults.plays(reply(200, SESSION), stream(delta("A"), delta("da"), event({"usage": USAGE}), DONE))
    session = client.sessions.get("sess_1")
    pieces = [text for text in session.stream("Who?").text_deltas]
    assert pieces == ["A", "da"]
    assert faults.requests[1].json["stream"] is True


@pytest.mark.parametrize("bare", [False, True])
def test_history(faults: FaultServer, client: nexusai.NexusAIClient, bare: bool) -> None:
    """A page, or the bare array of older platforms."""
    rows = [{"role": "user", "content": "嗨", "timestamp": "2026-01-01T00:00:00"}]
    faults.plays(reply(200, SESSION), reply(200, rows if bare else {"messages": rows, "total": 9}))
    session = client.sessions.get("sess_1")
    (message,) = page = session.history(limit=1, offset=8)
    assert (message.role, message.content) == ("user", "嗨")
    assert page.total == (None if bare else 9)
    assert faults.requests[1].target == "/api/v1/sessions/sess_1/history?limit=1&offset=8"


def test_a_deleted_session(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """It refuses to be used, without asking the platform; leaving a `with` deletes it."""
    faults.plays(reply(201, SESSION), reply(204, raw=b""))
    session = client.sessions.create()
    with session:
        pass
    assert faults.requests[1].method == "DELETE"
    assert not session.is_active
    for use in (session.invoke, session.stream):
        with pytest.raises(errors.NotFoundError, match="was deleted"):
            use("hi")  # type: ignore[misc]
    for look in (session.history, session.refresh, session.delete):
        with pytest.raises(errors.NotFoundError, match="was deleted"):
            look()
    assert len(faults.requests) == 2


def test_what_left_a_conversation_is_not_replaced(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """By its deletion, which fails as well; where nothing else is wrong, that is told."""
    faults.plays(*[reply(200, SESSION), reply(403, {"detail": "no"})] * 2)

    def talk(trouble: Dict[str, str]) -> None:
        with client.sessions.get("sess_1"):
            trouble["mine"]

    with pytest.raises(KeyError, match="mine"):
        talk({})
    with pytest.raises(errors.PermissionError):
        talk({"mine": ""})


def test_listing_sessions(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Each can be talked to."""
    faults.plays(
        reply(200, {"sessions": [SESSION], "total": 1, "page": 1, "per_page": 20, "pages": 1}),
        reply(200, {"response": {"role": "assistant", "content": "x"}}),
        reply(200, [SESSION]),
        reply(200, {**SESSION, "message_count": 2}),
    )
    page = client.sessions.list()
    assert page.total == 1
    assert (page[0].invoke("hi")).text == "x"
    (found,) = [each for each in client.sessions.iter()]
    assert (found.refresh()).message_count == 2


@pytest.mark.parametrize("wrapped", [False, True])
def test_knowledge_bases(faults: FaultServer, client: nexusai.NexusAIClient, wrapped: bool) -> None:
    """Made, found, listed in both shapes, deleted."""
    rows, documents = (
        [KB],
        [{"doc_id": "doc_1", "filename": "手册.pdf", "processing_status": "failed", "error": "?"}],
    )
    faults.plays(
        reply(201, KB),
        reply(200, {"knowledge_bases": rows} if wrapped else rows),
        reply(200, {"documents": documents} if wrapped else documents),
        reply(200, {"message": "gone"}),
        reply(200, {"message": "gone"}),
    )
    bases = client.knowledge_bases
    made = bases.create("手册", chunk_size=1000)
    assert faults.requests[0].json == {"name": "手册", "chunk_size": 1000}
    assert (made.kb_id, made.document_count) == ("kb_1", 2)
    assert [base.name for base in bases.list()] == ["手册"]
    (document,) = bases.list_documents("kb_1")
    assert (document.processing_status, document.error) == ("failed", "?")
    bases.delete_document("kb_1", "doc_1")
    bases.delete("kb_1")
    assert [seen.target for seen in faults.requests[3:]] == [
        "/api/v1/knowledge-bases/kb_1/documents/doc_1",
        "/api/v1/knowledge-bases/kb_1",
    ]


@pytest.mark.parametrize(
    "delete",
    [
        lambda c: c.files.delete("file_1"),
        lambda c: c.sessions.delete("sess_1"),
        lambda c: c.knowledge_bases.delete("kb_1"),
        lambda c: c.knowledge_bases.delete_document("kb_1", "doc_1"),
    ],
)
@pytest.mark.parametrize(
    "lost", [drop(), *(reply(status, {}, retry_after="0") for status in (500, 502, 504))]
)
def test_what_an_earlier_attempt_has_deleted(
    faults: FaultServer, client: nexusai.NexusAIClient, delete: Any, lost: Act
) -> None:
    """Its answer was lost, on the way or in a gateway, and it is gone: that is success."""
    gone = reply(404, {"detail": "no such thing"}, x_request_id="req_2")
    faults.plays(lost, gone)
    deleted = delete(client)
    assert deleted is None or (deleted.deleted_count, deleted.request_id) == (1, "req_2")


def test_what_no_earlier_attempt_has_deleted(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The platform was busy, or it refuses, or nothing was to be deleted at all."""
    gone = reply(404, {"detail": "no such thing"})
    faults.plays(reply(503, {"detail": "busy"}, retry_after="0"), gone)
    with pytest.raises(errors.NotFoundError):
        client.files.delete("file_1")
    faults.plays(drop(), reply(403, {"detail": "no"}))
    with pytest.raises(errors.PermissionError):
        client.files.delete("file_1")
    faults.plays(drop(), gone)
    with pytest.raises(errors.NotFoundError):
        client.files.get("file_1")


def test_documents(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Uploaded, added, waited for with its progress."""
    working = {"task_id": "t", "status": "running", "progress": 50}
    done = {"task_id": "t", "status": "completed", "output": {"doc_id": "doc_1", "chunk_count": 7}}
    file = {"file_id": "file_1", "filename": "a.txt"}
    faults.plays(
        reply(201, file),
        reply(202, {"task_id": "t", "status": "queued", "status_poll_url": "/x"}),
        reply(200, working),
        reply(200, done),
    )
    seen: List[Any] = []
    task = client.knowledge_bases.upload_document(
        "kb_1", b"text", "a.txt", on_progress=lambda task: seen.append(task.progress)
    )
    assert (task.wait()).chunk_count == 7
    assert seen == [50.0, None]
    assert faults.requests[1].json == {"file_id": "file_1"}
    failed = {"task_id": "t", "status": "failed", "error": {"code": "INVALID_REQUEST", "message": "no PDF"}}
    faults.plays(reply(202, {"task_id": "t", "status": "queued"}), reply(200, failed))
    with pytest.raises(errors.TaskFailedError, match="no PDF"):
        client.knowledge_bases.add_document("kb_1", "file_1", wait=True)


def test_asking(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """An answer from passages, in the question's language; none where nothing was found."""
    found = {"query": "q", "results": [HIT], "total_results": 1}
    faults.plays(reply(200, found), reply(200, completed("七个工作日 [1]。")))
    answer = client.knowledge_bases.ask("退款多久到账？", "kb_1", model="m")
    assert (answer.text, answer.found) == ("七个工作日 [1]。", True)
    assert answer.sources[0].metadata["page"] == 3
    search, generate = faults.requests
    assert search.json == {
        "query": "退款多久到账？",
        "knowledge_base_ids": ["kb_1"],
        "top_k": 5,
        "similarity_threshold": 0.7,
    }
    system, user = generate.json["input"]["messages"]
    assert "资料" in system["content"]
    assert user["content"].startswith("资料：\n[1] 退款在七个工作日内到账。")
    assert generate.json["config"] == {"temperature": 0.0}
    nothing = {"query": "q", "results": [], "total_results": 0}
    faults.plays(reply(200, nothing), reply(200, nothing))
    answer = client.knowledge_bases.ask("What does it cost?", ["kb_1", "kb_2"])
    assert (answer.text, answer.found, answer.sources) == ("The documents say nothing about this.", False, [])
    silent = client.knowledge_bases.ask_stream("多少钱？", "kb_1")
    assert [text for text in silent] == ["资料中没有找到相关内容。"]
    assert not silent.answer.found
    assert len(faults.requests) == 4, "no model was asked"


def test_asking_as_a_stream(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Its sources are there before its words."""
    faults.plays(
        reply(200, {"query": "q", "results": [HIT]}),
        stream(delta("Seven "), delta("days [1]."), event({"usage": USAGE}), DONE),
    )
    asked = client.knowledge_bases.ask_stream("How long does a refund take?", "kb_1")
    assert asked.sources[0].doc_id == "doc_1"
    assert "".join([text for text in asked]) == "Seven days [1]."
    assert asked.answer.text == "Seven days [1]."
    assert faults.requests[1].json["input"]["messages"][1]["content"].startswith("Passages:\n[1] ")


ENCODED = base64.b64encode(struct.pack("<3f", 1.0, -0.5, 0.25)).decode()


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "list", "data": [{"embedding": ENCODED, "index": 0}], "model": "e5", "usage": USAGE},
        {"data": [{"embedding": [1.0, -0.5, 0.25], "index": 0}], "model": "e5", "usage": USAGE},
        {"vectors": [[1.0, -0.5, 0.25]], "model": "e5", "usage": USAGE},
    ],
)
def test_embeddings(faults: FaultServer, client: nexusai.NexusAIClient, answer: Dict[str, Any]) -> None:
    """Base64, floats, and the older shape."""
    faults.plays(reply(200, answer))
    made = client.embeddings.create("茶", "e5")
    assert made.vectors == [[1.0, -0.5, 0.25]]
    assert made.model == "e5"
    assert faults.requests[0].json == {"input": "茶", "model": "e5", "encoding_format": "base64"}


def test_vectors_out_of_order(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """They come back in the order of the texts."""
    rows = [{"embedding": [float(n)], "index": n} for n in (1, 0)]
    faults.plays(reply(200, {"data": rows}))
    assert (client.embeddings.create(["a", "b"])).vectors == [[0.0], [1.0]]
    for wrong in ("", [], ["a", ""]):
        with pytest.raises(ValueError, match="none of them empty"):
            client.embeddings.create(wrong)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"embedding": [1], "index": None}, {"embedding": [2], "index": None}], "index"),
        ([{"embedding": [1], "index": "a"}, {"embedding": [2], "index": 1}], "index"),
        ([{"embedding": base64.b64encode(struct.pack("<2f", float("nan"), 1)).decode()}], "not finite"),
        ([{"embedding": base64.b64encode(struct.pack("<2f", 1, float("-inf"))).decode()}], "not finite"),
        ([{"embedding": "AAAA"}], "embedding"),
        ([1, 2], "data.0"),
    ],
)
def test_vectors_that_are_none(
    faults: FaultServer, client: nexusai.NexusAIClient, rows: List[Any], problem: str
) -> None:
    """The answer is wrong, in whatever way: what is said names the place."""
    faults.plays(reply(200, {"data": rows}))
    with pytest.raises(errors.InvalidResponseError, match=problem):
        client.embeddings.create(["a", "b"])


def test_many_embeddings(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """Any number of texts, from a generator, in order, in parts."""
    texts = (f"text {number}" for number in range(5))
    parts = [[0.0, 1.0], [2.0, 3.0], [4.0]]
    for part in parts:
        rows = [{"embedding": [value], "index": n} for n, value in enumerate(part)]
        faults.plays(reply(200, {"data": rows, "model": "e5", "usage": USAGE}))
    seen: List[int] = []
    made = client.embeddings.create_batch(texts, batch_size=2, concurrency=1, on_progress=seen.append)
    assert made.vectors == [[float(number)] for number in range(5)]
    assert [row.index for row in made.data] == [0, 1, 2, 3, 4]
    assert seen == [2, 4, 5]
    assert made.usage is not None
    assert made.usage.prompt_tokens == 9
    faults.plays(reply(400, {"detail": "no"}), *[reply(400, {"detail": "no"})] * 4)
    with pytest.raises(errors.InvalidRequestError):
        client.embeddings.create_batch(["x"] * 5, batch_size=1, concurrency=1)
    assert (client.embeddings.create_batch([])).vectors == []
    with pytest.raises(ValueError, match="several"):
        client.embeddings.create_batch("one")


def test_embedding_models(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """What there is, and how it is."""
    faults.plays(
        reply(200, {"object": "list", "data": [{"id": "e5", "dimensions": 384}]}),
        reply(200, {"status": "healthy", "model_dimension": 384}),
    )
    (model,) = client.embeddings.list_models()
    assert (model.id, model.dimensions) == ("e5", 384)
    assert (client.embeddings.health_check()).model_dimension == 384


class City(pydantic.BaseModel):
    name: str
    inhabitants: int = pydantic.Field(gt=0)


@dataclasses.dataclass
class Point:
    x: int
    y: int


def test_a_typed_answer(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """By its schema; the fence that models like to put around JSON is no matter."""
    faults.plays(reply(200, completed('```json\n{"name": "东京", "inhabitants": 14000000}\n```')))
    city = client.text.parse("The largest city of Japan", City)
    assert city == City(name="东京", inhabitants=14000000)
    body = faults.requests[0].json
    form = body["config"]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["name"] == "City"
    assert set(form["json_schema"]["schema"]["properties"]) == {"name", "inhabitants"}
    assert body["config"]["temperature"] == 0.0
    assert body["input"]["messages"][-1] == {"role": "user", "content": "The largest city of Japan"}


def test_a_typed_answer_is_repaired_once(faults: FaultServer, client: nexusai.NexusAIClient) -> None:
    """The model is told what is wrong; then the error has what it gave."""
    faults.plays(reply(200, completed('{"x": 1}')), reply(200, completed('{"x": 1, "y": 2}')))
    assert client.text.parse("A point", Point) == Point(1, 2)
    turns = faults.requests[1].json["input"]["messages"]
    assert turns[-2] == {"role": "assistant", "content": '{"x": 1}'}
    assert "y: " in turns[-1]["content"]
    faults.plays(reply(200, completed("Tokyo!")), reply(200, completed("It is Tokyo.")))
    with pytest.raises(errors.InvalidResponseError, match="fits the schema") as caught:
        client.text.parse(messages=[{"role": "user", "content": "?"}], schema=City)
    assert caught.value.raw_text == "It is Tokyo."
    assert caught.value.problems


def test_what_the_caller_s_own_texts_raise_comes_out_as_it_is(
    faults: FaultServer, client: nexusai.NexusAIClient
) -> None:
    """Not in a group of errors."""

    def texts() -> Iterator[str]:
        yield "one"
        raise KeyError("no more")

    faults.chooses = lambda _: reply(200, {"data": [{"embedding": [1.0], "index": 0}]})
    with pytest.raises(KeyError, match="no more"):
        client.embeddings.create_batch(texts(), batch_size=1)


def _late(act: Act) -> Act:
    """The act, after 0.2 s."""

    def played(connection: Connection) -> None:
        connection.pause(0.2)
        act(connection)

    return played


def _said(client: nexusai.NexusAIClient) -> None:
    session = Session.of(SessionModel(**SESSION), client._internal_client)
    session.invoke("hi")


def _asked_as_a_stream(client: nexusai.NexusAIClient) -> None:
    stream = client.knowledge_bases.ask_stream("?", "kb_1")
    assert [text for text in stream]


_FILE = reply(201, {"file_id": "f"})
_QUEUED = reply(202, {"task_id": "t", "status": "queued"})
_FOUND = reply(200, {"query": "q", "results": [HIT]})


@pytest.mark.parametrize(
    ("call", "acts"),
    [
        (_said, [_QUEUED, reply(200, completed())]),
        (lambda c: c.text.parse("a point", Point), [reply(200, completed("?")), reply(200, completed("{}"))]),
        (lambda c: c.knowledge_bases.ask("?", "kb_1"), [_FOUND, reply(200, completed())]),
        (_asked_as_a_stream, [_FOUND, stream(delta("a"), DONE)]),
        (lambda c: c.audio.transcribe(b"sound"), [_FILE, reply(200, completed())]),
        (lambda c: c.audio.transcribe_async(b"sound"), [_FILE, _QUEUED]),
        (lambda c: c.knowledge_bases.upload_document("kb_1", b"text"), [_FILE, _QUEUED]),
        (
            lambda c: c.knowledge_bases.add_document("kb_1", "f", wait=True),
            [_QUEUED, reply(200, completed())],
        ),
    ],
)
def test_the_total_timeout_bounds_all_that_a_call_asks_for(
    faults: FaultServer, call: Any, acts: List[Act]
) -> None:
    """Each request alone would come in time; both together do not."""
    faults.plays(*map(_late, acts))
    client = nexusai.NexusAIClient(KEY, faults.base_url, total_timeout=0.3, max_retries=0)
    with pytest.raises((errors.APITimeoutError, errors.TaskTimeoutError), match="`total_timeout`"):
        call(client)
    client.close()
