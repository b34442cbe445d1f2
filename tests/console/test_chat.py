"""Chat, in a real browser with a real model; and the key, which comes before it."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest
from console.visiting import Browser, Visit
from playwright.sync_api import expect
from server.process import ServerProcess
from server.test_auth import store_key

NASTY = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>[x](javascript:alert(3)) ![y](http://127.0.0.2/z)"
)


def ask(visit: Visit, text: str) -> None:
    box = visit.field("Message")
    box.fill(text)
    box.press("Enter")


def use_scripted(visit: Visit) -> None:
    """The provider that answers as it is told; the console adds what it is told to each request."""
    visit.field("Model").select_option("fake/fake-small")


def tell(visit: Visit, **fake: object) -> None:
    """Have the next requests of this tab tell the scripted provider how to answer."""

    def add(route: object) -> None:
        body = route.request.post_data_json  # type: ignore[attr-defined]
        body["config"]["fake"] = fake
        route.continue_(post_data=json.dumps(body))  # type: ignore[attr-defined]

    visit.page.route("**/api/v1/invoke", add)


def test_a_real_model_answers(visit: Visit) -> None:
    """With its name and its tokens below, and the SDK's call beside it."""
    visit.page.get_by_text("Options").click()
    visit.field("Longest answer (tokens)").fill("12")
    ask(visit, "Say hello.")
    expect(visit.page.get_by_text(re.compile(r"^smollm2-135m · \d+ tokens$"))).to_be_visible()
    answer = visit.page.get_by_role("article", name="Answer").text_content() or ""
    assert len(answer.split("smollm2")[0]) > 1
    assert "Say hello." in visit.python()


def test_it_comes_as_it_is_written_and_can_be_stopped(visit: Visit) -> None:
    """The provider is left at once; what had come stays, and is part of the next question."""
    use_scripted(visit)
    tell(visit, tokens=2000, delay=0.05)
    ask(visit, "Count.")
    answer = visit.page.get_by_role("article", name="Answer")
    expect(answer).to_contain_text("w0 w1 w2")
    visit.button("Stop").click()
    expect(answer).to_contain_text("Stopped.")
    assert "w1999" not in (answer.text_content() or "")
    task = visit.platform.client.get("/tasks", params={"per_page": 1}).json()["tasks"][0]
    assert visit.platform.finished(task["task_id"])["status"] in ("cancelled", "failed")

    visit.page.unroute("**/api/v1/invoke")
    tell(visit, text="And on.")
    with visit.page.expect_request("**/api/v1/invoke") as asked:
        ask(visit, "Go on.")
    roles = [message["role"] for message in asked.value.post_data_json["input"]["messages"]]
    assert roles == ["user", "assistant", "user"]
    expect(visit.page.get_by_role("article", name="Answer").last).to_contain_text("And on.")
    visit.button("New chat").click()
    expect(visit.page.get_by_role("article")).to_have_count(0)


def test_markdown_is_shown_and_markup_is_text(visit: Visit) -> None:
    """Code, lists and emphasis; but nothing that a model says becomes an element of its own."""
    use_scripted(visit)
    code = "```python\nprint('<b>')\n```"
    tell(visit, text=f"# Title ##\n\nSome **bold** and `code`.\n\n1. one\n2. two\n\n{code}\n\n{NASTY}")
    ask(visit, NASTY)
    answer = visit.page.get_by_role("article", name="Answer")
    expect(answer.get_by_role("listitem")).to_have_text(["one", "two"])
    expect(answer.locator(".heading")).to_have_text("Title")
    expect(answer.get_by_text("bold", exact=True)).to_have_css("font-weight", "700")
    expect(answer.get_by_role("group")).to_have_text("print('<b>')")
    expect(answer.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert visit.page.locator("main img, main script, main a[href^='javascript']").count() == 0
    expect(visit.page.get_by_role("article", name="You")).to_have_text(NASTY)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("[a](https://example.com/x) and [b](https://example.com/y)", ["a", "b"]),
        ("[" * 20_000, []),  # each of these was read again and again from every place in it
        ("[a](https://" * 2_000, []),
        ("`" * 20_001 + "x", []),
        ("# " + "#" * 20_000 + "x", []),
        (f"[{'x' * 501}](https://example.com/)", []),
        (f"[x](https://example.com/{'x' * 2000})", []),
    ],
    ids=["links", "brackets", "addresses", "ticks", "hashes", "a long label", "a long address"],
)
def test_marks_are_looked_for_within_bounds(visit: Visit, text: str, links: list[str]) -> None:
    """A mark that is not closed is text, and costs no more than its length."""
    use_scripted(visit)
    tell(visit, text=text)
    ask(visit, "Mark.")
    answer = visit.page.get_by_role("article", name="Answer")
    expect(answer.get_by_text("8 tokens")).to_be_visible()
    expect(answer.get_by_role("link")).to_have_text(links)


def test_an_answer_that_is_cut_never_passes_for_a_whole_one(visit: Visit) -> None:
    """It is said, and what had come stays."""
    use_scripted(visit)
    tell(visit, tokens=5, error_after=2)
    ask(visit, "Count.")
    expect(visit.page.get_by_role("alert")).to_contain_text("That did not work.")
    expect(visit.page.get_by_role("article", name="Answer")).to_contain_text("w0 w1")
    visit.page.unroute("**/api/v1/invoke")
    tell(visit, status=500, error={"message": "broken"})
    ask(visit, "Again.")
    expect(visit.page.get_by_role("alert")).to_contain_text("The platform could not do it.")
    expect(visit.field("Message")).to_have_value("Again.")  # it can be sent again
    visit.forgive("Failed to load resource")


def test_the_key_is_taken_out_of_the_address(visit: Visit) -> None:
    """It goes over the wire in the header only, is kept in this tab only, and is shown masked."""
    key = visit.platform.key
    assert visit.page.url == f"{visit.origin}/"
    assert visit.page.evaluate("history.length") <= 2  # with the empty page before it
    assert all(key not in request.url for request in visit.requests if "#" not in request.url)
    authorized = [r for r in visit.requests if key in (r.header_value("authorization") or "")]
    assert {request.url.split("?")[0] for request in authorized} == {f"{visit.platform.url}/models"}
    assert key not in visit.page.evaluate("JSON.stringify(localStorage) + document.cookie")
    assert visit.page.evaluate("sessionStorage['nexus.key']") == key
    visit.go("Key")
    expect(visit.page.get_by_text(f"{key[:16]}_•")).to_be_visible()
    assert key not in visit.page.content()
    visit.button("Forget the key").click()
    expect(visit.page.get_by_role("heading", name="Welcome to Nexus AI")).to_be_visible()
    assert visit.page.evaluate("sessionStorage.length") == 0


def test_a_key_is_asked_for_and_tried(browser: Browser, platform: ServerProcess) -> None:
    """A wrong one is refused in words, a right one opens the console."""
    visit = browser.visit(platform, key=None)
    box = visit.field("API key")
    box.fill("sk-not-ours")
    expect(visit.page.get_by_text("This is no key of a platform")).to_be_visible()
    expect(visit.button("Continue")).to_be_disabled()
    box.fill("nxs_000000000000_" + "x" * 43)
    visit.button("Continue").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("The platform does not take this key.")
    visit.forgive("401")
    box.fill(platform.key)
    box.press("Enter")
    expect(visit.page.get_by_role("heading", name="Chat")).to_be_visible()
    assert visit.leave() == []


def test_a_link_with_another_key_begins_anew(visit: Visit) -> None:
    """Nothing of the former key stays in the page; a link with the same key changes nothing."""
    page, platform = visit.page, visit.platform
    base = platform.client.post("/knowledge-bases", json={"name": "Former"}).json()
    use_scripted(visit)
    tell(visit, text="Said to the former key.")
    ask(visit, "Who am I?")
    expect(page.get_by_role("article", name="Answer")).to_contain_text("Said to the former key.")
    visit.go("Knowledge")
    visit.page.get_by_role("button", name="Former").first.click()
    expect(page.get_by_role("heading", name="Former")).to_be_visible()

    follow(visit, platform.key)
    expect(page.get_by_role("article", name="Answer")).to_contain_text("Said to the former key.")
    with page.expect_response("**/api/v1/models") as loaded:
        follow(visit, other := store_key(platform))
    assert other in (loaded.value.request.header_value("authorization") or "")
    expect(visit.field("Model")).to_be_visible()
    assert page.evaluate("sessionStorage['nexus.key']") == other
    assert other not in page.url
    expect(page.get_by_role("article")).to_have_count(0)
    visit.go("Knowledge")
    expect(page.get_by_role("heading", name="Knowledge bases")).to_be_visible()
    expect(page.get_by_text("Former")).to_have_count(0)
    platform.client.delete(f"/knowledge-bases/{base['kb_id']}")


def follow(visit: Visit, key: str) -> None:
    """Follow a link with a key in the tab that is open."""
    visit.page.evaluate("key => { location.hash = `key=${key}`; }", key)


@pytest.mark.parametrize("start", ["", None], ids=["unlocked", "locked"])
def test_a_broken_key_in_a_link_is_told(browser: Browser, platform: ServerProcess, start: str | None) -> None:
    """It changes nothing but the address; it is said when the page opens, and in one that is open."""
    visit = browser.visit(platform, key=start)
    before = visit.page.evaluate("sessionStorage['nexus.key'] ?? null")
    follow(visit, "nxs_cut")
    told = visit.page.get_by_role("alert").filter(has_text="The link's key cannot be used")
    expect(told).to_contain_text("it starts with nxs_")
    assert "nxs_cut" not in visit.page.url
    assert visit.page.evaluate("sessionStorage['nexus.key'] ?? null") == before
    visit.page.goto("about:blank")
    visit.open("nxs_cut")
    expect(told).to_be_visible()
    assert visit.leave() == []


def test_what_was_typed_meanwhile_stays(visit: Visit) -> None:
    """Where nothing came, the question can be sent again, and the next one is still there."""
    use_scripted(visit)
    tell(visit, status=500, error={"message": "broken"}, first_delay=1)
    ask(visit, "The first.")
    expect(visit.button("Stop")).to_be_visible()
    visit.field("Message").fill("The second.")
    expect(visit.page.get_by_role("alert")).to_contain_text("The platform could not do it.")
    expect(visit.field("Message")).to_have_value("The first.\n\nThe second.")
    visit.forgive("Failed to load resource")


def test_what_is_kept_is_told(visit: Visit) -> None:
    """A chat stays on the platform as tasks, and the page says so before anything is asked."""
    expect(visit.page.get_by_text("What you ask stays on the platform as a task")).to_be_visible()
    use_scripted(visit)
    tell(visit, text="I shall remember.")
    ask(visit, "My secret is 4711.")
    expect(visit.page.get_by_role("article", name="Answer")).to_contain_text("I shall remember.")
    visit.go("Tasks")
    task = visit.page.locator("li.task").first
    task.get_by_text("Details").click()
    expect(task.get_by_role("group", name="JSON")).to_contain_text("I shall remember.")
    with closing(sqlite3.connect(visit.platform.data_dir / "nexus.db")) as database:
        rows = database.execute("SELECT input FROM tasks WHERE input LIKE '%My secret is 4711.%'").fetchall()
    assert len(rows) == 1


def test_a_platform_that_is_gone(visit: Visit) -> None:
    """The page says so, and what to do."""
    visit.page.context.set_offline(True)
    ask(visit, "Hello?")
    expect(visit.page.get_by_role("alert")).to_contain_text("nexusai serve")
    visit.forgive("ERR_INTERNET_DISCONNECTED")
