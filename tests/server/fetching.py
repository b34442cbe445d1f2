"""Small made-up models, and the wheels they are cut into.

As a process: `python fetching.py <models_dir> <json of make_model's arguments>` fetches one, and
prints a line of JSON for every progress report.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from random import Random

from nexus_server.models.catalogue import HubFile, LocalModel, PackageParts, Wheel
from nexus_server.models.errors import ModelError
from nexus_server.models.fetch import fetch
from nexus_server.models.progress import Progress

HUB_PATH = "/made/up/resolve/main/tiny.gguf"


def payload(size: int = 3_000_000, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def make_model(
    size: int, sha256: str, wheels: list[list[object]] | None = None, *, hub: bool = True
) -> LocalModel:
    sources: list[HubFile | PackageParts] = []
    if wheels:
        parts = tuple(Wheel(*row) for row in wheels)  # type: ignore[arg-type]
        sources.append(PackageParts(r"/part\d+\.bin$", parts))
    if hub:
        sources.append(HubFile("made/up", "main", "tiny.gguf"))
    return LocalModel(
        id="tiny",
        task="text_generation",
        title="Tiny",
        licence="MIT",
        size=size,
        sha256=sha256,
        file="tiny.gguf",
        languages=("en",),
        notes="made up",
        notes_in_chinese="虚构",
        context=128,
        sources=tuple(sources),
    )


def model_of(data: bytes, wheels: list[list[object]] | None = None, *, hub: bool = True) -> LocalModel:
    return make_model(len(data), hashlib.sha256(data).hexdigest(), wheels, hub=hub)


def build_wheel(folder: Path, name: str, members: dict[str, bytes]) -> list[object]:
    """A wheel that pip accepts; what the catalogue would say of it."""
    folder.mkdir(parents=True, exist_ok=True)
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(f"{module}/{member}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    data = path.read_bytes()
    return [f"{name}==1.0", hashlib.sha256(data).hexdigest(), len(data)]


def main() -> None:
    def tell(progress: Progress) -> None:
        sys.stdout.write(json.dumps([progress.step, progress.done, progress.message]) + "\n")
        sys.stdout.flush()

    try:
        fetch(make_model(**json.loads(sys.argv[2])), Path(sys.argv[1]), on_progress=tell)
    except ModelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
