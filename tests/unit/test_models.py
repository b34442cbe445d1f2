"""What comes back."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from nexusai.models import Page, Task, TaskFailure, TextResponse

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T12:00:00Z",
        "2026-01-02T12:00:00+00:00",
        "2026-01-02T12:00:00",
        "2026-01-02T12:00:00+00:00Z",
        "2026-01-02T20:00:00+08:00",
        "2026-01-02 12:00:00.000z",
        datetime(2026, 1, 2, 12, 0),
        NOON,
    ],
)
def test_every_time_that_has_been_seen_is_aware(text: object) -> None:
    """Without a zone it means UTC."""
    task = Task.model_validate({"task_id": "t", "status": "queued", "created_at": text})
    assert task.created_at == NOON


def test_unknown_fields_are_kept() -> None:
    """A newer platform does not break an older client."""
    response = TextResponse.model_validate({"text": "x", "safety": {"score": 1}, "usage": {"cached": 3}})
    assert response.safety == {"score": 1}  # type: ignore[attr-defined]
    assert response.usage is not None
    assert response.usage.cached == 3  # type: ignore[attr-defined]
    assert response.request_id is None


def test_ends() -> None:
    """An unknown status is not an end."""
    ends = {
        status: Task(task_id="t", status=status).has_ended for status in ("completed", "failed", "paused")
    }
    assert ends == {"completed": True, "failed": True, "paused": False}
    assert TaskFailure().code == "TASK_FAILED"


def test_a_page_is_a_list() -> None:
    """With its place in the whole."""
    page: Page[int] = Page([1, 2])
    page.total = 5
    assert page == [1, 2]
    assert (page.total, page.page, page.pages) == (5, 1, None)
