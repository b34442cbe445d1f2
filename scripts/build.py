"""Build what is published, and check it: the wheel, the source archive, and a list of what the wheel brings.

python scripts/build.py [--out dist] [--no-sbom]

The wheel is built twice, in places of different names, and once more from the source archive: all three must
be the same, byte for byte. Files that git does not have are not built in. The list (SBOM, CycloneDX) names
what a default installation of the wheel brings today: for it, it is installed into an environment of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nexusai", "nexus_server")
BESIDES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore")
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def main() -> None:
    arguments = read_arguments()
    files = tracked()
    with tempfile.TemporaryDirectory() as place:
        first, second = (copy(files, Path(place) / name) for name in ("first", "another_second"))
        wheel, archive = build(first, "build_wheel"), build(first, "build_sdist")
        same(wheel, build(second, "build_wheel"), "built a second time")
        same(archive, build(second, "build_sdist"), "built a second time")
        with tarfile.open(archive) as tar:
            tar.extractall(Path(place) / "unpacked", filter="data")
        (unpacked,) = (Path(place) / "unpacked").iterdir()
        same(wheel, build(unpacked, "build_wheel"), "built from the source archive")
        check_wheel(wheel, files)
        check_archive(archive, files)
        arguments.out.mkdir(parents=True, exist_ok=True)
        made = [Path(shutil.copy(path, arguments.out)) for path in (wheel, archive)]
    if arguments.sbom:
        made.append(write_sbom(made[0]))
    for path in made:
        print(f"{digest(path)}  {path.name}  {path.stat().st_size} bytes")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build what is published, and check it.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where it goes (dist)")
    parser.add_argument("--no-sbom", dest="sbom", action="store_false", help="no list of what it brings")
    return parser.parse_args()


def tracked() -> list[str]:
    """The files that are published, as git has them."""
    done = git("ls-files", "-z", *PACKAGES, *BESIDES)
    return sorted(filter(None, done.split("\0")))


def copy(files: list[str], place: Path) -> Path:
    for name in files:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return place


def build(place: Path, kind: str) -> Path:
    """What hatchling makes of the files in `place`; times in it are those of the last commit."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").strip()}
    command = [sys.executable, "-c", BUILD, kind, "dist"]
    (place / "dist").mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True, text=True)
    return place / "dist" / done.stdout.split()[-1]


def same(first: Path, second: Path, how: str) -> None:
    if first.read_bytes() != second.read_bytes():
        sys.exit(f"{first.name} is not the same when it is {how}: it cannot be checked by others.")


def check_wheel(wheel: Path, files: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    about = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    content = [name for name in names if ".dist-info/" not in name]
    compare(wheel, content, [name for name in files if name.startswith(PACKAGES)])
    compare(wheel, about, METADATA)


def check_archive(archive: Path, files: list[str]) -> None:
    with tarfile.open(archive) as tar:
        names = [name.partition("/")[2] for name in tar.getnames()]
    compare(archive, names, [*files, "PKG-INFO"])


def compare(path: Path, found: list[str] | set[str], expected: list[str] | set[str]) -> None:
    missing, foreign = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or foreign:
        sys.exit(f"{path.name}: missing {missing}, and what does not belong there {foreign}.")


def write_sbom(wheel: Path) -> Path:
    """Name everything that a default installation of the wheel brings, in CycloneDX's format."""
    path = wheel.with_name("sbom.cdx.json")
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
        python = str(Path(place) / "bin" / "python")
        install = ["pip", "--python", python, "install", "--quiet", str(wheel.absolute())]
        subprocess.run([sys.executable, "-m", *install], check=True)
        options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON"]
        command = [sys.executable, "-m", "cyclonedx_py", "environment", *options, "-o", str(path), python]
        subprocess.run(command, check=True)
    bom = json.loads(path.read_text(encoding="utf-8"))
    about = bom["metadata"]["component"]
    about |= {"version": wheel.name.split("-")[1], "type": "library"}
    about["hashes"] = [{"alg": "SHA-256", "content": digest(wheel)}]
    for component in bom["components"]:  # where a project lives says nothing of what is installed
        component.pop("externalReferences", None)
    bom["metadata"].pop("tools", None)
    path.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
