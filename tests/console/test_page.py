"""The page as a whole: for everybody, in both languages, in the dark, on a phone; and how light it is."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
import pytest
from console.visiting import Browser, Visit
from playwright.sync_api import expect
from server.process import ServerProcess, text

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const told = each => each.nodes.map(node => node.html + node.failureSummary).join(" | ");
  return found.violations.map(each => `${each.id}: ${told(each)}`);
}"""
VIEWS = ["Chat", "Images", "Speech", "Knowledge", "Sessions", "Tasks", "Key"]
PHONE = {"width": 375, "height": 667}


def violations(visit: Visit) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    if not visit.page.evaluate("'axe' in window"):
        visit.page.evaluate(AXE + "; void 0")
    found: list[str] = visit.page.evaluate(RUN_AXE)
    return found


@pytest.fixture
def opened(browser: Browser, platform: ServerProcess, request: pytest.FixtureRequest) -> object:
    """The console in the circumstances that a test names."""
    visit = browser.call(browser.visit, platform, **request.param)
    yield visit
    assert browser.call(visit.leave) == []


@pytest.mark.parametrize(
    "opened",
    [{}, {"color_scheme": "dark", "viewport": PHONE}],
    ids=["light, wide", "dark, a phone"],
    indirect=True,
)
def test_nothing_keeps_people_out(opened: Visit) -> None:
    """Each view, with something in it, and with what it unfolds."""
    platform = opened.platform
    platform.invoke(text("hi", provider="fake"))
    session = platform.client.post("/sessions", json={"name": "Trip"}).json()
    base = platform.client.post("/knowledge-bases", json={"name": "Handbook"}).json()
    box = opened.field("Message")
    opened.field("Model").select_option("fake/fake-small")
    box.fill("Hello.")
    box.press("Enter")
    expect(opened.page.get_by_text("fake-small · 12 tokens")).to_be_visible()
    for name in VIEWS:
        if name != "Chat":
            opened.go(name)
        expect(opened.page.locator(".view:not([hidden]) h1")).to_be_visible()
        unfold(opened)
        assert (name, violations(opened)) == (name, [])
        assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert opened.page.evaluate("main.scrollWidth <= main.clientWidth"), name
    for view, name in (("Knowledge", "Handbook"), ("Sessions", "Trip")):
        opened.go(view)
        opened.page.get_by_role("button", name=name).first.click()
        expect(opened.page.get_by_role("heading", name=name)).to_be_visible()
        unfold(opened)
        assert (name, violations(opened)) == (name, [])
    platform.client.delete(f"/sessions/{session['session_id']}")
    platform.client.delete(f"/knowledge-bases/{base['kb_id']}")


def unfold(visit: Visit) -> None:
    visit.page.evaluate(
        "document.querySelectorAll('.view:not([hidden]) details').forEach(each => each.open = true)"
    )
    for _ in range(2):  # the Python inside of them
        visit.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_way_in_for_everybody(browser: Browser, platform: ServerProcess) -> None:
    """The form for the key, too."""
    visit = browser.visit(platform, key=None)
    assert violations(visit) == []
    assert visit.leave() == []


def test_the_keyboard_is_enough(visit: Visit) -> None:
    """Skip the frame, go to a view, ask, stop: without a mouse, and with the focus where it is seen."""
    keys = visit.page.keyboard

    def focused() -> str:
        active = "document.activeElement"
        return str(visit.page.evaluate(f"{active}.textContent.trim() || {active}.getAttribute('aria-label')"))

    keys.press("Tab")
    assert focused() == "Skip to the content"
    keys.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"
    keys.press("Tab")
    assert focused() == "New chat"
    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    for _ in VIEWS:
        keys.press("Shift+Tab")  # back over the frame
    while focused() != "Images":
        keys.press("Shift+Tab")
    keys.press("Enter")
    expect(visit.page.get_by_role("heading", name="Images")).to_be_focused()
    visit.go("Chat")
    visit.field("Model").focus()
    visit.field("Model").select_option("fake/fake-small")
    box = visit.field("Message")
    box.focus()
    keys.insert_text("Line one")
    keys.press("Shift+Enter")
    keys.insert_text("line two")
    keys.press("Enter")
    expect(visit.page.get_by_role("article", name="You")).to_have_text(
        "Line one\nline two", use_inner_text=True
    )
    expect(visit.page.get_by_role("status").filter(has_text="Answer: w0")).to_have_count(1)


@pytest.mark.parametrize("opened", [{"locale": "zh-CN"}], indirect=True)
def test_in_chinese(opened: Visit) -> None:
    """By the browser's language; the switch is kept for the next time."""
    page = opened.page
    expect(page.get_by_role("heading", name="对话")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    for name in ("图片", "语音", "知识库", "会话", "任务", "密钥"):
        opened.go(name)
        expect(page.locator(".view:not([hidden]) h1")).to_be_visible()
        shown = page.locator("main").inner_text()
        assert not [line for line in shown.splitlines() if line in ("Options", "Model", "Copy", "Delete")]
    assert violations(opened) == []
    opened.button("English").click()
    expect(page.get_by_role("heading", name="Key and usage")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Key and usage")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("opened", [{"color_scheme": "dark"}], indirect=True)
def test_in_the_dark(opened: Visit) -> None:
    """By the system's setting; the switch is kept for the next time."""
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = opened.page.evaluate(ground)
    assert dark == "rgb(19, 21, 25)"
    opened.button("Light").click()
    assert opened.page.evaluate(ground) == "rgb(246, 246, 243)"
    opened.page.reload()
    expect(opened.button("Dark")).to_be_visible()
    assert opened.page.evaluate(ground) == "rgb(246, 246, 243)"


@pytest.mark.parametrize("opened", [{"viewport": PHONE, "has_touch": True}], indirect=True)
def test_on_a_phone(opened: Visit) -> None:
    """The views are below; everything that is touched is large enough, and in sight."""
    box = opened.field("Message").bounding_box()
    views = opened.page.get_by_role("navigation").bounding_box()
    assert box is not None
    assert views is not None
    assert 0 <= box["x"] <= box["x"] + box["width"] <= PHONE["width"]
    assert box["y"] + box["height"] <= views["y"] < PHONE["height"]
    for link in opened.page.get_by_role("navigation").get_by_role("link").all():
        place = link.bounding_box()
        assert place is not None
        assert place["height"] >= 40
        assert place["width"] >= 40


def test_it_is_light_on_the_wire(visit: Visit) -> None:
    """All that the first visit loads, and nothing of it a second time."""
    page = visit.page
    sizes = """() => ["navigation", "resource"].flatMap(type => performance.getEntriesByType(type))
        .map(entry => [entry.name, entry.transferSize, entry.decodedBodySize])"""
    loaded = page.evaluate(sizes)
    assert len(loaded) >= 20
    assert sum(transferred for _, transferred, _ in loaded) < 150_000
    assert sum(decoded for _, _, decoded in loaded) < 150_000
    page.reload()
    expect(page.get_by_role("heading", name="Chat")).to_be_visible()
    again = {name: transferred for name, transferred, _ in page.evaluate(sizes) if "/console/" in name}
    assert max(again.values()) < 1000  # heads only: what is known is asked about, not sent
