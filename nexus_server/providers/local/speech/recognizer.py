"""Whisper: what is said in a recording."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from importlib.resources import as_file, files
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import OnProgress, Segment, Transcript
from nexus_server.providers.local.threads import ShouldStop, StoppedError

RATE = 16_000
"""Samples a second that Whisper hears."""

_WINDOW = 300 * RATE
"""Longer recordings are heard in parts of five minutes, so that memory does not grow with them."""

_SEAM = 20 * RATE  # where in the end of a part a pause is looked for, to cut there
_FRAME = RATE // 10

Samples = NDArray[np.float32]


class Recognizer:
    """One Whisper model, which hears one recording at a time. Loaded at the first."""

    def __init__(self, model_file: Path, *, threads: int) -> None:
        self._model_file = model_file
        self._threads = threads
        self._lock = threading.Lock()
        self._model: Any = None
        self._simplify: Any = None

    def transcribe(
        self,
        path: Path,
        *,
        language: str | None = None,
        on_progress: OnProgress = lambda percent: None,
        should_stop: ShouldStop = lambda: False,
    ) -> Transcript:
        """Write down what is said in a file: any common container of sound, or of video with sound.

        `language` is found out where it is not told. Chinese is written in simplified characters.

        Raises:
            InvalidRequest: the file holds no sound, or the language is not known.
            StoppedError: `should_stop` said so.
        """
        with self._lock:
            model = self._load()
            spoken = _language(language, model.supported_languages)
            segments: list[Segment] = []
            start = 0
            for samples, share in _windows(path):
                language_found = self._hear(
                    model, samples, spoken, offset=start / RATE, segments=segments, should_stop=should_stop
                )
                if segments:  # before anybody has spoken it is a guess
                    spoken = spoken or language_found
                start += len(samples)
                on_progress(99 * share)
        text = _join(segment.text for segment in segments)
        return Transcript(text, spoken, round(start / RATE, 3), tuple(segments))

    def _hear(
        self,
        model: Any,
        samples: Samples,
        language: str | None,
        *,
        offset: float,
        segments: list[Segment],
        should_stop: ShouldStop,
    ) -> str:
        heard, info = model.transcribe(
            samples,
            language=language,
            vad_filter=True,  # in silence Whisper hears what is not there
            condition_on_previous_text=False,  # else one wrong word is repeated to the end
        )
        for segment in heard:
            if should_stop():
                raise StoppedError
            text = self._written(segment.text.strip(), info.language)
            segments.append(Segment(round(offset + segment.start, 2), round(offset + segment.end, 2), text))
        if should_stop():
            raise StoppedError
        return str(info.language)

    def _written(self, text: str, language: str) -> str:
        """Whisper writes Chinese in simplified or traditional characters, as it happens."""
        if language != "zh":
            return text
        if self._simplify is None:
            from opencc import OpenCC

            self._simplify = OpenCC("t2s").convert
        return str(self._simplify(text))

    def _load(self) -> Any:
        if self._model is None:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is here; nothing is to be fetched
            from faster_whisper import WhisperModel

            with tempfile.TemporaryDirectory() as folder:
                _assemble(Path(folder), self._model_file)
                self._model = WhisperModel(
                    folder, device="cpu", compute_type="int8", cpu_threads=self._threads
                )
        return self._model


def _assemble(folder: Path, model_file: Path) -> None:
    """The directory that faster-whisper loads a model from."""
    (folder / "model.bin").symlink_to(model_file.resolve())
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        with as_file(files(__package__) / "whisper" / name) as path:
            (folder / name).write_bytes(path.read_bytes())


def _language(given: str | None, known: list[str]) -> str | None:
    if given is None:
        return None
    code = str(given).lower().replace("_", "-").partition("-")[0]
    if code not in known:
        raise InvalidRequest(
            f"`language` is a code such as en, zh, ja, de, fr, not {str(given)[:20]!r}; "
            "left out, it is found out."
        )
    return code


def _join(texts: Iterator[str]) -> str:
    """One text: with a space between sentences, but not where Chinese or Japanese meets."""
    whole = ""
    for text in texts:
        gap = " " if whole and not (_is_wide(whole[-1]) or _is_wide(text[:1])) else ""
        whole += gap + text
    return whole


def _is_wide(character: str) -> bool:
    return "\u2e80" <= character <= "\uffef"


def _windows(path: Path) -> Iterator[tuple[Samples, float]]:
    """The sound in parts, each with the share (0–1) of the recording that is over after it."""
    pending: list[Samples] = []
    size = 0
    for samples, share in _decoded(path):
        pending.append(samples)
        size += len(samples)
        if size >= _WINDOW:
            whole = np.concatenate(pending)
            cut = _pause(whole)
            yield whole[:cut], share
            pending, size = [whole[cut:]], len(whole) - cut
    yield np.concatenate(pending) if pending else np.zeros(0, np.float32), 1.0


def _pause(samples: Samples) -> int:
    """Where the end of a part is quietest."""
    tail = samples[-_SEAM:]
    frames = tail[: len(tail) // _FRAME * _FRAME].reshape(-1, _FRAME)
    quietest = int(np.argmin(np.square(frames).mean(axis=1)))
    return len(samples) - len(tail) + quietest * _FRAME + _FRAME // 2


def _decoded(path: Path) -> Iterator[tuple[Samples, float]]:
    """Mono sound at Whisper's rate, in small pieces.

    Raises:
        InvalidRequest: the file cannot be decoded, or has no sound.
    """
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise InvalidRequest("The file holds no sound: expected a recording.")
            total = (container.duration or 0) / av.time_base
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            seconds = 0.0
            for frame in chain(container.decode(audio=0), [None]):  # the last gives what it held back
                if frame is not None:
                    frame.pts = None  # in damaged files times run backwards, which it refuses
                for piece in resampler.resample(frame):
                    samples = piece.to_ndarray().reshape(-1).astype(np.float32) / np.float32(32768)
                    seconds += len(samples) / RATE
                    yield samples, min(1.0, seconds / total) if total else 0.0
    except av.error.FFmpegError as error:
        raise InvalidRequest(
            "The file cannot be decoded: expected a recording, such as wav, mp3, m4a, ogg or flac."
        ) from error
