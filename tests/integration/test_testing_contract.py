"""The scripted platform tells what the real one tells: the same calls on both, and the shapes compared."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import pytest

import nexusai
from nexusai import error as errors
from nexusai.models import Model, Page
from nexusai.testing import Platform

if TYPE_CHECKING:
    from server.process import ServerProcess

LEAVE = b"Every employee has twenty-five days of paid leave a year."
ILLUSTRATORS = ("drawn", "generator", "ignored")
"""What the built-in illustrator tells of its pictures, and no other model."""

QUESTION = "How many days of paid leave are there a year?"


def shape(told: Any) -> Any:
    """The fields that are set, and the types of what is in them; a number is a number."""
    if isinstance(told, Model):
        fields = {name: getattr(told, name) for name in told.model_fields_set}
        return shape({**fields, **(told.model_extra or {})})
    if isinstance(told, Page):
        facts = {name: shape(getattr(told, name)) for name in ("total", "page", "per_page", "pages")}
        return {**facts, "items": [shape(told[0])]}
    if isinstance(told, dict):
        return {name: shape(value) for name, value in sorted(told.items())}
    if isinstance(told, list):
        return [shape(told[0])] if told else []
    return "number" if isinstance(told, (int, float)) and not isinstance(told, bool) else type(told).__name__


def tour(client: nexusai.NexusAIClient, tmp_path: Path) -> dict[str, Any]:
    """A call of each kind, and what it told."""
    told: dict[str, Any] = {}
    told["text"] = client.text.generate("Say hi.", max_tokens=4)
    task = client.text.generate_async("Say hi.", max_tokens=4)
    told["task, accepted"] = nexusai.models.Task.model_validate(task.model_dump(exclude_unset=True))
    told["task, waited for"] = task.wait()
    told["task, looked at"] = client.tasks.get(task.task_id)
    told["tasks"] = client.tasks.list(per_page=1)
    with client.text.stream("Say hi.", max_tokens=4) as stream:
        chunks = list(stream)
        told["stream"] = [chunks[0], chunks[-1], stream.response, stream.task_id]
    told["image"] = client.images.generate("a cat", size="256x256")
    told["images"] = client.images.generate("two cats", size="256x256", num_images=2).images
    told["picture"] = told["image"].read()[:8]
    told["speech"] = client.audio.synthesize("Hello there.", voice="heart", format="wav")
    recording = told["speech"].save(tmp_path / "speech.wav")
    told["transcript"] = client.audio.transcribe(recording)
    told["file"] = file = client.files.upload(("leave.md", LEAVE))
    told["file, looked at"] = client.files.get(file.file_id)
    told["files"] = client.files.list(per_page=1)
    download = client.files.download(file.file_id)
    told["download"] = [download.filename, download.content_type, download.size, download.read()]
    told["document read"] = client.invoke("document_processing", {"file_id": file.file_id})
    told.update(conversation(client))
    told.update(knowledge(client, file.file_id))
    told["file, deleted"] = client.files.delete(file.file_id)
    told["vectors"] = client.embeddings.create(["tea", "coffee"])
    told["vector models"] = client.embeddings.list_models()
    told["vectors' health"] = client.embeddings.health_check()
    told["models"] = next(model for model in client.models.list() if model.default_for)
    told["errors"] = [
        refused(lambda: client.tasks.get("task_none")),
        refused(lambda: client.files.download("file_none")),
        refused(lambda: client.sessions.get("sess_none")),
        refused(lambda: client.knowledge_bases.get("kb_none")),
        refused(lambda: client.tasks.cancel(task.task_id)),
        refused(lambda: client.files.upload(("a.exe", b"MZ"))),
    ]
    shapes = {name: each if isinstance(each, bytes) else shape(each) for name, each in told.items()}
    for name in ILLUSTRATORS:
        shapes["image"].pop(name, None)
    return shapes


def conversation(client: nexusai.NexusAIClient) -> dict[str, Any]:
    told: dict[str, Any] = {}
    with client.sessions.create(name="Tour", agent_config={"max_tokens": 4}) as session:
        told["session"] = nexusai.models.SessionModel.model_validate(session.model_dump(exclude_unset=True))
        told["said"] = session.invoke("Say hi.")
        stream = session.stream("Say hi.")
        told["session's stream"] = [stream.read(), *list(stream)]
        told["history"] = session.history()
        told["session, looked at"] = client.sessions.get(session.id)
        told["sessions"] = client.sessions.list(per_page=1)
    return told


def knowledge(client: nexusai.NexusAIClient, file_id: str) -> dict[str, Any]:
    bases, told = client.knowledge_bases, {}
    told["base"] = base = bases.create("Handbook", "For all", chunk_size=200, chunk_overlap=0)
    told["document, added"] = task = bases.add_document(base.kb_id, file_id)
    told["document, taken in"] = task.wait()
    told["base, looked at"] = bases.get(base.kb_id)
    told["bases"] = bases.list()[0]
    told["documents"] = bases.list_documents(base.kb_id)[0]
    told["found"] = bases.search(QUESTION, base.kb_id, similarity_threshold=0.5)
    told["answer"] = bases.ask(QUESTION, base.kb_id, similarity_threshold=0.5, max_tokens=4)
    told["document, deleted"] = bases.delete_document(base.kb_id, bases.list_documents(base.kb_id)[0].doc_id)
    told["base, deleted"] = bases.delete(base.kb_id)
    return told


def refused(call: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(errors.APIError) as caught:
        call()
    error = caught.value
    assert isinstance(error.response_body, dict)
    facts = {name: shape(value) for name, value in error.response_body.items() if name != "detail"}
    return {f"{type(error).__name__} {error.status_code} {error.error_code}": facts}


@pytest.fixture(scope="module")
def on_both(
    platform: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the real platform tells, and what the scripted one does."""
    with nexusai.NexusAIClient(platform.key, platform.url) as client:
        real = tour(client, tmp_path_factory.mktemp("real"))
    return real, tour(Platform().client(), tmp_path_factory.mktemp("scripted"))


def test_both_tell_the_same(on_both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Every field, and its type, of every step of the tour."""
    real, scripted = (json.dumps(each, indent=1, default=repr).splitlines() for each in on_both)
    difference = "\n".join(unified_diff(real, scripted, "real", "scripted", lineterm=""))
    assert not difference, difference
    assert len(on_both[0]) > 30
