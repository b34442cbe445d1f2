"""Take the pictures of the web console that the docs show: `make screenshots`.

Starts the platform with a real model, does with the page what a person does, and writes
docs/images/console-*.png. An answer that is wrong, cites a wrong source or has a line that is cut gets no
picture: something else is asked. The model is the recommended one, which is fetched where it is missing
(1.1 GB).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from browser import FLAGS, find
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from nexus_server.models.catalogue import RECOMMENDED
from nexus_server.models.catalogue import find as model
from nexus_server.models.fetch import fetch
from nexus_server.settings import ServerSettings
from nexusai import NexusAIClient

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

from server.process import ServerProcess  # noqa: E402

MODELS = (RECOMMENDED, "whisper-base", "kokoro-82m")
WIDE, PHONE = {"width": 1120, "height": 760}, {"width": 375, "height": 720}
MOST_BYTES = 150_000
PATIENCE = 600_000  # milliseconds, for a model on a busy machine

CODE = (
    "Write a Python function that says whether a word is a palindrome, case ignored. Only the code.",
    "Write a Python function that counts the vowels of a text. Only the code.",
    "Write a one-line Python function that reverses a string. Only the code.",
)
DOCUMENTS = {
    "leave.md": "# Leave\n\nEvery employee has twenty-five days of paid leave a year. Days that are left "
    "over can be taken until the end of March of the next year.\n",
    "illness.md": "# Illness\n\nTell your team before nine in the morning. A certificate is needed from the "
    "third day on.\n",
}
QUESTIONS = (
    "How many days of paid leave does an employee have in a year?",
    "How many days of paid leave are there?",
    "How much paid leave do I have?",
)
SPOKEN = "Good morning. The library opens at nine, and closes at six."
CHINESE_DOCUMENTS = {
    "年假.md": "# 年假\n\n员工每年有二十五天带薪年假。未休完的年假可以在次年三月底之前使用。\n",
    "病假.md": "# 病假\n\n请在上午九点前告知团队。从第三天起需要提供医生证明。\n",
}
CHINESE_QUESTIONS = ("一年有多少天年假？", "年假有几天？", "员工每年有多少天带薪年假？")


def main() -> None:
    program = find()
    if program is None:
        sys.exit("There is no Chromium here: python scripts/browser.py installs one.")
    models = ServerSettings().models_dir
    for name in MODELS:
        fetch(model(name), models)
    settings = {"local": True, "models_dir": str(models), "default_model": RECOMMENDED, "threads": 1}
    with tempfile.TemporaryDirectory() as place, ServerProcess(Path(place) / "data", **settings) as server:
        address = f"{server.url.removesuffix('/api/v1')}/#key={server.key}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            english(browser, address, recording(server))
            chinese(browser, address)
            browser.close()


def recording(server: ServerProcess) -> bytes:
    with NexusAIClient(server.key, server.url) as client:
        return client.audio.synthesize(SPOKEN, format="wav").read()


def english(browser: Browser, address: str, voice: bytes) -> None:
    page = open_page(browser, address, locale="en-US", viewport=WIDE)
    chat(page)
    shoot(page, "chat")

    go(page, "Knowledge")
    page.get_by_label("New knowledge base").fill("Handbook")
    page.get_by_role("button", name="Create").click()
    for name, text in DOCUMENTS.items():
        add(page, name, text)
    ask_documents(page, "Question", "Ask", QUESTIONS, source="twenty-five days")
    shoot(page, "knowledge")

    go(page, "Images")
    field(page, "What is to be seen?").fill("two cats at the seaside, at sunset, with palm trees")
    field(page, "Format").select_option("16:9")
    page.get_by_role("button", name="Draw").click()
    page.get_by_role("figure").wait_for(timeout=PATIENCE)
    page.get_by_role("img", name="cat").evaluate("image => image.decode()")
    shoot(page, "images")

    go(page, "Speech")
    file = {"name": "library.wav", "mimeType": "audio/wav", "buffer": voice}
    page.locator("input[type=file][accept^='audio']").set_input_files([file])
    page.locator(".transcript").wait_for(timeout=PATIENCE)
    field(page, "Text").fill(SPOKEN)
    page.get_by_role("button", name="Speak").click()
    field(page, "The text, read aloud").wait_for(timeout=PATIENCE)
    page.wait_for_function("() => [...document.querySelectorAll('audio')].every(each => each.duration > 0)")
    shoot(page, "speech")

    session(page)
    shoot(page, "sessions")

    go(page, "Speech")
    field(page, "Text").fill("Good morning. " * 60)
    page.get_by_role("button", name="Speak").click()
    go(page, "Tasks")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tasks progress')].some(each => each.position > 0.1)",
        timeout=PATIENCE,
    )
    shoot(page, "tasks")
    page.locator(".tasks .chip.running").wait_for(state="detached", timeout=PATIENCE)

    go(page, "Key")
    page.get_by_role("table").wait_for()
    shoot(page, "key")
    page.context.close()


def chinese(browser: Browser, address: str) -> None:
    page = open_page(browser, address, locale="zh-CN", viewport=WIDE, color_scheme="dark")
    go(page, "知识库")
    page.get_by_label("新建知识库").fill("员工手册")
    page.get_by_role("button", name="创建").click()
    for name, text in CHINESE_DOCUMENTS.items():
        add(page, name, text)
    ask_documents(page, "问题", "提问", CHINESE_QUESTIONS, source="二十五天")
    shoot(page, "dark-zh")
    page.context.close()

    page = open_page(browser, address, locale="zh-CN", viewport=PHONE)
    ask(page, "把“谢谢你的帮助”翻译成英文。")
    shoot(page, "phone")
    page.context.close()


def open_page(browser: Browser, address: str, **settings: object) -> Page:
    page = browser.new_context(reduced_motion="reduce", **settings).new_page()  # type: ignore[arg-type]
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    return page


def field(page: Page, label: str):
    return page.get_by_label(label, exact=True).filter(visible=True)


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def chat(page: Page) -> None:
    """A question whose answer is code, and nothing else: what small models say of it may be wrong."""
    for question in CODE:
        page.get_by_role("button", name="New chat").click()
        ask(page, question)
        code = page.locator(".turn .code pre")
        only = code.count() == page.locator(".turn .prose > *").count() == 1
        if only and fits(code) and fits(page.locator("main")):
            return
    sys.exit("No answer of the chat was code that fits.")


def fits(place: Locator) -> bool:
    """Whether all of what it holds is seen."""
    return place.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight")


def session(page: Page) -> None:
    """A conversation that the second question needs the first one for."""
    for _ in range(3):
        go(page, "Sessions")
        field(page, "Name").fill("Travel plans")
        field(page, "Instructions").fill("Answer in one short sentence.")
        page.get_by_role("button", name="Begin").click()
        ask(page, "I am going to Lisbon for three days in May. What should I pack?")
        ask(page, "Which city was that?", turn=2)
        if "Lisbon" in page.locator(".sessions .turn").last.inner_text():
            return
        page.get_by_role("button", name="Back").click()
    sys.exit("No answer in the session names the city.")


def ask(page: Page, text: str, turn: int = 1) -> None:
    box = page.locator(".composer textarea:visible")
    box.fill(text)
    box.press("Enter")
    page.locator(".turn .note:visible").nth(turn - 1).wait_for(timeout=PATIENCE)


def add(page: Page, name: str, text: str) -> None:
    file = {"name": name, "mimeType": "text/markdown", "buffer": text.encode()}
    page.locator("input[type=file][multiple]").set_input_files([file])
    page.locator(".list li", has_text=name).locator(".chip.completed").wait_for(timeout=PATIENCE)


def ask_documents(page: Page, label: str, button: str, questions: Sequence[str], source: str) -> None:
    """A question whose answer cites the passage that says `source`, and nothing else."""
    for question in questions:
        field(page, label).fill(question)
        page.get_by_role("button", name=button, exact=True).click()
        # The last answer goes before this one comes.
        page.wait_for_function("() => !document.querySelector('.answer[aria-busy=false]')")
        page.locator(".answer[aria-busy=false]").wait_for(timeout=PATIENCE)
        if cited(page) == {1} and source in page.locator(".sources li").first.inner_text():
            return
        print(f"Not taken: {question} {page.locator('.answer').inner_text()}")
    sys.exit("No answer cites the passage that it is from, and no other.")


def cited(page: Page) -> set[int]:
    """The numbers of the sources that the answer cites; 0 stands for one that no source has."""
    strays = {0} if page.locator(".answer .stray").count() else set()
    return strays | {int(text.strip("[]")) for text in page.locator(".answer .cite").all_inner_texts()}


def shoot(page: Page, name: str) -> None:
    """A picture of the whole view, from its title on; of few colours: small, and as sharp."""
    size = page.viewport_size or WIDE
    hidden = page.evaluate("Math.max(0, main.scrollHeight - main.clientHeight)")
    page.set_viewport_size({"width": size["width"], "height": size["height"] + hidden})
    page.mouse.move(0, 0)
    page.evaluate("main.scrollTop = 0; document.activeElement.blur()")
    picture = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    page.set_viewport_size(size)
    path = ROOT / "docs" / "images" / f"console-{name}.png"
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    written = path.stat().st_size
    print(
        f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {written / 1000:.0f} kB", flush=True
    )
    if written > MOST_BYTES:
        sys.exit(f"{path.name} is larger than {MOST_BYTES / 1000:.0f} kB.")


if __name__ == "__main__":
    main()
