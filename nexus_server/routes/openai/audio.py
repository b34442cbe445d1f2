"""`/v1/audio`: recordings written down, and texts read aloud."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, PlainTextResponse, Response

from nexus_server.auth import CallerDep
from nexus_server.errors import InvalidRequest, NotFound
from nexus_server.routes.dependencies import PlatformDep
from nexus_server.routes.files import take_upload
from nexus_server.routes.fingerprint import fingerprint
from nexus_server.routes.openai.errors import unsuccessful_answer
from nexus_server.routes.openai.running import choose_model, run_to_end, without_none
from nexus_server.routes.responses import answer
from nexus_server.services.files import file_id_of
from nexus_server.services.platform import Platform
from nexus_server.services.speech import LONGEST_TEXT, require_recording
from nexus_server.services.tasks import NewTask

router = APIRouter(tags=["audio"])

_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "model": {"type": "string"},
                    "language": {"type": "string"},
                    "response_format": {"type": "string", "enum": list(_FORMATS), "default": "json"},
                },
            }
        }
    },
}


class SpeechBody(BaseModel):
    """The body of a text to be read aloud. The voices are the platform's, not OpenAI's."""

    model_config = ConfigDict(extra="allow")

    input: str = Field(min_length=1, max_length=LONGEST_TEXT)
    model: str | None = Field(default=None, max_length=255)
    voice: str | None = Field(default=None, max_length=64)
    response_format: str = Field(default="mp3", max_length=16)
    speed: float | None = None
    stream_format: Literal["audio"] | None = None

    def config(self) -> dict[str, Any]:
        """The contract's options."""
        options = {"voice": self.voice, "format": self.response_format, "speed": self.speed}
        return without_none({**(self.model_extra or {}), **options})


@router.post("/audio/speech", response_class=FileResponse, responses={200: {"content": {"audio/*": {}}}})
async def speak(body: SpeechBody, request: Request, platform: PlatformDep, caller: CallerDep) -> Response:
    """Read a text aloud; the answer is the recording."""
    fingerprint(body)  # sees that it can be written down
    provider, model = choose_model(platform, "text_to_speech", body.model)
    new = NewTask(
        api_key_id=caller.api_key_id,
        task_type="text_to_speech",
        provider=provider,
        model=model,
        input={"text": body.input},
        config=body.config(),
    )
    task = await run_to_end(platform, request, new)
    if task.status != "completed":
        return unsuccessful_answer(task)
    file_id = file_id_of((task.output or {})["audio_url"])
    record, path = await platform.files.path_of(caller.api_key_id, file_id)
    return FileResponse(path, media_type=record.content_type, filename=record.filename)


@router.post(
    "/audio/transcriptions",
    responses={200: {"content": {"application/json": {}, "text/plain": {}}}},
    openapi_extra={"requestBody": _FORM},
)
async def transcribe(request: Request, platform: PlatformDep, caller: CallerDep) -> Response:
    """Write down what is said in a recording, which is not kept."""
    made, fields = await take_upload(request, platform, caller.api_key_id, None)
    file_id = made.body["file_id"]
    try:
        return await _transcribe(request, platform, caller.api_key_id, file_id, fields)
    finally:
        with suppress(NotFound):
            await platform.files.delete(caller.api_key_id, file_id)


async def _transcribe(
    request: Request, platform: Platform, api_key_id: str, file_id: str, fields: dict[str, str]
) -> Response:
    form = fields.get("response_format", "json")
    if form not in _FORMATS:
        raise InvalidRequest(f"`response_format` is one of {', '.join(_FORMATS)}.")
    if fields.get("stream", "").lower() == "true":
        raise InvalidRequest("Transcripts are not streamed: leave `stream` out.")
    require_recording(await platform.files.get(api_key_id, file_id))
    provider, model = choose_model(platform, "speech_to_text", fields.get("model"))
    new = NewTask(
        api_key_id=api_key_id,
        task_type="speech_to_text",
        provider=provider,
        model=model,
        input={"file_id": file_id},
        config={name: fields[name] for name in ("language", "prompt", "temperature") if fields.get(name)},
    )
    task = await run_to_end(platform, request, new)
    if task.status != "completed":
        return unsuccessful_answer(task)
    return _told(task.output or {}, form)


def _told(output: dict[str, Any], form: str) -> Response:
    segments = output.get("segments", [])
    if form == "text":
        return PlainTextResponse(output["text"] + "\n")
    if form == "srt":
        return PlainTextResponse(
            "\n".join(_cue(number, each, ",") for number, each in enumerate(segments, 1))
        )
    if form == "vtt":
        return PlainTextResponse("WEBVTT\n\n" + "\n".join(_cue(None, each, ".") for each in segments))
    if form == "json":
        return answer({"text": output["text"]})
    rows = [{"id": number, **segment} for number, segment in enumerate(segments)]
    told = {name: output.get(name) for name in ("language", "duration", "text")}
    return answer({"task": "transcribe", **told, "segments": rows})


def _cue(number: int | None, segment: dict[str, Any], point: str) -> str:
    """A subtitle."""
    times = f"{_moment(segment['start'], point)} --> {_moment(segment['end'], point)}"
    return "\n".join([*([] if number is None else [str(number)]), times, segment["text"].strip(), ""])


def _moment(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
