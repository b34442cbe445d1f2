"""The `local` provider of speech."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path

from nexus_server.errors import InvalidRequest
from nexus_server.models.catalogue import find
from nexus_server.models.storage import ModelStore
from nexus_server.providers.base import (
    OfferedModel,
    OnProgress,
    Speech,
    SpeechRequest,
    Transcript,
    TranscriptionRequest,
)
from nexus_server.providers.local.threads import ShouldStop, run_stoppable
from nexus_server.settings import ServerSettings

WHISPER = "whisper-base"
KOKORO = "kokoro-82m"
HIBARI = "hibari"
"""Comes with its package, and is always there: English only."""


class LocalSpeech:
    """Whisper, Kokoro and Hibari, in threads of the server's process; one recording at a time each."""

    name = "local"

    def __init__(self, settings: ServerSettings) -> None:
        self._store = ModelStore(settings.models_dir)
        self._threads = settings.threads or os.cpu_count() or 1
        self._hearing = asyncio.Semaphore(1)
        self._speaking = asyncio.Semaphore(1)
        self._recognizer: tuple[Path, object] | None = None
        self._reader: tuple[Path | None, object] | None = None

    async def start(self) -> None:
        """See which models are there; they are loaded when they are first asked for."""
        await asyncio.to_thread(self._verify)

    async def close(self) -> None:
        """Nothing: what still runs has been stopped, and memory goes with the process."""

    def models(self) -> list[OfferedModel]:
        """What is installed."""
        offered = []
        if find_spec("faster_whisper") and self._installed(WHISPER):
            offered.append(OfferedModel(WHISPER, ("speech_to_text",)))
        if find_spec("hibari"):
            if self._installed(KOKORO):
                offered.append(OfferedModel(KOKORO, ("text_to_speech",)))
            offered.append(OfferedModel(HIBARI, ("text_to_speech",)))
        return offered

    async def transcribe(self, request: TranscriptionRequest, on_progress: OnProgress) -> Transcript:
        """Listen to the whole recording."""
        from nexus_server.providers.local.speech.recognizer import Recognizer

        path = self._store.path(find(WHISPER))
        if self._recognizer is None or self._recognizer[0] != path:
            self._recognizer = path, Recognizer(path, threads=self._threads)
        recognizer = self._recognizer[1]
        assert isinstance(recognizer, Recognizer)  # noqa: S101 - for the type checker

        def work(should_stop: ShouldStop) -> Transcript:
            return recognizer.transcribe(
                request.path,
                language=request.options.get("language"),
                on_progress=on_progress,
                should_stop=should_stop,
            )

        async with self._hearing:
            return await run_stoppable(work)

    async def speak(self, request: SpeechRequest, target: Path, on_progress: OnProgress) -> Speech:
        """Read the text aloud into a new file."""
        from nexus_server.providers.local.speech.encoding import audio_format, write
        from nexus_server.providers.local.speech.voices import Reader

        form = audio_format(request.options.get("format"))
        speed = speed_of(request.options.get("speed"))
        kokoro = self._store.path(find(KOKORO)) if self._installed(KOKORO) else None
        if self._reader is None or self._reader[0] != kokoro:
            self._reader = kokoro, Reader(kokoro, threads=self._threads)
        reader = self._reader[1]
        assert isinstance(reader, Reader)  # noqa: S101 - for the type checker

        def work(should_stop: ShouldStop) -> Speech:
            pieces = reader.read(
                request.text,
                voice=request.options.get("voice"),
                speed=speed,
                on_progress=on_progress,
                should_stop=should_stop,
            )
            return write(pieces, target, form)

        async with self._speaking:
            return await run_stoppable(work)

    def _installed(self, model_id: str) -> bool:
        return self._store.is_installed(find(model_id))

    def _verify(self) -> None:
        for model_id in (WHISPER, KOKORO):
            if self._store.path(find(model_id)).is_file():
                self._store.verify(find(model_id))


def speed_of(given: object) -> float:
    """A speed from a half to double; 1 if there is none.

    Raises:
        InvalidRequest: it is something else.
    """
    if given is None:
        return 1.0
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0.5 <= given <= 2:
        raise InvalidRequest("`speed` is a number from 0.5 to 2; 1 is normal.")
    return float(given)
