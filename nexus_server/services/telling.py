"""How a task is told: in answers, and in webhooks."""

from __future__ import annotations

from typing import Any

from nexus_server.store.clock import iso
from nexus_server.store.tasks import TaskRecord


def task_body(record: TaskRecord, origin: str = "") -> dict[str, Any]:
    """A task as the wire tells it; what is not there yet is left out.

    `origin` is put before the addresses in its output, which are told below it.
    """
    moments = {
        name: iso(moment)
        for name in ("created_at", "started_at", "finished_at")
        if (moment := getattr(record, name)) is not None
    }
    body: dict[str, Any] = {
        "task_id": record.id,
        "status": record.status,
        "task_type": record.task_type,
        **moments,
    }
    if record.progress is not None:
        body["progress"] = 100 if record.status == "completed" else record.progress
    if record.output is not None:
        body["output"] = located(record.output, origin)
    if record.error is not None:
        body["error"] = {name: said for name, said in record.error.items() if name != "status"}
    return body


def located(output: dict[str, Any], origin: str) -> dict[str, Any]:
    """A task's output with whole addresses of the files in it."""
    whole = dict(output)
    for name in ("image_url", "audio_url"):
        if name in whole:
            whole[name] = origin + whole[name]
    if "images" in whole:
        whole["images"] = [{**image, "url": origin + image["url"]} for image in whole["images"]]
    return whole
