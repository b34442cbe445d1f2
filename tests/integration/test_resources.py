# Generated from tests/aio/integration/test_resources.py by scripts/unasync.py: edit that file.

"""Every resource of the SDK on the platform: with its real models where they matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pydantic
import pytest

import nexusai
from nexusai import error as errors

DOCUMENTS = Path(__file__).parents[2] / "fixtures" / "documents"
if not DOCUMENTS.exists():  # the source of the twins stands one directory deeper
    DOCUMENTS = Path(__file__).parents[1] / "fixtures" / "documents"


def test_a_session(live: nexusai.NexusAIClient) -> None:
    """Remembered turn by turn, streamed too, and gone when it is deleted."""
    config = {"provider": "fake", "system_prompt": "Be brief."}
    with live.sessions.create(agent_config=config, name="集成") as session:
        said = session.invoke("My name is Ada.", fake={"text": "Hello, Ada."})
        assert said.text == "Hello, Ada."
        assert said.metadata["dropped_messages"] == 0
        stream = session.stream("Who am I?", fake={"tokens": 3})
        assert "".join([text for text in stream.text_deltas]) == "w0 w1 w2 "
        history = session.history()
        assert [message.role for message in history] == ["user", "assistant", "user", "assistant"]
        assert history.total == 4
        assert (session.refresh()).message_count == 4
        found = live.sessions.get(session.id)
        assert found.name == "集成"
        assert session.id in [each.id for each in live.sessions.iter()]
    with pytest.raises(errors.NotFoundError):
        live.sessions.get(session.id)
    with pytest.raises(errors.NotFoundError):
        session.invoke("hi")


def test_a_knowledge_base(live: nexusai.NexusAIClient) -> None:
    """A Chinese PDF is asked in Chinese; what it does not say is not made up."""
    bases = live.knowledge_bases
    base = bases.create("手册", chunk_size=200, chunk_overlap=0)
    seen: List[Any] = []
    task = bases.upload_document(
        base.kb_id, DOCUMENTS / "手册.pdf", on_progress=lambda each: seen.append(each.status)
    )
    assert (task.wait()).chunk_count
    assert seen[-1] == "completed"
    (document,) = bases.list_documents(base.kb_id)
    assert (document.filename, document.processing_status) == ("手册.pdf", "completed")
    found = bases.search("退款多久可以到账？", base.kb_id)
    assert "七个工作日" in found.results[0].content
    assert found.results[0].similarity_score >= 0.7
    assert found.results[0].metadata["page"] == 1
    options: Any = {"provider": "fake", "fake": {"text": "七个工作日 [1]。"}}
    answer = bases.ask("退款多久可以到账？", [base.kb_id], **options)
    assert (answer.text, answer.found) == ("七个工作日 [1]。", True)
    asked = bases.ask_stream("忘记密码怎么办？", base.kb_id, **options)
    assert "找回密码" in asked.sources[0].content
    assert "".join([text for text in asked]) == "七个工作日 [1]。"
    nothing = bases.ask("企业版多少钱？", base.kb_id, **options)
    assert not nothing.found
    assert (bases.get(base.kb_id)).document_count == 1
    assert base.kb_id in [each.kb_id for each in bases.list()]
    tasks = bases.upload_documents(base.kb_id, [("a.txt", b"Tea."), ("b.txt", b"Coffee.")], wait=True)
    assert [each.status for each in tasks] == ["completed", "completed"]
    bases.delete_document(base.kb_id, document.doc_id)
    assert len(bases.list_documents(base.kb_id)) == 2
    bases.delete(base.kb_id)
    with pytest.raises(errors.NotFoundError):
        bases.search("x", base.kb_id)


def test_embeddings(live: nexusai.NexusAIClient) -> None:
    """One, several, many; as numbers and as an array."""
    embeddings = live.embeddings
    made = embeddings.create(["猫在睡觉", "The cat is asleep.", "stock market"])
    cat, chinese, market = made.to_numpy()
    assert cat @ chinese > cat @ market
    assert made.usage is not None
    assert made.usage.prompt_tokens > 0
    many = embeddings.create_batch((f"text {number}" for number in range(25)), batch_size=10)
    assert len(many.vectors) == 25
    assert many.vectors[24] == pytest.approx((embeddings.create("text 24")).vectors[0], abs=1e-5)
    (model,) = embeddings.list_models()
    assert model.dimensions == 384
    assert (embeddings.health_check()).status == "healthy"


def test_pictures(live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """Drawn, told, read and saved; several of them; and as a task."""
    seen: List[Any] = []
    image = live.images.generate(
        "两只猫在海边，日落", aspect_ratio="16:9", on_progress=lambda task: seen.append(task.status)
    )
    assert (image.width, image.height) == (1344, 756)
    assert "猫 × 2" in (image.revised_prompt or "")
    assert "diffusion" in image.generator
    data = image.read()
    assert data[1:4] == b"PNG"
    saved = image.save(tmp_path / "猫.png")
    assert saved.read_bytes() == data
    assert seen[-1] == "completed"

    several = live.images.generate("a dog", size="256x256", num_images=3, seed=5)
    assert len(several.images) == 3
    pictures = {each.read() for each in several.images}
    assert len(pictures) == 3

    task = live.images.generate_async("a dog", size="256x256", seed=5)
    assert (task.wait()).read() in pictures


def test_pictures_that_cannot_be(live: nexusai.NexusAIClient) -> None:
    """Refused before anything is sent where that can be known, and by the platform otherwise."""
    with pytest.raises(ValueError, match="prompt"):
        live.images.generate("")
    with pytest.raises(ValueError, match="size"):
        live.images.generate("a cat", size="huge")
    with pytest.raises(errors.InvalidRequestError, match="num_images"):
        live.images.generate("a cat", num_images=99)
    with pytest.raises(errors.InvalidRequestError, match="nexus-illustrator-1"):
        live.images.generate("a cat", model="none")


@pytest.mark.parametrize(
    ("text", "language", "format"),
    [("The library closes at night.", "en", "mp3"), ("今天天气很好。", "zh", "ogg")],
)
def test_speech_there_and_back(
    live: nexusai.NexusAIClient, tmp_path: Path, text: str, language: str, format: str
) -> None:
    """Read aloud, saved, uploaded, and written down."""
    recording = live.audio.synthesize(text, format=format)
    assert recording.duration is not None
    path = recording.save(tmp_path)
    assert path.suffix == f".{format}"
    seen: List[Any] = []
    heard = live.audio.transcribe(path, on_progress=lambda task: seen.append(task.status))
    assert heard.text.strip(".。").lower() == text.strip(".。").lower()
    assert heard.language == language
    assert heard.segments[0].end <= recording.duration + 0.5
    assert seen[-1] == "completed"


def test_speech_that_cannot_be(live: nexusai.NexusAIClient) -> None:
    """A voice that does not exist, signs without words, a file that is no recording."""
    with pytest.raises(errors.InvalidRequestError, match="no voice 'nobody'"):
        live.audio.synthesize("hi", voice="nobody")
    with pytest.raises(errors.InvalidRequestError, match="nothing to read"):
        live.audio.synthesize("…")
    with pytest.raises(errors.InvalidRequestError, match="expected an audio"):
        live.audio.transcribe(("a.txt", b"text"))


class Weather(pydantic.BaseModel):
    city: str
    is_sunny: bool


def test_a_typed_answer(live: nexusai.NexusAIClient) -> None:
    """The local model is held to the schema while it writes."""
    answer = live.text.parse("It is sunny in Paris today.", Weather, max_tokens=60)
    assert isinstance(answer, Weather)


def test_a_batch(live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """Several calls at a time, kept in a file."""
    calls: List[Any] = [("embeddings.create", {"input": f"text {number}"}) for number in range(5)]
    calls.append(("embeddings.create", {"input": "x", "model": "nothing"}))
    items = live.batch.run(calls, concurrency=3, checkpoint=tmp_path / "batch.jsonl")
    assert [item.error is None for item in items] == [True] * 5 + [False]
    again = live.batch.run(calls[:5], checkpoint=tmp_path / "batch.jsonl")
    assert all(item.restored for item in again)
    assert again[3].result.vectors == items[3].result.vectors
