"""The directory that local models live in.

    <models_dir>/<file>             a model, whole
    <models_dir>/<file>.verified    what its bytes were when they were last hashed
    <models_dir>/<file>.partial     a fetch that has not ended
    <models_dir>/.parts/<id>/       packages of a fetch that has not ended
    <models_dir>/.locks/<id>        held by whoever fetches

A file under a catalogue name is used only when its SHA-256 is the catalogue's. It is hashed once;
the record beside it saves doing so again as long as size and modification time stay. Any other
`*.gguf` there is its owner's, and is offered as it is under its stem.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from nexus_server.models.catalogue import LocalModel, catalogue
from nexus_server.models.errors import ModelError, WrongBytesError
from nexus_server.models.locking import exclusive

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be run from `path`. `model` is None for a file of the user's own."""

    id: str
    path: Path
    model: LocalModel | None = None


@dataclass(frozen=True)
class _Record:
    """What a file's bytes were found to be, and how to see that they may have changed."""

    sha256: str
    size: int
    mtime_ns: int


class ModelStore:
    """Knows which models are in a directory, and which of them can be trusted."""

    def __init__(self, models_dir: Path, *, models: tuple[LocalModel, ...] | None = None) -> None:
        """`models` is the catalogue, unless a caller brings another one."""
        self.models_dir = models_dir
        self.models = catalogue() if models is None else models
        # For a directory that we may not write to: hash once per process at least.
        self._records: dict[Path, _Record] = {}

    def path(self, model: LocalModel) -> Path:
        """Where this model's file is, or would be."""
        return self.models_dir / model.file

    def installed(self) -> list[InstalledModel]:
        """What can be run now: the catalogue's in its order, then the user's own by name.

        Looks at sizes, times and records only, so a file that nobody has verified yet is not
        among them; see `verify_all`.
        """
        known = [
            InstalledModel(model.id, self.path(model), model)
            for model in self.models
            if self.is_installed(model)
        ]
        return known + list(self._own_files())

    def is_installed(self, model: LocalModel) -> bool:
        """Whether the file is there and is known to be the published one."""
        record = self._known_record(self.path(model))
        return record is not None and record.sha256 == model.sha256

    def verify(self, model: LocalModel) -> bool:
        """Whether the published file is there; hashes it if nobody has.

        Raises:
            WrongBytesError: another file has its name.
        """
        path = self.path(model)
        if not path.is_file():
            return False
        self._check_size(path, model)
        record = self._known_record(path) or self._hash(path)
        if record.sha256 != model.sha256:
            raise WrongBytesError(
                str(path), expected=model.sha256, found=record.sha256, remedy=_remedy(model)
            )
        return True

    def verify_all(self, on_problem: Callable[[str], None] = logger.warning) -> None:
        """Verify every file under a catalogue name, telling what is wrong and going on."""
        for model in self.models:
            try:
                self.verify(model)
            except (ModelError, OSError) as error:
                on_problem(f"{model.id} is not used: {error}")

    def mark_verified(self, model: LocalModel) -> None:
        """Write down that the file's bytes were just seen to be the published ones."""
        self._remember(self.path(model), model.sha256)

    def remove(self, model_id: str) -> int:
        """Delete a model and all that belongs to it; the number of bytes that were freed.

        Raises:
            ModelError: nothing of that id is here.
        """
        doomed = [path for path in self._belongings(model_id) if path.exists()]
        if not doomed:
            here = ", ".join(model.id for model in self.installed()) or "no model at all"
            raise ModelError(f"{model_id!r} is not in {self.models_dir}; there is {here}.")
        with exclusive(self.lock_path(model_id)):
            return sum(_delete(path) for path in doomed)

    def _belongings(self, model_id: str) -> list[Path]:
        for model in self.models:
            if model.id == model_id:
                path = self.path(model)
                return [path, record_path(path), partial_path(path), self.parts_dir(model)]
        return [own.path for own in self._own_files() if own.id == model_id]

    def parts_dir(self, model: LocalModel) -> Path:
        """Where the packages of an unfinished fetch are kept."""
        return self.models_dir / ".parts" / model.id

    def lock_path(self, model_id: str) -> Path:
        """The file that whoever fetches this model holds locked."""
        return self.models_dir / ".locks" / model_id

    def _own_files(self) -> Iterator[InstalledModel]:
        taken = {model.file for model in self.models} | {f"{m.id}.gguf" for m in self.models}
        for path in sorted(self.models_dir.glob("*.gguf")):
            if path.name not in taken and path.is_file():
                yield InstalledModel(path.stem, path)

    def _check_size(self, path: Path, model: LocalModel) -> None:
        size = path.stat().st_size
        if size != model.size:
            raise WrongBytesError(
                str(path),
                expected=f"{model.size} bytes",
                found=f"{size} bytes",
                remedy=_remedy(model),
            )

    def _known_record(self, path: Path) -> _Record | None:
        """What is known of the file as it is now; None when it must be hashed, or is not there."""
        try:
            stat = path.stat()
        except OSError:
            return None
        for record in (self._records.get(path), _read_record(path)):
            if record and (record.size, record.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return record
        return None

    def _hash(self, path: Path) -> _Record:
        logger.info("Verifying %s", path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._remember(path, digest)

    def _remember(self, path: Path, sha256: str) -> _Record:
        stat = path.stat()
        record = _Record(sha256, stat.st_size, stat.st_mtime_ns)
        self._records[path] = record
        try:
            record_path(path).write_text(json.dumps(asdict(record)), "utf-8")
        except OSError as error:
            logger.info("%s stays unrecorded, and is hashed again next time: %s", path, error)
        return record


def record_path(path: Path) -> Path:
    """The record beside a model's file."""
    return path.with_name(f"{path.name}.verified")


def partial_path(path: Path) -> Path:
    """What a model's file is called until it is whole and verified."""
    return path.with_name(f"{path.name}.partial")


def _read_record(path: Path) -> _Record | None:
    try:
        return _Record(**json.loads(record_path(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # none, or cut short by a crash: the file is hashed again


def _delete(path: Path) -> int:
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        shutil.rmtree(path)
        return size
    size = path.stat().st_size
    path.unlink()
    return size


def _remedy(model: LocalModel) -> str:
    return f"`nexusai models pull {model.id}` replaces it."
