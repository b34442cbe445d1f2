"""A tour of the platform by `keystone-ai`, run in that package's own environment.

`python keystone_tour.py <address> <directory>`, the key in NEXUS_API_KEY: prints what came of each step
as one JSON object.
"""

import json
import sys
import wave
from importlib.metadata import version
from pathlib import Path

from nexusai import NexusAIClient
from nexusai.error import AuthenticationError, InvalidRequestError, NexusAIError, NotFoundError
from nexusai.error import ValidationError as RefusedError


def main(base_url, directory):
    client = NexusAIClient(base_url=base_url, timeout=60)
    steps = (text, stream, errors, images, sessions, files, speech, knowledge, embeddings)
    told = {"version": version("keystone-ai")}
    for step in steps:
        told[step.__name__] = step(client, directory)
    sys.stdout.write(json.dumps(told))


def text(client, _):
    whole = client.text.generate(prompt="Say hello.", max_tokens=12, temperature=0)
    chat = client.text.generate(messages=[{"role": "user", "content": "你好"}], max_tokens=4)
    polled = client.text.generate_async(prompt="Say hello.", max_tokens=12, temperature=0)
    return {
        "text": whole.text,
        "same": polled.text == whole.text,
        "usage": whole.usage.total_tokens,
        "finish_reason": whole.finish_reason,
        "chat": bool(chat.text),
    }


def stream(client, _):
    chunks = list(client.text.stream(prompt="Say hello.", max_tokens=12, temperature=0))
    return {
        "text": "".join(chunk["delta"]["content"] for chunk in chunks if "delta" in chunk),
        "usage": chunks[-1]["usage"]["total_tokens"],
    }


def errors(client, _):
    told = []
    stranger = NexusAIClient(api_key="nxs_wrong", base_url=client._internal_client.base_url)
    for wanted, call in (
        (AuthenticationError, stranger.files.list),
        (NotFoundError, lambda: client.files.get("file_none")),
        (InvalidRequestError, lambda: client.text.generate(prompt="hi", model="none")),
        (RefusedError, lambda: client.sessions.list(page=0)),
    ):
        try:
            call()
        except NexusAIError as error:
            told.append(isinstance(error, wanted) and bool(error.message))
    return told


def images(client, _):
    image = client.images.generate(prompt="两只猫在海边", aspect_ratio="16:9")
    return {"url": image.image_url, "size": [image.width, image.height], "prompt": image.revised_prompt}


def sessions(client, _):
    session = client.sessions.create(name="旅行", agent_config={"temperature": 0, "max_tokens": 8})
    answer = session.invoke("Say hello.")
    streamed = list(session.stream("Say hello again."))
    history = session.history()
    listed = [each.session_id for each in client.sessions.list()]
    found = client.sessions.get(session.id)
    session.delete()
    return {
        "answer": bool(answer.response.content),
        "role": answer.response.role,
        "usage": answer.usage.total_tokens > 0,
        "streamed": any("delta" in chunk for chunk in streamed),
        "roles": [message.role for message in history],
        "listed": session.id in listed,
        "name": found.name,
    }


def files(client, directory):
    path = directory / "报告.txt"
    path.write_text("第一章", encoding="utf-8")
    file = client.files.upload(str(path))
    listed = client.files.list()
    got = client.files.get(file.file_id)
    deleted = client.files.delete(file.file_id)
    return {
        "name": file.filename,
        "size": got.size,
        "type": got.content_type,
        "listed": file.file_id in [each.file_id for each in listed.files],
        "deleted": deleted["deleted_count"],
    }


def speech(client, directory):
    spoken = client.audio.synthesize(
        "The library opens at nine in the morning.", voice="af_heart", format="wav"
    )
    content = client._internal_client.client.get(spoken.audio_url)
    recording = directory / "recording.wav"
    recording.write_bytes(content.content)
    with wave.open(str(recording)) as opened:
        seconds = opened.getnframes() / opened.getframerate()
    file = client.files.upload(str(recording))
    heard = client.audio.transcribe(file.file_id, language="en")
    return {"seconds": seconds, "text": heard.text, "language": heard.language, "parts": len(heard.segments)}


def knowledge(client, directory):
    base = client.knowledge_bases.create(name="手册", description="tour")
    path = directory / "handbook.md"
    path.write_text(
        "# Leave\n\nEvery employee has twenty-five days of paid leave a year.\n", encoding="utf-8"
    )
    task = client.knowledge_bases.upload_document(base.kb_id, str(path))
    client.text._poller.poll(task.task_id)
    documents = client.knowledge_bases.list_documents(base.kb_id)
    found = client.knowledge_bases.search("How many days of paid leave are there?", [base.kb_id])
    listed = [each.kb_id for each in client.knowledge_bases.list()]
    got = client.knowledge_bases.get(base.kb_id)
    client.knowledge_bases.delete(base.kb_id)
    return {
        "documents": [[each.filename, each.processing_status] for each in documents],
        "first": found.results[0].content,
        "score": found.results[0].similarity_score,
        "listed": base.kb_id in listed,
        "chunks": got.total_chunks,
    }


def embeddings(client, _):
    one = client.embeddings.create("你好，这是一个测试文本")
    several = client.embeddings.create(["文本1", "文本2"])
    batch = client.embeddings.create_batch(["文本1", "文本2", "文本3"])
    models = client.embeddings.list_models()
    health = client.embeddings.health_check()
    return {
        "dimensions": len(one.data[0].embedding),
        "several": len(several.data),
        "batch": len(batch.data),
        "models": [[model.id, model.dimensions] for model in models.data],
        "health": health.status,
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
