"""Small pictures, sounds and vectors that are real, and always the same for the same words."""

from __future__ import annotations

import hashlib
import io
import math
import re
import struct
import wave
import zlib
from typing import List, Optional

_RATE = 8000
_SECONDS_PER_CHARACTER = 0.06
_CJK = re.compile(r"[\u3400-\u9fff]{2,}")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]{3,}|\d+")
_COMMON = frozenset(
    {"and", "are", "but", "can", "does", "for", "from", "has", "how", "its", "not", "that", "the"}
)
_COMMON |= {
    "there",
    "they",
    "this",
    "was",
    "what",
    "when",
    "where",
    "which",
    "who",
    "will",
    "with",
    "you",
    "your",
}


def png(width: int, height: int, words: str = "") -> bytes:
    """A picture of one colour, which depends on the words."""
    row = b"\x00" + b"\x00" * ((width + 7) // 8)
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    colour = hashlib.sha256(words.encode()).digest()[:3]
    chunks = (
        (b"IHDR", header),
        (b"PLTE", colour + b"\xff\xff\xff"),
        (b"IDAT", zlib.compress(row * height)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def wav(words: str) -> bytes:
    """A recording of a tone, as long as it would take to say the words."""
    seconds = max(0.2, _SECONDS_PER_CHARACTER * len(words))
    pitch = 2 * math.pi * (200 + hashlib.sha256(words.encode()).digest()[0]) / _RATE
    samples = bytes(int(128 + 60 * math.sin(pitch * moment)) for moment in range(int(seconds * _RATE)))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 1, _RATE, len(samples), "NONE", "not compressed"))
        writer.writeframes(samples)
    return file.getvalue()


def seconds_of(content: bytes) -> Optional[float]:
    """How long a WAV recording is; None where it is something else."""
    try:
        with wave.open(io.BytesIO(content), "rb") as reader:
            return round(reader.getnframes() / reader.getframerate(), 3)
    except (wave.Error, EOFError):
        return None


def terms(text: str) -> List[str]:
    """The words of a text that mean something, without a plural's s; of Chinese, its pairs of characters."""
    words = [word.lower() for word in _WORD.findall(text)]
    found = [word.rstrip("s") if len(word) > 3 else word for word in words if word not in _COMMON]
    for run in _CJK.findall(text):
        found += [run[start : start + 2] for start in range(len(run) - 1)]
    return found


def vector(text: str, dimensions: int) -> List[float]:
    """A vector of length 1. Texts that share words have vectors that are near each other."""
    total = [0.0] * dimensions
    for term in terms(text) or [text]:
        for index, number in enumerate(_noise(term, dimensions)):
            total[index] += number
    length = math.sqrt(sum(number * number for number in total)) or 1.0
    return [number / length for number in total]


def _noise(term: str, count: int) -> List[float]:
    """Numbers between -1 and 1 that depend on the term only."""
    raw = b"".join(hashlib.sha256(f"{part} {term}".encode()).digest() for part in range(-(-count // 16)))
    return [number / 32767.5 - 1 for number in struct.unpack(f"<{count}H", raw[: 2 * count])]
