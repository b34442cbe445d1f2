"""Chat, in a real browser with a real model; and the key, which comes before it."""

from __future__ import annotations

import json
import re

from console.visiting import Browser, Visit
from playwright.sync_api import expect
from server.process import ServerProcess

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
    tell(visit, text=f"# Title\n\nSome **bold** and `code`.\n\n1. one\n2. two\n\n{code}\n\n{NASTY}")
    ask(visit, NASTY)
    answer = visit.page.get_by_role("article", name="Answer")
    expect(answer.get_by_role("listitem")).to_have_text(["one", "two"])
    expect(answer.get_by_text("bold", exact=True)).to_have_css("font-weight", "700")
    expect(answer.get_by_role("group")).to_have_text("print('<b>')")
    expect(answer.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert visit.page.locator("main img, main script, main a[href^='javascript']").count() == 0
    expect(visit.page.get_by_role("article", name="You")).to_have_text(NASTY)


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


def test_a_platform_that_is_gone(visit: Visit) -> None:
    """The page says so, and what to do."""
    visit.page.context.set_offline(True)
    ask(visit, "Hello?")
    expect(visit.page.get_by_role("alert")).to_contain_text("nexusai serve")
    visit.forgive("ERR_INTERNET_DISCONNECTED")
