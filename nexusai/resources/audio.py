# Generated from nexusai/aio/resources/audio.py by scripts/unasync.py: edit that file.

"""Audio: recordings written down, and texts read aloud."""

from __future__ import annotations

from typing import Any, Final, Optional

from nexusai import models
from nexusai._internal import _bodies
from nexusai._internal._default import default_internal_client
from nexusai._internal._media import Media, bound
from nexusai._internal._poller import OnProgress
from nexusai._internal._resource import Resource
from nexusai._internal._sources import FileSource
from nexusai.models import TranscriptionResponse
from nexusai.resources.files import FilesResource
from nexusai.resources.tasks import TaskHandle
from nexusai.types import Fallbacks


class TTSResponse(Media, models.TTSResponse):
    """A text that was read aloud: a recording, which can be `read()` or `save()`d."""

    def _address(self) -> str:
        return self.audio_url


class AudioResource(Resource):
    """`client.audio`.

    `fallbacks`, such as `[{"provider": …, "model": …}]`, are asked in turn where the one before cannot
    answer: see docs/fallbacks.md.
    """

    def transcribe(
        self,
        file: Optional[FileSource] = None,
        *,
        file_id: Optional[str] = None,
        language: Optional[str] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TranscriptionResponse:
        """Write down what is said in a recording: a file (see `files.upload`), or one uploaded before.

            transcript = client.audio.transcribe("meeting.m4a", language="zh")
            for segment in transcript.segments:
                print(f"{segment.start:7.1f} s  {segment.text}")

        `language` is its code, and is found out if left out. `on_progress(task)` is called whenever
        the task's progress (0 to 100) has changed.

        Raises:
            ValueError: not exactly one of `file` and `file_id` is given.
            InvalidRequestError: it is no recording, or of a type that the platform does not take.
            TaskFailedError: it failed.
            TaskTimeoutError: it did not end within `poll_timeout`; it goes on as `.task_id`.
        """
        deadline, options = self._client.deadline(), {"language": language, **config}
        body = self._transcription(file, file_id, provider, model, options, deadline=deadline)
        result: TranscriptionResponse = self._run(
            body, TranscriptionResponse, on_progress, fallbacks, deadline
        )
        return result

    def transcribe_async(
        self,
        file: Optional[FileSource] = None,
        *,
        file_id: Optional[str] = None,
        language: Optional[str] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TaskHandle[TranscriptionResponse]:
        """Hand a recording over as a task, and return when it is uploaded; for long ones.

        Raises:
            ValueError: not exactly one of `file` and `file_id` is given.
            InvalidRequestError: it is no recording, or of a type that the platform does not take.
        """
        deadline, options = self._client.deadline(), {"language": language, **config}
        body = self._transcription(file, file_id, provider, model, options, deadline=deadline)
        return TaskHandle._begin(self, body, TranscriptionResponse, fallbacks, deadline)

    def synthesize(
        self,
        text: str,
        *,
        voice: Optional[str] = None,
        format: Optional[str] = None,
        speed: Optional[float] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        on_progress: Optional[OnProgress] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TTSResponse:
        """Read a text aloud.

            client.audio.synthesize("你好，世界。", format="mp3").save("hello.mp3")

        `voice` is one of the model's, `format` such as `wav`, `mp3` or `ogg`, `speed` 1 for normal.

        Raises:
            ValueError: the text is empty.
            InvalidRequestError: there is no such voice or format.
            TaskFailedError: it failed.
            TaskTimeoutError: it did not end within `poll_timeout`; it goes on as `.task_id`.
        """
        options = {"voice": voice, "format": format, "speed": speed, **config}
        body = _bodies.speech_body(text, provider, model, options)
        recording: TTSResponse = self._run(body, TTSResponse, on_progress, fallbacks)
        return bound(recording, self._client)

    def synthesize_async(
        self,
        text: str,
        *,
        voice: Optional[str] = None,
        format: Optional[str] = None,
        speed: Optional[float] = None,
        provider: Optional[str] = None,
        model: Optional[str] = None,
        fallbacks: Optional[Fallbacks] = None,
        **config: Any,
    ) -> TaskHandle[TTSResponse]:
        """Hand a text over as a task, and return at once; `wait()` gives the recording.

        Raises:
            ValueError: the text is empty.
            InvalidRequestError: there is no such voice or format.
        """
        options = {"voice": voice, "format": format, "speed": speed, **config}
        body = _bodies.speech_body(text, provider, model, options)
        return TaskHandle._begin(self, body, TTSResponse, fallbacks)

    def _transcription(
        self,
        file: Optional[FileSource],
        file_id: Optional[str],
        provider: Optional[str],
        model: Optional[str],
        options: Any,
        *,
        deadline: float,
    ) -> Any:
        if (file is None) == (file_id is None):
            raise ValueError("give either `file` or `file_id`")
        config = _bodies.model_options(options)
        if file is not None:
            file_id = (FilesResource(self._source)._upload(file, deadline=deadline)).file_id
        return _bodies.invoke_body(
            "speech_to_text", {"file_id": file_id}, provider=provider, model=model, config=config
        )


_default = AudioResource(default_internal_client)
transcribe: Final = _default.transcribe
transcribe_async: Final = _default.transcribe_async
synthesize: Final = _default.synthesize
synthesize_async: Final = _default.synthesize_async
