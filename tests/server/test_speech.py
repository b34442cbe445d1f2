"""Recordings written down and texts read aloud, by the real models."""

from __future__ import annotations

import re
import resource
import threading
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from server.local_models import cached

from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.providers.local.speech.chinese import phonemes
from nexus_server.providers.local.speech.encoding import FORMATS, audio_format, write
from nexus_server.providers.local.speech.provider import speed_of
from nexus_server.providers.local.speech.recognizer import Recognizer
from nexus_server.providers.local.speech.voices import RATE, Reader, split_sentences
from nexus_server.providers.local.threads import StoppedError

ENGLISH = "Please send the report to the office in London."
CHINESE = "今天天气很好，我们去公园散步。"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(cached("whisper-base"), threads=2)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(cached("kokoro-82m"), threads=2)


def plain(text: str) -> str:
    return re.sub(r"\W", "", text.lower())


@pytest.mark.parametrize(
    ("text", "voice", "language"),
    [
        (ENGLISH, "heart", "en"),
        (ENGLISH, "am_michael", "en"),
        (CHINESE, "zf_xiaoxiao", "zh"),
        (CHINESE, None, "zh"),
    ],
)
def test_there_and_back(
    recognizer: Recognizer, reader: Reader, tmp_path: Path, text: str, voice: str | None, language: str
) -> None:
    """What a voice reads is written down as it was; the language is found out."""
    progress: list[float] = []
    path = tmp_path / "a.mp3"
    speech = write(reader.read(text, voice=voice), path, FORMATS["mp3"])
    heard = recognizer.transcribe(path, on_progress=progress.append)
    assert plain(heard.text) == plain(text)
    assert heard.language == language
    assert heard.duration == pytest.approx(speech.duration, abs=0.2)
    assert 0 <= heard.segments[0].start < heard.segments[-1].end <= heard.duration + 0.1
    assert progress == sorted(progress)


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("flac", "flac"),
        ("ipod", "aac"),
        ("adts", "aac"),
        ("asf", "wmav2"),
        ("matroska", "aac"),
    ],
)
def test_containers(
    recognizer: Recognizer, reader: Reader, tmp_path: Path, container: str, codec: str
) -> None:
    """Any common one is decoded, whatever its rate and number of channels."""
    samples = np.concatenate(list(reader.read(ENGLISH)))
    path = tmp_path / "recording"
    with path.open("xb") as file, av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="stereo", bit_rate=96_000)
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype("<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate = RATE
        context = stream.codec_context
        context.open()
        fitted = av.AudioResampler(context.format.name, "stereo", 48_000, context.frame_size or 1024)
        for piece in [*fitted.resample(frame), *fitted.resample(None), None]:
            output.mux(stream.encode(piece))
    assert plain(recognizer.transcribe(path, language="en").text) == plain(ENGLISH)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_formats(reader: Reader, tmp_path: Path, name: str) -> None:
    """Each can be decoded again, is as long as it says, audible, and not clipped."""
    form = audio_format(name)
    path = tmp_path / f"a.{form.extension}"
    speech = write(reader.read("One. Two!"), path, form)
    assert speech.content_type == form.content_type
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    sound = np.concatenate(frames).astype(np.float64)
    if frames[0].dtype.kind == "i":
        sound /= np.iinfo(frames[0].dtype).max
    assert speech.duration is not None
    assert abs(len(sound) / rate - speech.duration) < 0.15
    assert np.sqrt(np.mean(sound**2)) > 0.01
    assert np.abs(sound).max() < 1.1


def test_silence(recognizer: Recognizer, tmp_path: Path) -> None:
    """Nothing is heard in it."""
    path = tmp_path / "silence.wav"
    write([np.zeros(RATE * 5, np.float32)], path, FORMATS["wav"])
    heard = recognizer.transcribe(path)
    assert (heard.text, list(heard.segments), heard.duration) == ("", [], 5.0)


def test_a_long_recording(recognizer: Recognizer, reader: Reader, tmp_path: Path) -> None:
    """Forty minutes: every sentence is heard at its time, and memory does not grow with the length."""
    sentence = np.concatenate(list(reader.read(ENGLISH)))
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        for minute in range(40):
            block = np.zeros(60 * RATE, "<i2")
            if minute in (0, 9, 39):
                block[: len(sentence)] = (sentence * 32767).astype("<i2")
            file.writeframes(block.tobytes())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    progress: list[float] = []
    heard = recognizer.transcribe(path, on_progress=progress.append)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert [round(segment.start / 60) for segment in heard.segments] == [0, 9, 39]
    assert {plain(segment.text) for segment in heard.segments} == {plain(ENGLISH)}
    assert heard.duration == 2400
    assert len(progress) >= 7
    assert grown < 250 * 1024  # kB; the sound alone would be 154 MB as one array, twice over


def test_stopping(recognizer: Recognizer, reader: Reader, tmp_path: Path) -> None:
    """Both stop when they are told to."""
    path = tmp_path / "a.wav"
    write(reader.read(ENGLISH), path, FORMATS["wav"])
    with pytest.raises(StoppedError):
        recognizer.transcribe(path, should_stop=lambda: True)
    stop = threading.Event()
    pieces = reader.read("One. Two. Three.", should_stop=stop.is_set)
    next(pieces)
    stop.set()
    with pytest.raises(StoppedError):
        next(pieces)


def test_what_holds_no_sound(recognizer: Recognizer, tmp_path: Path) -> None:
    """Told in a sentence, whatever the bytes are."""
    silent = tmp_path / "video.mp4"
    with av.open(str(silent), "w") as output:
        stream = output.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(InvalidRequest, match="holds no sound"):
        recognizer.transcribe(silent)
    for name, data in {"empty": b"", "text": b"not a recording " * 50, "half": b"RIFF\x00\x00"}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidRequest, match="cannot be decoded"):
            recognizer.transcribe(tmp_path / name)
    with pytest.raises(InvalidRequest, match="`language` is a code"):
        recognizer.transcribe(silent, language="klingon")


def test_voices(reader: Reader) -> None:
    """The text chooses one that can say it; programs written for others find theirs."""
    assert [voice.id for voice in reader.voices()] == [
        "heart",
        "zf_xiaoxiao",
        "zm_yunxi",
        "af_heart",
        "am_michael",
    ]
    assert reader.voice_for("hello", None).id == "heart"
    assert reader.voice_for("hello 你好", None).id == "zf_xiaoxiao"
    assert reader.voice_for("hello", "alloy").id == "heart"
    assert reader.voice_for("你好", "onyx").id == "am_michael"
    with pytest.raises(InvalidRequest, match=r"no voice 'nobody'.*zf_xiaoxiao"):
        reader.voice_for("hello", "nobody")
    with pytest.raises(InvalidRequest, match="speaks English only"):
        reader.voice_for("你好", "heart")
    alone = Reader(None, threads=1)
    assert [voice.id for voice in alone.voices()] == ["heart"]
    with pytest.raises(Unavailable, match="nexusai models pull kokoro-82m"):
        alone.voice_for("你好", None)


@pytest.mark.parametrize("text", ["", " \n", "…", "👍👍", "——！"])
def test_nothing_to_read(reader: Reader, text: str) -> None:
    """Signs alone have no sound."""
    with pytest.raises(InvalidRequest, match="nothing to read"):
        next(reader.read(text))


def test_options_that_cannot_be() -> None:
    """Each says what it can be."""
    with pytest.raises(InvalidRequest, match="wav"):
        audio_format("midi")
    assert speed_of(None) == 1.0
    for wrong in (0, 9, "fast", True):
        with pytest.raises(InvalidRequest, match=r"0\.5 to 2"):
            speed_of(wrong)


def test_sentences() -> None:
    """Cut where people pause; a decimal point is no end."""
    text = "你好。Version 3.5 is here! 好的？\n\nYes"
    assert split_sentences(text) == ["你好。", "Version 3.5 is here!", "好的？", "Yes"]


def test_chinese_is_read_by_its_words() -> None:
    """One character has several sounds, by the word it stands in; numbers are words."""
    bank, city = phonemes("银行"), phonemes("重庆")
    assert bank.endswith("xa↗ŋ")
    assert city.startswith("ꭧʰʊ↗ŋ")
    assert phonemes("3.5%") == phonemes("百分之三点五")
    assert phonemes("￥12") == phonemes("十二元")


def test_a_sentence_without_end(reader: Reader) -> None:
    """It is said in parts, all of it."""
    long = "我们一直走，" * 32
    whole = np.concatenate(list(reader.read(long)))
    assert len(whole) / RATE > 20
