"""Sound → a file, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nexus_server.errors import InvalidRequest
from nexus_server.providers.base import Speech
from nexus_server.providers.local.speech.voices import RATE, Samples


@dataclass(frozen=True)
class AudioFormat:
    """How a recording is written: its container, codec and MIME type."""

    container: str
    codec: str
    content_type: str
    extension: str
    rate: int = RATE


FORMATS = {
    "wav": AudioFormat("wav", "pcm_s16le", "audio/wav", "wav"),
    "mp3": AudioFormat("mp3", "libmp3lame", "audio/mpeg", "mp3"),
    "ogg": AudioFormat("ogg", "libopus", "audio/ogg", "ogg", 48_000),
    "opus": AudioFormat("ogg", "libopus", "audio/ogg", "ogg", 48_000),
    "flac": AudioFormat("flac", "flac", "audio/flac", "flac"),
}


def audio_format(name: object) -> AudioFormat:
    """The format of that name; wav if there is none.

    Raises:
        InvalidRequest: it is not known.
    """
    found = FORMATS.get("wav" if name is None else str(name).lower())
    if found is None:
        raise InvalidRequest(f"`format` is one of {', '.join(FORMATS)}, not {str(name)[:20]!r}.")
    return found


def write(pieces: Iterable[Samples], target: Path, form: AudioFormat) -> Speech:
    """Write sound at `RATE` to a new file."""
    import av

    seconds = 0.0
    with target.open("xb") as file, av.open(file, "w", format=form.container) as container:
        stream: Any = container.add_stream(form.codec, rate=form.rate, layout="mono")
        for piece in pieces:
            seconds += len(piece) / RATE
            samples = (np.clip(piece, -1, 1) * 32767).astype("<i2").reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Speech(form.content_type, form.extension, seconds)
