"""Speech: recordings written down, and texts read aloud."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Any

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import (
    OnProgress,
    Speaker,
    SpeechRequest,
    Transcriber,
    TranscriptionRequest,
)
from nexus_server.providers.registry import ProviderRegistry
from nexus_server.services.file_types import kind_of
from nexus_server.services.files import FileService, content_url, output_record
from nexus_server.services.work import Done
from nexus_server.store.files import FileRecord
from nexus_server.store.tasks import TaskRecord

LONGEST_TEXT = 100_000
"""Characters that are read aloud for one task: about two hours."""


def require_recording(record: FileRecord) -> None:
    """See that a file may hold speech.

    Raises:
        InvalidRequest: it is no recording.
    """
    if kind_of(record.content_type) not in ("audio", "video"):
        raise InvalidRequest(
            f"{record.filename} is {record.content_type}: expected an audio or a video file."
        )


class TranscriptionWork:
    """Writes down what is said in a file."""

    def __init__(self, registry: ProviderRegistry, files: FileService) -> None:
        self._registry = registry
        self._files = files

    async def __call__(self, task: TaskRecord, on_progress: OnProgress) -> Done:
        """One attempt."""
        record, path = await self._files.path_of(task.api_key_id, task.input["file_id"])
        request = TranscriptionRequest(task.model, path, record.filename, task.config)
        transcriber = self._registry.get(task.provider, Transcriber)
        transcript = await transcriber.transcribe(request, on_progress)
        output: dict[str, Any] = {
            "text": transcript.text,
            "language": transcript.language,
            "duration": transcript.duration,
            "segments": [asdict(segment) for segment in transcript.segments],
            "model": task.model,
        }
        return Done({name: value for name, value in output.items() if value is not None})


class SpeechWork:
    """Reads a text aloud, and keeps the recording as a file."""

    def __init__(self, registry: ProviderRegistry, files: FileService) -> None:
        self._registry = registry
        self._files = files

    async def __call__(self, task: TaskRecord, on_progress: OnProgress) -> Done:
        """One attempt."""
        request = SpeechRequest(task.model, task.input["text"], task.config)
        staging = self._files.stage()
        try:
            speaker = self._registry.get(task.provider, Speaker)
            speech = await speaker.speak(request, staging.path, on_progress)
            record = await asyncio.to_thread(
                partial(
                    output_record,
                    staging,
                    api_key_id=task.api_key_id,
                    task_id=task.id,
                    filename=f"speech.{speech.extension}",
                    content_type=speech.content_type,
                )
            )
        except BaseException:
            staging.discard()
            raise
        output: dict[str, Any] = {
            "audio_url": content_url(record.id),
            "content_type": speech.content_type,
            "model": task.model,
        }
        if speech.duration is not None:
            output["duration"] = round(speech.duration, 3)
        return Done(output, partial(self._files.keep_output, record=record), staging.discard)
