"""Sessions, tasks as they run, and usage."""

from __future__ import annotations

import re

from console.visiting import Visit
from playwright.sync_api import expect
from server.process import text


def test_a_session_is_kept_opened_again_and_deleted(visit: Visit) -> None:
    """The platform remembers both sides, under the name that was given."""
    visit.go("Sessions")
    visit.field("Name").fill("Trip <i>")
    visit.field("Instructions").fill("Be brief.")
    visit.field("Model").select_option("fake/fake-small")
    visit.button("Begin").click()
    expect(visit.page.get_by_role("heading", name="Trip <i>")).to_be_visible()
    box = visit.field("Message")
    box.fill("My name is Ada.")
    box.press("Enter")
    expect(visit.page.get_by_role("article", name="Answer")).to_contain_text("w0 w1 w2 w3 w4")
    assert "session.stream(" in visit.python()

    visit.button("Back").click()
    visit.page.get_by_role("button", name="Trip <i>").first.click()
    expect(visit.page.get_by_role("article", name="You")).to_have_text("My name is Ada.")
    visit.button("Delete Trip <i>").click()
    visit.page.get_by_role("button", name="Really delete Trip <i>?").click()
    expect(visit.page.get_by_role("heading", name="Sessions")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Trip <i>")).to_have_count(0)


def test_tasks_are_seen_as_they_run_and_can_be_cancelled(visit: Visit) -> None:
    """One that another program has begun appears by itself."""
    visit.go("Tasks")
    visit.field("Status").select_option("running")
    task_id = visit.platform.submit(text("hi", provider="fake", fake={"tokens": 4000, "delay": 0.05}))
    row = visit.page.get_by_role("listitem").filter(has_text=task_id)
    expect(row).to_contain_text("running")
    row.get_by_text("Details").click()
    assert f'client.tasks.cancel("{task_id}")' in _python_of(row)
    row.get_by_role("button", name="Cancel: Text").click()
    visit.field("Status").select_option("cancelled")
    expect(row).to_contain_text("cancelled")
    assert visit.platform.finished(task_id)["status"] == "cancelled"


def test_a_failed_task_says_why(visit: Visit) -> None:
    """As text, whatever a provider says."""
    error = {"message": "<img src=x onerror=alert(1)>"}
    task_id = visit.platform.submit(text("hi", provider="fake", fake={"status": 400, "error": error}))
    visit.platform.finished(task_id)
    visit.go("Tasks")
    row = visit.page.get_by_role("listitem").filter(has_text=task_id)
    expect(row).to_contain_text("failed")
    row.get_by_text("Details").click()
    expect(row.get_by_role("group", name="JSON")).to_contain_text('"status": "failed"')
    expect(visit.page.locator("main img")).to_have_count(0)


def _python_of(row: object) -> str:
    row.get_by_text("Show the Python").click()  # type: ignore[attr-defined]
    return row.get_by_role("group", name="Python").text_content() or ""  # type: ignore[attr-defined]


def test_usage_is_told(visit: Visit) -> None:
    """By work and model, for the time that is chosen."""
    visit.platform.invoke(text("hi", provider="fake"))
    visit.go("Key")
    row = visit.page.get_by_role("row").filter(has_text="fake-")
    expect(row.first.get_by_role("cell").first).to_have_text(re.compile("[1-9]"))
    visit.field("Period").select_option("1")
    expect(row.first).to_be_visible()
    expect(visit.page.get_by_text("Key “first key”, made")).to_be_visible()
