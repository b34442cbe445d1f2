"""Reading aloud: which voices there are, and what they say."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.providers.base import OnProgress
from nexus_server.providers.local.speech.chinese import phonemes
from nexus_server.providers.local.threads import ShouldStop, StoppedError

RATE = 24_000
"""Samples a second of what both models say."""

KOKORO = "kokoro-82m"

_MOST_PHONEMES = 400  # of Kokoro's 510: its voices get hurried near the end
_PAUSE = np.zeros(int(0.18 * RATE), np.float32)  # between sentences
_FADE = int(0.005 * RATE)  # at both ends of a piece, against clicks
_SENTENCE = re.compile(r"(?:[^。！？!?；;\n.]|\.(?!\s|$))*(?:[。！？!?；;\n]+|\.(?=\s|$)|$)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LATIN_RUN = re.compile(r"[A-Za-z][A-Za-z0-9 '\-]*|[^A-Za-z]+")
_SPOKEN = re.compile(r"[^\W_]")

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """A voice: its name, and what it speaks best."""

    id: str
    language: str
    description: str
    needs_kokoro: bool = True


VOICES = (
    Voice("heart", "en", "English, a woman", needs_kokoro=False),
    Voice("zf_xiaoxiao", "zh", "Chinese and English, a woman"),
    Voice("zm_yunxi", "zh", "Chinese and English, a man"),
    Voice("af_heart", "en", "English and Chinese, a woman"),
    Voice("am_michael", "en", "English and Chinese, a man"),
)

_ALIASES = {  # OpenAI's names, which many programs send
    **dict.fromkeys(("alloy", "nova", "shimmer", "coral", "sage", "fable", "marin"), None),
    **dict.fromkeys(("echo", "onyx", "ash", "ballad", "verse", "cedar"), "am_michael"),
}


class Reader:
    """Reads texts aloud, one at a time. Its models are loaded when they are first needed."""

    def __init__(self, kokoro_file: Path | None, *, threads: int) -> None:
        self._kokoro_file = kokoro_file
        self._threads = threads
        self._lock = threading.Lock()
        self._hibari: Any = None
        self._kokoro: Any = None
        self._vocabulary: dict[str, int] = {}
        self._styles: dict[str, Samples] = {}

    def voices(self) -> list[Voice]:
        """Those that can be used now."""
        return [voice for voice in VOICES if self._kokoro_file or not voice.needs_kokoro]

    def voice_for(self, text: str, name: str | None) -> Voice:
        """The voice that was asked for, or the one that suits the text.

        Raises:
            InvalidRequest: there is no such voice.
            Unavailable: the text needs one whose model is not installed.
        """
        name = _ALIASES.get(name, name) if name else None
        if name is None:
            name = "zf_xiaoxiao" if _CHINESE.search(text) else "heart"
        found = next((voice for voice in VOICES if voice.id == name), None)
        if found is None:
            known = ", ".join(voice.id for voice in self.voices())
            raise InvalidRequest(f"There is no voice {str(name)[:40]!r}. There are: {known}.")
        if not found.needs_kokoro and _CHINESE.search(text):
            raise InvalidRequest(
                f"The voice {found.id} speaks English only; zf_xiaoxiao and zm_yunxi speak Chinese."
            )
        if found.needs_kokoro and self._kokoro_file is None:
            raise Unavailable(
                f"The voice {found.id} needs a model that is not installed: `nexusai models pull {KOKORO}`."
            )
        return found

    def read(
        self,
        text: str,
        *,
        voice: str | None = None,
        speed: float = 1.0,
        on_progress: OnProgress = lambda percent: None,
        should_stop: ShouldStop = lambda: False,
    ) -> Iterator[Samples]:
        """Sound at `RATE`, mono, between -1 and 1: a piece for each sentence.

        Raises:
            InvalidRequest: there is nothing to read, or no such voice.
            Unavailable: a model is missing.
            StoppedError: `should_stop` said so.
        """
        sentences = split_sentences(text)
        if not sentences:
            raise InvalidRequest("There is nothing to read aloud: expected words.")
        chosen = self.voice_for(text, voice)
        for number, sentence in enumerate(sentences):
            if should_stop():
                raise StoppedError
            with self._lock:
                piece = self._say(sentence, chosen, speed)
            yield np.concatenate([_faded(piece), _PAUSE])
            on_progress(99 * (number + 1) / len(sentences))

    def _say(self, sentence: str, voice: Voice, speed: float) -> Samples:
        hibari = self._load_hibari()
        if not voice.needs_kokoro:
            return np.asarray(hibari(sentence, speed=speed), np.float32).ravel()
        pieces = [
            self._kokoro_says(part, voice.id, speed) for part in _parts(self._phonemes(sentence, hibari))
        ]
        return np.concatenate(pieces)

    def _phonemes(self, sentence: str, hibari: Any) -> str:
        """Chinese and English words each by their own rules."""
        if not _CHINESE.search(sentence):
            return " ".join(hibari.phonemize(sentence))
        runs = []
        for run in _LATIN_RUN.findall(sentence):
            latin = run[0].isascii() and run[0].isalpha()
            runs.append(" ".join(hibari.phonemize(run)) if latin else phonemes(run))
        return " ".join(run for run in runs if run.strip())

    def _kokoro_says(self, text: str, voice: str, speed: float) -> Samples:
        session = self._load_kokoro()
        ids = [self._vocabulary[symbol] for symbol in text if symbol in self._vocabulary]
        style = self._style(voice)[min(len(ids), 509)][None]
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(session.run(None, inputs)[0], np.float32).ravel()

    def _style(self, voice: str) -> Samples:
        """A voice's styles, one for each length of a sentence."""
        if voice not in self._styles:
            raw = (files(__package__) / "voices" / f"{voice}.bin").read_bytes()
            self._styles[voice] = np.frombuffer(raw, np.float32).reshape(510, 256)
        return self._styles[voice]

    def _load_hibari(self) -> Any:
        if self._hibari is None:
            from hibari import Hibari

            self._hibari = Hibari(threads=self._threads)
        return self._hibari

    def _load_kokoro(self) -> Any:
        if self._kokoro is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            self._kokoro = onnxruntime.InferenceSession(
                str(self._kokoro_file), options, providers=["CPUExecutionProvider"]
            )
            # Kokoro's own symbols: Hibari was distilled from it.
            self._vocabulary = json.loads((files("hibari") / "assets" / "vocab.json").read_text("utf-8"))
        return self._kokoro


def split_sentences(text: str) -> list[str]:
    """The sentences that have words in them."""
    found = (match.strip() for match in _SENTENCE.findall(text))
    return [sentence for sentence in found if _SPOKEN.search(sentence)]


def _parts(text: str) -> list[str]:
    """A sentence in pieces that the model can say in one go, cut at spaces."""
    parts = [""]
    for word in text.split(" "):
        if len(parts[-1]) + len(word) >= _MOST_PHONEMES and parts[-1]:
            parts.append("")
        parts[-1] = f"{parts[-1]} {word}".strip()
    return [part[:_MOST_PHONEMES] for part in parts if part]


def _faded(samples: Samples) -> Samples:
    faded = np.clip(samples, -1, 1).astype(np.float32)
    ramp = np.linspace(0, 1, min(_FADE, len(faded) // 2), dtype=np.float32)
    if len(ramp):
        faded[: len(ramp)] *= ramp
        faded[-len(ramp) :] *= ramp[::-1]
    return faded
