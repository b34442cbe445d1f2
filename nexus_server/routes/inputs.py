"""What each type of task takes: checked before anything is accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, model_validator

from nexus_server.errors import InvalidRequest
from nexus_server.routes.schemas import InvokeBody
from nexus_server.services.images import picture_count, picture_size
from nexus_server.services.knowledge import require_document
from nexus_server.services.platform import Platform
from nexus_server.services.speech import LONGEST_TEXT, require_recording


class Message(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class TextInput(BaseModel):
    """The input of a text generation: a prompt or messages."""

    prompt: str | None = Field(default=None, min_length=1)
    messages: list[Message] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> TextInput:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either `prompt` or `messages`")
        return self


class ImageInput(BaseModel):
    """The input of an image generation."""

    prompt: str = Field(min_length=1, max_length=10_000)


class FileInput(BaseModel):
    """The input of what works on an uploaded file."""

    file_id: str = Field(min_length=1, max_length=255)


class SpeechInput(BaseModel):
    """The input of a text to be read aloud."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)


INPUTS: dict[str, type[BaseModel]] = {
    "text_generation": TextInput,
    "image_generation": ImageInput,
    "speech_to_text": FileInput,
    "text_to_speech": SpeechInput,
    "document_processing": FileInput,
}


def read_input(body: InvokeBody) -> dict[str, Any]:
    """The input of a task, without what its type does not know.

    Raises:
        RequestValidationError: a field is missing or wrong.
    """
    try:
        return INPUTS[body.task_type].model_validate(body.input).model_dump(exclude_none=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        located = [{**fault, "loc": ("body", "input", *fault["loc"])} for fault in faults]
        raise RequestValidationError(located) from error


async def check_input(body: InvokeBody, given: dict[str, Any], platform: Platform, api_key_id: str) -> None:
    """Check what no schema can.

    Raises:
        PlatformError: a file is not there, or of the wrong kind; or an option cannot be.
    """
    if body.stream and body.task_type != "text_generation":
        raise InvalidRequest("`stream` is for text_generation only: leave it out.")
    if check := _CHECKS.get(body.task_type):
        await check(body.config or {}, given, platform, api_key_id)


async def _check_image(config: dict[str, Any], _: dict[str, Any], _platform: Platform, _key: str) -> None:
    picture_size(config)
    picture_count(config)


async def _check_recording(_: dict[str, Any], given: dict[str, Any], platform: Platform, key: str) -> None:
    require_recording(await platform.files.get(key, given["file_id"]))


async def _check_document(_: dict[str, Any], given: dict[str, Any], platform: Platform, key: str) -> None:
    require_document(await platform.files.get(key, given["file_id"]))


_CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any], Platform, str], Awaitable[None]]] = {
    "image_generation": _check_image,
    "speech_to_text": _check_recording,
    "document_processing": _check_document,
}
