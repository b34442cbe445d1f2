"""What all parts of a platform in memory share: numbers, the time, files and tasks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Callable, Dict, Tuple

from nexusai.testing._calls import Upload
from nexusai.testing._memory.replies import RefusalError
from nexusai.types import JSONObject

if TYPE_CHECKING:
    from nexusai.testing._memory.tasks import Task

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Store:
    """Numbers, the time, files and tasks.

    Attributes:
        files: what is known of each, and its bytes.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers: Dict[str, int] = {}
        self.files: Dict[str, Tuple[JSONObject, bytes]] = {}
        self.tasks: Dict[str, Task] = {}

    @property
    def moment(self) -> datetime:
        """The time of the test: it begins with the year 2026."""
        return _START + timedelta(seconds=self._clock())

    def now(self) -> str:
        """The same, as the wire tells it."""
        return self.moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new(self, prefix: str) -> str:
        """An id that nothing has yet: `task_1`."""
        self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
        return f"{prefix}_{self._numbers[prefix]}"

    def keep(self, upload: Upload) -> JSONObject:
        """Keep a file, and tell what is known of it."""
        body: JSONObject = {
            "file_id": self.new("file"),
            "filename": upload.filename,
            "content_type": upload.content_type,
            "mime_type": upload.content_type,
            "size": len(upload.content),
            "created_at": self.now(),
        }
        self.files[body["file_id"]] = (body, upload.content)
        return body

    def file(self, file_id: str) -> Tuple[JSONObject, bytes]:
        """What is known of a file, and its bytes."""
        if file_id not in self.files:
            raise RefusalError(404, f"There is no file {file_id!r}.")
        return self.files[file_id]

    def task(self, task_id: str) -> Task:
        """A task."""
        if task_id not in self.tasks:
            raise RefusalError(404, f"There is no task {task_id!r}.")
        return self.tasks[task_id]
