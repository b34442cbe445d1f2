"""Knowledge bases: documents dropped, read, searched, asked."""

from __future__ import annotations

from typing import Any

import pytest
from console.test_chat import tell
from console.visiting import Visit
from playwright.sync_api import expect
from take_screenshots import cited

from nexusai._internal import _prompts
from nexusai.models import SearchResult

NASTY_NAME = "<img src=x onerror=alert(1)>.md"
HANDBOOK = b"""# Leave

Every employee has twenty-five days of paid leave a year.

# Travel

<script>alert(1)</script> Trains are booked in second class; hotels up to one hundred and fifty euros a night.
"""


def open_base(visit: Visit) -> None:
    """A new knowledge base."""
    visit.go("Knowledge")
    visit.field("New knowledge base").fill("Hand<b>book")
    visit.button("Create").click()
    expect(visit.page.get_by_role("heading", name="Hand<b>book")).to_be_visible()


def drop(visit: Visit, files: list[tuple[str, str]]) -> None:
    """Let files fall onto the page, as a mouse does."""
    transfer = visit.page.evaluate_handle(
        "files => files.reduce((data, [name, text]) => "
        "(data.items.add(new File([text], name, { type: 'text/plain' })), data), new DataTransfer())",
        [list(file) for file in files],
    )
    visit.page.locator(".drop:visible").dispatch_event("drop", {"dataTransfer": transfer})


def test_drop_search_and_ask(visit: Visit) -> None:
    """Each step shows how it stands; passages are marked, and nothing in them becomes an element."""
    open_base(visit)
    page = visit.page
    drop(visit, [(NASTY_NAME, HANDBOOK.decode()), ("canteen.txt", "Lunch is served from twelve to two.")])
    documents = page.get_by_role("region", name="Documents").get_by_role("listitem")
    expect(documents.filter(has_text=NASTY_NAME)).to_contain_text("completed")
    expect(documents.filter(has_text="canteen.txt")).to_contain_text("1 passage")

    visit.field("Question").fill("How many days of paid leave does an employee have?")
    visit.button("Search only").click()
    ask = page.get_by_role("region", name="Ask the documents")
    first = ask.get_by_role("listitem").first
    expect(first).to_contain_text(NASTY_NAME)
    expect(first.get_by_role("mark")).to_contain_text(["employee", "days", "paid", "leave"])
    expect(page.locator("main script, main img")).to_have_count(0)

    visit.button("Ask").click()
    expect(page.locator(".answer[aria-busy=false]")).not_to_be_empty()
    expect(ask.get_by_role("heading", name="Sources")).to_be_visible()
    assert "ask_stream" in _shown(visit)

    visit.field("Question").fill("zzz qqq")
    ask.get_by_text("Options").click()
    visit.field("Least score (0–1)").fill("1")
    visit.button("Ask").click()
    expect(page.locator(".answer")).to_have_text("The documents say nothing about this.")

    visit.button("Delete canteen.txt").click()
    visit.button("Really delete canteen.txt?").click()
    expect(documents).to_have_count(1)


def test_a_number_leads_to_its_source(visit: Visit) -> None:
    """One that no source has is marked as such; in code it is no citation."""
    open_base(visit)
    page = visit.page
    drop(visit, [("handbook.md", HANDBOOK.decode())])
    visit.field("Question").fill("How many days of paid leave are there?")
    ask = page.get_by_role("region", name="Ask the documents")
    ask.get_by_text("Options").click()
    visit.field("Model").select_option("fake/fake-small")
    visit.field("Passages at most").fill("1")
    tell(visit, text="**Twenty-five [1].** A year［1］, they say 【1】; `a[1]`. But [2] and [1, 7]、[0].")
    expect(page.get_by_role("region", name="Documents").get_by_role("listitem")).to_contain_text("completed")
    visit.button("Ask").click()
    answer = page.locator(".answer[aria-busy=false]")
    expect(answer).to_have_text("Twenty-five [1]. A year[1], they say [1]; a[1]. But [2?] and [1][7?]、[0?].")
    expect(answer.get_by_role("button")).to_have_count(4)
    expect(answer.locator(".stray")).to_have_text(["[2?]", "[7?]", "[0?]"])
    expect(answer.locator(".stray").first).to_have_attribute("title", "No source has this number.")
    assert cited(page) == {0, 1}  # the docs show no picture of such an answer
    answer.get_by_role("button", name="Source 1").first.click()
    expect(ask.locator("ol > li").first).to_be_focused()


def _shown(visit: Visit) -> str:
    ask = visit.page.get_by_role("region", name="Ask the documents")
    ask.locator("summary", has_text="Show the Python").first.click()
    return ask.locator("details[open] code").first.text_content() or ""


def test_a_file_that_cannot_be_read(visit: Visit) -> None:
    """It is named, with the reason; the others go on."""
    open_base(visit)
    drop(visit, [("broken.pdf", "not a PDF"), ("good.txt", "All is well.")])
    documents = visit.page.get_by_role("region", name="Documents")
    expect(documents.get_by_role("alert")).to_contain_text("broken.pdf")
    expect(documents.get_by_role("listitem").filter(has_text="good.txt")).to_contain_text("completed")
    visit.forgive("Failed to load resource")


@pytest.mark.parametrize("question", ["How long?", "多久能退款？"])
def test_it_asks_as_the_sdk_does(visit: Visit, question: str) -> None:
    """The same words to the model, so that `Show the Python` does the same."""
    rows: list[dict[str, Any]] = [
        {
            "chunk_id": str(n),
            "doc_id": "d",
            "kb_id": "k",
            "content": text,
            "similarity_score": 1.0,
            "metadata": {},
        }
        for n, text in enumerate(["first\npassage", "第二段"])
    ]
    mine = visit.page.evaluate(
        "async ([question, rows]) => { const it = await import('/console/knowledge.js'); "
        "return [it.questionMessages(question, rows), it.notFound(question)]; }",
        [question, rows],
    )
    sources = [SearchResult.model_validate(row) for row in rows]
    assert mine == [_prompts.question_messages(question, sources), _prompts.not_found(question)]
