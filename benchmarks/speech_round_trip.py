"""Texts are read aloud and written down again: how much of them comes back.

    python benchmarks/speech_round_trip.py [models_dir]

WER is the share of words that differ (English), CER of characters (Chinese), both without punctuation
and upper case. Clean synthetic speech: it says that the chain works, not how it does on real voices.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from nexus_server.models.catalogue import find
from nexus_server.models.fetch import fetch
from nexus_server.providers.local.speech.encoding import FORMATS, write
from nexus_server.providers.local.speech.recognizer import Recognizer
from nexus_server.providers.local.speech.voices import Reader
from nexus_server.settings import ServerSettings

ENGLISH = [
    "The platform keeps every file that you upload.",
    "Please send the report to the office in London.",
    "The meeting begins tomorrow morning at nine.",
    "A small house stands near the river.",
    "She bought seven apples and a loaf of bread.",
    "The weather is cold, but the sky is clear.",
    "Our servers answer within a few seconds.",
    "He reads the newspaper after breakfast.",
]
CHINESE = [
    "今天天气很好，我们去公园散步。",
    "请把会议记录发给我。",
    "退款会在七个工作日内到账。",
    "这个平台可以识别语音和生成图片。",
    "他在银行工作，住在重庆。",
    "我们的服务器支持流式输出。",
    "明天上午九点开会。",
    "苹果三块钱一斤。",
]


def distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def units(text: str, language: str) -> list[str]:
    plain = re.sub(r"[^\w\s]", "", text.lower())
    return list(re.sub(r"\s", "", plain)) if language == "zh" else plain.split()


def main() -> None:
    models = Path(sys.argv[1]) if sys.argv[1:] else ServerSettings().models_dir
    recognizer = Recognizer(fetch(find("whisper-base"), models), threads=2)
    reader = Reader(fetch(find("kokoro-82m"), models), threads=2)
    print("voice         language  error rate  spoken/real time  written/real time")
    for voice in reader.voices():
        language, texts = voice.language, CHINESE if voice.language == "zh" else ENGLISH
        wrong = total = 0
        spoken = written = seconds = 0.0
        for text in texts:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "a.mp3"
                began = time.perf_counter()
                seconds += write(reader.read(text, voice=voice.id), path, FORMATS["mp3"]).duration or 0
                spoken += time.perf_counter() - began
                began = time.perf_counter()
                heard = recognizer.transcribe(path, language=language).text
                written += time.perf_counter() - began
            expected, got = units(text, language), units(heard, language)
            wrong += distance(expected, got)
            total += len(expected)
            if expected != got:
                print(f"    {text}  →  {heard}")
        print(
            f"{voice.id:14}{language:10}{wrong / total:10.3f}"
            f"{spoken / seconds:16.2f}{written / seconds:17.2f}"
        )


if __name__ == "__main__":
    main()
