"""The scripted platform: what users' tests are made of. The whole SDK runs above it."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path
from typing import Any, List

import pydantic
import pytest

import nexusai
from nexusai import error as errors
from nexusai.testing import Platform, UnexpectedCallError

pytestmark = pytest.mark.anyio


@pytest.fixture(name="stage")
def _stage() -> Platform:
    """A platform in this process."""
    return Platform()


async def test_texts_come_in_the_order_of_the_script(stage: Platform) -> None:
    """Then there are no more, and the error says what there was."""
    stage.text("one")
    stage.text("two", prompt=re.compile("again"))
    client = stage.async_client()
    assert (await client.text.generate("first")).text == "one"
    with pytest.raises(UnexpectedCallError) as caught:
        await client.text.generate("something else")
    for told in ("prompt 'something else'", "1. text 'one': used 1 of 1", "2. text 'two' for prompt 'again'"):
        assert told in str(caught.value)
    assert (await client.text.generate("once again")).text == "two"
    stage.assert_all_used()


async def test_an_answer_is_for_the_calls_that_it_names(stage: Platform) -> None:
    """By model, by prompt, by a function; any number of times where it is told so."""
    stage.text("small", model="small", times=None)
    stage.text("exactly", prompt="exactly this")
    stage.text(lambda call: call.prompt.upper(), when=lambda call: call.config.get("temperature") == 0)
    client = stage.async_client()
    assert (await client.text.generate("shout", temperature=0)).text == "SHOUT"
    assert [(await client.text.generate("hi", model="small")).text for _ in range(3)] == ["small"] * 3
    assert (await client.text.generate("exactly this")).text == "exactly"
    with pytest.raises(UnexpectedCallError):
        await client.text.generate("exactly this")


async def test_without_a_script_it_answers_by_itself(stage: Platform) -> None:
    """Always the same, with whatever the API tells."""
    answer = await stage.async_client().text.generate("Name a river.\nA long one.")
    assert answer.text == "An answer to: A long one."
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert (answer.model, answer.finish_reason, answer.request_id) == ("scripted-text", "stop", "req_1")
    with pytest.raises(UnexpectedCallError, match="Scripted is:\n  nothing"):
        await Platform(strict=True).async_client().text.generate("hi")


async def test_what_nobody_reads_fails_the_test_at_its_end(stage: Platform) -> None:
    """Also where the program has swallowed the error."""
    stage.text("one")
    items = await stage.async_client().batch.run([("text.generate", {"prompt": p}) for p in ("a", "b")])
    assert [item.result.text for item in items if item.error is None] == ["one"]
    with pytest.raises(UnexpectedCallError, match="prompt '[ab]'"):
        stage.assert_nothing_unexpected()


async def test_a_stream_in_its_pieces(stage: Platform) -> None:
    """And its end, with what it tells."""
    stage.text(["Hel", "lo"])
    stage.text("Said in words.", finish_reason="length")
    client = stage.async_client()
    assert [text async for text in client.text.stream("hi").text_deltas] == ["Hel", "lo"]
    stream = client.text.stream("hi")
    assert [text async for text in stream.text_deltas] == ["Said", " in", " words."]
    assert stream.response.finish_reason == "length"
    assert stream.task_id == "task_2"


async def test_a_stream_that_is_cut_for_good(stage: Platform) -> None:
    """After some pieces, or before the first."""
    stage.text(["one ", "two ", "three"], cut_after=2)
    stage.text("never", cut_after=0)
    client = stage.async_client(max_retries=1)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        await client.text.stream("hi").read()
    assert caught.value.partial_text == "one two "
    with pytest.raises(errors.StreamInterruptedError):
        await client.text.stream("hi").read()
    assert len(stage.calls) == 3  # before the first piece it was asked for again


async def test_a_stream_that_is_taken_up_again(stage: Platform) -> None:
    """Nothing is missing, and nothing comes twice."""
    stage.text(["one ", "two ", "three"], cut_after=1, resumes=True)
    stream = stage.async_client().text.stream("hi")
    assert [text async for text in stream.text_deltas] == ["one ", "two ", "three"]
    call = stage.assert_called("GET", "/tasks/*/events", times=1)
    assert call.headers["last-event-id"] == "4"


async def test_a_stream_that_fails(stage: Platform) -> None:
    """The platform says so after some pieces."""
    stage.failure("text_generation", "Out of memory", code="OUT_OF_MEMORY", pieces=["so ", "far"])
    with pytest.raises(errors.StreamError, match="Out of memory") as caught:
        await stage.async_client().text.stream("hi").read()
    assert (caught.value.error_code, caught.value.partial_text) == ("OUT_OF_MEMORY", "so far")


async def test_leaving_a_stream_stops_its_task(stage: Platform) -> None:
    """As at a real platform."""
    stage.text(["one ", "two "])
    async with stage.async_client().text.stream("hi") as stream:
        async for _ in stream:
            break
    stage.assert_called("POST", "/tasks/task_1/cancel", times=1)


async def test_a_task_passes_through_its_statuses(stage: Platform) -> None:
    """One at each look, and nobody waits for it in earnest."""
    stage.text("done", statuses=["queued", ("running", 10), ("running", 60)])
    seen: List[Any] = []
    task = await stage.async_client().text.generate_async("hi")
    assert task.status == "queued"
    answer = await task.wait(on_progress=lambda each: seen.append((each.status, each.progress)))
    assert answer.text == "done"
    assert [status for status, _ in seen] == ["queued", "running", "running", "completed"]
    assert [progress for _, progress in seen][1:3] == [10, 60]
    assert len(stage.clock.pauses) == 3


async def test_a_task_that_never_ends(stage: Platform) -> None:
    """Five minutes pass at once; then it can be cancelled."""
    stage.image(statuses=["running"], ends=False)
    client = stage.async_client()
    with pytest.raises(errors.TaskTimeoutError) as caught:
        await client.images.generate("a cat")
    assert stage.clock.now == pytest.approx(300, abs=5)
    cancelled = await client.tasks.cancel(str(caught.value.task_id))
    assert cancelled.status == "cancelled"
    with pytest.raises(errors.ConflictError):
        await client.tasks.cancel(cancelled.task_id)


async def test_a_task_that_fails(stage: Platform) -> None:
    """With its code and reason."""
    stage.failure("image_generation", "No such style", code="BAD_STYLE", statuses=["running"])
    with pytest.raises(errors.TaskFailedError, match="No such style") as caught:
        await stage.async_client().images.generate("a cat")
    assert caught.value.error_code == "BAD_STYLE"
    (task,) = [each async for each in stage.async_client().tasks.iter(status="failed")]
    assert task.task_type == "image_generation"


async def test_a_limit_and_an_outage_are_waited_out(stage: Platform) -> None:
    """Half a minute passes at once."""
    stage.error(429, retry_after=30)
    stage.error(503)
    stage.text("at last")
    assert (await stage.async_client().text.generate("hi")).text == "at last"
    limit, outage = stage.clock.pauses
    assert 30 <= limit <= 33
    assert 0 < outage < 2
    assert len(stage.calls) == 3


async def test_an_error_says_what_it_was_told_to(stage: Platform) -> None:
    """For the calls that it is for, and with nobody trying again."""
    stage.error(400, "No such model", model="none", code="NO_MODEL")
    stage.error(429, retry_after=7, headers={"x-ratelimit-limit": "60"}, path="/files/*")
    client = stage.async_client(max_retries=0)
    assert (await client.text.generate("hi")).text
    with pytest.raises(errors.InvalidRequestError, match="No such model") as refused:
        await client.text.generate("hi", model="none")
    assert refused.value.error_code == "NO_MODEL"
    with pytest.raises(errors.RateLimitError) as limited:
        await client.files.get("file_1")
    assert limited.value.retry_after == 7
    with pytest.raises(errors.NotFoundError):
        await client.files.get("file_1")


async def test_connections_that_break(stage: Platform) -> None:
    """One is made again; none at all is an error."""
    client = stage.async_client()
    stage.drop()
    assert (await client.text.generate("hi")).text
    stage.drop(sent=False, times=None)
    with pytest.raises(errors.NetworkError) as caught:
        await client.text.generate("hi")
    assert len(caught.value.attempts) == 4


async def test_answers_that_come_late(stage: Platform) -> None:
    """In time they are answers, too late they are none; the clock shows how long it was."""
    client = stage.async_client(timeout=10, max_retries=0)
    stage.text("in time", takes=9)
    assert (await client.text.generate("hi")).text == "in time"
    assert stage.clock.now == pytest.approx(9)
    stage.text("too late", takes=11)
    with pytest.raises(errors.APITimeoutError, match="10 s"):
        await client.text.generate("hi")
    stage.time_out()
    with pytest.raises(errors.APITimeoutError):
        await client.models.list()
    assert stage.clock.now == pytest.approx(29)


async def test_a_total_timeout_counts_the_time_of_the_test(stage: Platform) -> None:
    """Retries end where it does."""
    stage.error(503, times=None)
    with pytest.raises(errors.ServerError):
        await stage.async_client(max_retries=50, total_timeout=20).text.generate("hi")
    assert 5 < stage.clock.now <= 20


async def test_files_come_back_as_they_went(stage: Platform, tmp_path: Path) -> None:
    """Whole, in a listing, as a file, and after a connection that broke."""
    content = bytes(range(256)) * 1000
    client = stage.async_client()
    file = await client.files.upload(('报告 "1".csv', content))
    assert (file.file_id, file.filename, file.size) == ("file_1", '报告 "1".csv', len(content))
    assert [each.file_id for each in await client.files.list()] == ["file_1"]
    stage.drop(path="/files/*/content", after_bytes=1000)
    path = await client.files.download(file.file_id, tmp_path)
    assert path.read_bytes() == content
    assert path.name == '报告 "1".csv'
    stage.assert_called("GET", "/files/file_1/content", times=2)
    assert (await client.files.delete(file.file_id)).deleted_count == 1
    with pytest.raises(errors.NotFoundError):
        await client.files.get(file.file_id)
    with pytest.raises(errors.InvalidRequestError, match="program.exe"):
        await client.files.upload(("program.exe", b"MZ"))


async def test_pictures_are_pictures(stage: Platform) -> None:
    """In the size that was asked for, as many as were asked for; or the bytes that were given."""
    client = stage.async_client()
    image = await client.images.generate("a cat", size="640x480", num_images=2)
    content = await image.read()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (640, 480)
    assert (image.width, image.height, len(image.images)) == (640, 480, 2)
    wide = await client.images.generate("a cat", aspect_ratio="16:9")
    assert (wide.width, wide.height) == (1024, 576)
    stage.image(b"not really", revised_prompt="A ginger cat")
    given = await client.images.generate("a cat")
    assert (await given.read(), given.revised_prompt) == (b"not really", "A ginger cat")


async def test_speech_there_and_back(stage: Platform) -> None:
    """A recording that can be played, and what is said in one."""
    client = stage.async_client()
    spoken = await client.audio.synthesize("The library opens at nine.")
    recording = await spoken.read()
    with wave.open(io.BytesIO(recording)) as played:
        assert played.getnframes() / played.getframerate() == pytest.approx(spoken.duration, abs=0.01)
    heard = await client.audio.transcribe(("opening.wav", recording))
    assert heard.text == "What is said in opening.wav."
    assert heard.duration == spoken.duration
    stage.transcript("图书馆九点开门。", language="zh", segments=[{"start": 0, "end": 1, "text": "图书馆"}])
    heard = await client.audio.transcribe(("opening.wav", recording))
    assert (heard.text, heard.language, heard.segments[0].text) == ("图书馆九点开门。", "zh", "图书馆")


async def test_a_session_remembers(stage: Platform) -> None:
    """What was said before is there for whoever writes the answer; what broke off is not kept."""
    client = stage.async_client()
    stage.text("Hello, Ada.", prompt="I am Ada.")
    stage.text(lambda call: f"{len(call.messages)} messages so far", prompt="How many?", times=2)
    stage.text(["Well, ", "…"], prompt="A secret?", cut_after=1)
    async with await client.sessions.create(name="Travel") as session:
        assert (await session.invoke("I am Ada.")).text == "Hello, Ada."
        assert (await session.invoke("How many?")).text == "3 messages so far"
        with pytest.raises(errors.StreamInterruptedError):
            await session.stream("A secret?").read()
        assert (await session.stream("How many?").read()).text == "5 messages so far"
        history = await session.history(limit=2, offset=4)
        assert [message.content for message in history] == ["How many?", "5 messages so far"]
        assert history.total == 6
        assert (await session.refresh()).message_count == 6
    with pytest.raises(errors.NotFoundError):
        await client.sessions.get(session.id)


async def test_knowledge_bases_find_what_shares_words(stage: Platform) -> None:
    """In English and in Chinese; what shares none is not found, and no model is asked then."""
    bases = stage.async_client().knowledge_bases
    base = await bases.create("Handbook", chunk_size=60)
    leave = b"Every employee has twenty-five days of paid leave.\n\nHotels cost up to 140 euros a night."
    await bases.upload_documents(
        base.kb_id, [("a.md", leave), ("b.md", "退款需要七个工作日。".encode())], wait=True
    )
    found = await bases.search("How many days of leave?", base.kb_id)
    assert [row.content for row in found.results] == ["Every employee has twenty-five days of paid leave."]
    assert found.results[0].similarity_score >= 0.7
    assert "七个" in (await bases.search("退款多久到账？", base.kb_id)).results[0].content
    answer = await bases.ask("How many days of leave?", base.kb_id)
    assert (answer.found, answer.sources[0].metadata["filename"]) == (True, "a.md")
    assert not (await bases.ask("Who paints the fence?", base.kb_id)).found
    stage.assert_called(task_type="text_generation", times=1)
    assert (await bases.get(base.kb_id)).total_chunks == 3
    assert sorted(each.filename for each in await bases.list_documents(base.kb_id)) == ["a.md", "b.md"]
    document = (await bases.list_documents(base.kb_id))[0]
    await bases.delete_document(base.kb_id, document.doc_id)
    assert len(await bases.list_documents(base.kb_id)) == 1


async def test_passages_can_be_given(stage: Platform) -> None:
    """As texts, or with all that the API tells of them."""
    bases = stage.async_client().knowledge_bases
    stage.passages(["First.", {"content": "Second.", "similarity_score": 0.99, "metadata": {"page": 3}}])
    stage.passages([], query="nothing")
    stage.text("It is so [1].")
    answer = await bases.ask("Is it?", "kb_1")
    assert [source.content for source in answer.sources] == ["Second.", "First."]
    assert answer.sources[0].metadata["page"] == 3
    assert answer.text == "It is so [1]."
    assert (await bases.search("nothing", "kb_1")).results == []
    stage.failure("document_processing", "It is encrypted")
    base = await bases.create("x")
    with pytest.raises(errors.TaskFailedError, match="encrypted"):
        await bases.upload_document(base.kb_id, ("a.pdf", b"%PDF"), wait=True)
    assert [each.error for each in await bases.list_documents(base.kb_id)] == ["It is encrypted"]


async def test_vectors_tell_which_texts_are_alike(stage: Platform) -> None:
    """The same ones on every machine; or those that are given."""
    embeddings = stage.async_client().embeddings
    question, near, far = (
        await embeddings.create(["Where does the cat sleep?", "The cat sleeps there", "Stocks fell today"])
    ).vectors
    assert sum(a * b for a, b in zip(question, near)) > sum(a * b for a, b in zip(question, far))
    assert sum(a * a for a in near) == pytest.approx(1)
    assert near[:2] == pytest.approx([0.0387, -0.0327], abs=1e-4)
    assert len((await embeddings.create("x", dimensions=7)).vectors[0]) == 7
    stage.vectors([[1, 0], [0, 1]])
    stage.vectors(lambda text: [len(text)], times=None)
    assert (await embeddings.create(["a", "b"])).vectors == [[1, 0], [0, 1]]
    assert (await embeddings.create_batch(["a", "bb", "ccc"], batch_size=2)).vectors == [[1], [2], [3]]
    assert (await embeddings.health_check()).status == "healthy"
    assert [model.dimensions for model in await embeddings.list_models()] == [64]


class City(pydantic.BaseModel):
    """What is asked for."""

    name: str
    country: str
    people: int = pydantic.Field(gt=0)


async def test_typed_answers(stage: Platform) -> None:
    """Of themselves they fit the schema; given ones may not, and are sent back once."""
    client = stage.async_client()
    assert await client.text.parse("A city", City) == City(name="", country="", people=1)
    stage.text({"name": "Paris", "people": "many"})
    stage.text(City(name="Paris", country="France", people=2_000_000))
    assert (await client.text.parse("A city", City)).country == "France"
    assert "people" in str(stage.calls[-1].prompt)


async def test_any_task_and_any_answer(stage: Platform) -> None:
    """Types that have no method of their own, endpoints that are not known, answers that break the rules."""
    client = stage.async_client()
    stage.task("video_generation", {"video_url": "https://cdn.test/1.mp4"}, statuses=["running"])
    task = await client.invoke("video_generation", {"prompt": "a cat"})
    assert task.output == {"video_url": "https://cdn.test/1.mp4"}
    stage.reply(json={"balance": 5}, path="/account")
    assert await client._internal_client.request("GET", "/account") == {"balance": 5}
    with pytest.raises(UnexpectedCallError, match=r"GET .*/account"):
        await client._internal_client.request("GET", "/account")
    stage.reply(content=b"<html>", headers={"Content-Type": "text/html"}, path="/models")
    with pytest.raises(errors.InvalidResponseError, match="text/html"):
        await client.models.list()
    stage.document("Page one.", chunk_count=7)
    file = await client.files.upload(("a.pdf", b"%PDF"))
    read = await client.invoke("document_processing", {"file_id": file.file_id})
    assert read.output is not None
    assert (read.output["text"], read.output["chunk_count"]) == ("Page one.", 7)


async def test_what_was_asked_can_be_asserted(stage: Platform) -> None:
    """And what is wrong with an assertion is told."""
    client = stage.async_client(api_key="nxs_secret")
    await client.text.generate(messages=[{"role": "user", "content": "Hi"}], model="m", temperature=0)
    call = stage.assert_called(task_type="text_generation", prompt="Hi", model="m", temperature=0)
    assert call.json["input"]["messages"][0]["content"] == "Hi"
    assert (call.method, call.path, call.config) == ("POST", "/invoke", {"temperature": 0})
    assert "nxs_secret" not in repr(stage.calls)
    stage.assert_not_called(task_type="image_generation")
    with pytest.raises(AssertionError, match=r"(?s)temperature 1.*There came:.*prompt 'Hi'"):
        stage.assert_called(task_type="text_generation", temperature=1)
    with pytest.raises(AssertionError, match="no such call"):
        stage.assert_not_called("POST", "/invoke")
    stage.text("unused")
    with pytest.raises(AssertionError, match="text 'unused': used 0 of 1"):
        stage.assert_all_used()
    with pytest.raises(ValueError, match="times"):
        stage.text("x", times=0)


async def test_every_client_speaks_with_what_is_installed(stage: Platform) -> None:
    """One that was made before, one made now, and the default one; afterwards it is as before."""
    before = nexusai.AsyncNexusAIClient("nxs_k", "http://127.0.0.1:9/api/v1", max_retries=0)
    stage.text(lambda call: "scripted", times=None)
    with stage.installed():
        assert (await before.text.generate("hi")).text == "scripted"
        assert (await nexusai.AsyncNexusAIClient().text.generate("hi")).text == "scripted"
        assert (await nexusai.aio.text.generate("hi")).text == "scripted"
        nexusai.config.api_key = "nxs_other"
        assert (await nexusai.aio.text.generate("hi")).text == "scripted"
        other = Platform()
        with other.installed():
            assert (await before.text.generate("hi")).text == "An answer to: hi"
            assert (await stage.async_client().text.generate("hi")).text == "scripted"
    with pytest.raises(errors.NetworkError):
        await before.text.generate("hi")
    with pytest.raises(errors.AuthenticationError):
        nexusai.AsyncNexusAIClient()


async def test_a_client_with_other_options_stays_on_the_stage(stage: Platform) -> None:
    """`with_options` keeps the platform and its time."""
    stage.time_out(times=None)
    client = stage.async_client().with_options(timeout=5, max_retries=0)
    with pytest.raises(errors.APITimeoutError):
        await client.text.generate("hi")
    assert stage.clock.now == pytest.approx(5)


async def test_an_address_elsewhere_is_asked_for_here(stage: Platform) -> None:
    """Nothing leaves the process, and no key goes there."""
    stage.task("image_generation", {}, when=lambda call: False)
    stage.reply(
        json={
            "task_id": "t",
            "status": "completed",
            "output": {"image_url": "https://cdn.test/1.png", "width": 1, "height": 1},
        },
        path="/invoke",
    )
    stage.reply(content=b"picture", path="https://cdn.test/1.png")
    image = await stage.async_client().images.generate("a cat")
    assert await image.read() == b"picture"
    assert stage.calls[-1].path == "https://cdn.test/1.png"


async def test_time_passes_for_those_who_wait_beside_each_other(stage: Platform) -> None:
    """The clock can also be set by hand."""
    stage.clock.advance(3600)
    file = await stage.async_client().files.upload(("a.txt", b"x"))
    assert file.created_at is not None
    assert f"{file.created_at:%H:%M}" == "01:00"
