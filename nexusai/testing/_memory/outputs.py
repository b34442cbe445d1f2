"""What tasks come to: the outputs of the contract, without a model behind them."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Callable, Dict, List, Tuple

from nexusai.testing._calls import Call, Upload
from nexusai.testing._memory import media
from nexusai.testing._memory.store import Store
from nexusai.testing._script import instance_of, pieces_of
from nexusai.types import JSONObject

_READABLE = frozenset({"txt", "md", "html", "csv", "json"})
MODELS = {
    "scripted-text": "text_generation",
    "scripted-images": "image_generation",
    "scripted-voice": "text_to_speech",
    "scripted-ears": "speech_to_text",
    "scripted-embeddings": "embeddings",
}
MODEL_OF = {task_type: model for model, task_type in MODELS.items()}


def output_of(store: Store, call: Call, task_type: str, raw: JSONObject) -> JSONObject:
    file_id = call.input.get("file_id")
    if file_id is not None:
        store.file(file_id)
    model = {"model": call.model or MODEL_OF.get(task_type)}
    if task_type == "text_generation":
        return {**_text_output(call, raw), **model}
    if task_type == "image_generation":
        return {**_image_output(store, call, raw), **model}
    if task_type == "text_to_speech":
        return {**_speech_output(store, call, raw), **model}
    if task_type == "speech_to_text":
        return {**_transcript(store, str(file_id), raw), **model}
    if task_type == "document_processing" and file_id is not None:
        return _document_output(store, str(file_id), raw)
    return raw


def _made_file(store: Store, call: Call, upload: Upload) -> str:
    return f"{call.base}/files/{store.keep(upload)['file_id']}/content"


def _image_output(store: Store, call: Call, raw: JSONObject) -> JSONObject:
    width, height = _size(call)
    width, height = raw.get("width") or width, raw.get("height") or height
    images = []
    for index in range(int(call.config.get("num_images") or 1)):
        content = raw.get("content") or media.png(width, height, f"{call.prompt} {index}")
        url = _made_file(store, call, Upload(f"image-{index}.png", "image/png", content))
        images.append({"url": url, "width": width, "height": height, "index": index})
    first = {"image_url": images[0]["url"], "width": width, "height": height, "images": images}
    return {**first, "revised_prompt": raw.get("revised_prompt") or call.prompt}


def _speech_output(store: Store, call: Call, raw: JSONObject) -> JSONObject:
    content = raw.get("content") or media.wav(call.prompt or "")
    kind = raw.get("content_type") or "audio/wav"
    url = _made_file(store, call, Upload(f"speech.{kind.rpartition('/')[2]}", kind, content))
    duration = raw.get("duration") or media.seconds_of(content)
    told = {"audio_url": url, "content_type": kind}
    return told if duration is None else {**told, "duration": duration}


def _transcript(store: Store, file_id: str, raw: JSONObject) -> JSONObject:
    body, content = store.file(file_id)
    text = raw.get("text") or f"What is said in {body['filename']}."
    duration = raw.get("duration") or media.seconds_of(content) or 1.0
    segments = raw.get("segments") or [{"start": 0.0, "end": duration, "text": text}]
    language = raw.get("language") or "en"
    return {"text": text, "language": language, "duration": duration, "segments": segments}


def _document_output(store: Store, file_id: str, raw: JSONObject) -> JSONObject:
    text = raw.get("text") or text_of(store, file_id)
    kind = extension(store.file(file_id)[0]["filename"])
    passages = cut(text, 1000)
    told = {"text": text, "truncated": False, "file_type": kind}
    return {**told, "chunk_count": raw.get("chunk_count") or len(passages)}


def text_of(store: Store, file_id: str) -> str:
    body, content = store.file(file_id)
    if extension(body["filename"]) in _READABLE:
        return content.decode("utf-8", "replace")
    return f"What stands in {body['filename']}."


def extension(filename: str) -> str:
    return PurePath(filename).suffix[1:].lower()


def cut(text: str, size: int) -> List[str]:
    """A text in passages of about `size` characters, cut where a line is empty."""
    passages: List[str] = []
    for paragraph in filter(None, map(str.strip, re.split(r"\n\s*\n", text))):
        if passages and len(passages[-1]) + len(paragraph) < size:
            passages[-1] += f"\n\n{paragraph}"
        else:
            passages.append(paragraph)
    return passages


def tokens(text: str) -> int:
    return -(-len(text) // 4)


def _text_output(call: Call, raw: JSONObject) -> JSONObject:
    pieces = pieces_of(raw["said"])
    text = "".join(pieces)
    asked = sum(tokens(str(message.get("content", ""))) for message in call.messages)
    answered = tokens(text)
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }
    told = {"text": text, "usage": usage, "finish_reason": raw.get("finish_reason") or "stop"}
    return {**told, "_pieces": pieces}


def text_default(call: Call) -> JSONObject:
    """An answer that tells what it answers; where a schema is asked for, a value of it."""
    form = call.config.get("response_format") or {}
    schema = form.get("json_schema", {}).get("schema")
    if schema is not None:
        return {"said": json.dumps(instance_of(schema), ensure_ascii=False)}
    lines = (call.prompt or "").strip().splitlines() or [""]
    return {"said": f"An answer to: {lines[-1][:80]}"}


def nothing(call: Call) -> JSONObject:
    return {}


DEFAULTS: Dict[str, Callable[[Call], JSONObject]] = {"text_generation": text_default}


def _size(call: Call) -> Tuple[int, int]:
    ratio = re.fullmatch(r"(\d+):(\d+)", str(call.config.get("aspect_ratio", "")))
    if ratio is not None:
        wide, high = int(ratio[1]), int(ratio[2])
        longer = max(wide, high)
        return 1024 * wide // longer, 1024 * high // longer
    width, _, height = str(call.config.get("size", "1024x1024")).partition("x")
    return int(width), int(height)
