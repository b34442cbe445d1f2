"""Take the pictures of the web console that the docs show: `make screenshots`.

Starts the platform with a real model, does with the page what a person does, and writes
docs/images/console-*.png. The model is the recommended one, which is fetched where it is missing (1.1 GB).
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from browser import FLAGS, find
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from nexus_server.models.catalogue import RECOMMENDED
from nexus_server.models.catalogue import find as model
from nexus_server.models.fetch import fetch
from nexus_server.settings import ServerSettings

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))

from server.process import ServerProcess  # noqa: E402

MODELS = (RECOMMENDED, "whisper-base", "kokoro-82m")
WIDE, PHONE = {"width": 1120, "height": 760}, {"width": 375, "height": 720}
MOST_BYTES = 150_000
PATIENCE = 600_000  # milliseconds, for a model on a busy machine

HANDBOOK = """# Leave

Every employee has twenty-five days of paid leave a year. Days that are left over can be taken until
the end of March of the next year.

# Illness

Tell your team before nine in the morning. A certificate is needed from the third day on.
"""
MANUAL = """# 退款

商品签收后七天内可以申请退款。退款在审核通过后的五个工作日内原路退回。

# 发票

电子发票在付款后的次日发送到登记的邮箱。
"""


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
            english(browser, address)
            chinese(browser, address)
            browser.close()


def english(browser: Browser, address: str) -> None:
    page = open_page(browser, address, locale="en-US", viewport=WIDE)
    ask(
        page,
        "Write a short Python function that says whether a word is a palindrome.",
    )
    shoot(page, "chat")

    go(page, "Knowledge")
    page.get_by_label("New knowledge base").fill("Handbook")
    page.get_by_role("button", name="Create").click()
    add(page, "handbook.md", HANDBOOK)
    field(page, "Question").fill("How many days of paid leave are there?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator(".answer[aria-busy=false]").wait_for(timeout=PATIENCE)
    page.get_by_role("region", name="Ask the documents").scroll_into_view_if_needed()
    page.evaluate("main.scrollTop = 1e6")
    shoot(page, "knowledge")

    go(page, "Images")
    field(page, "What is to be seen?").fill("two cats at the seaside, at sunset, with palm trees")
    field(page, "Format").select_option("16:9")
    page.get_by_role("button", name="Draw").click()
    page.get_by_role("figure").wait_for(timeout=PATIENCE)
    go(page, "Speech")
    field(page, "Text").fill("Good morning. " * 40)
    page.get_by_role("button", name="Speak").click()
    go(page, "Tasks")
    page.locator("progress:visible").wait_for()
    shoot(page, "tasks")
    page.context.close()


def chinese(browser: Browser, address: str) -> None:
    page = open_page(browser, address, locale="zh-CN", viewport=WIDE, color_scheme="dark")
    go(page, "知识库")
    page.get_by_label("新建知识库").fill("客服手册")
    page.get_by_role("button", name="创建").click()
    add(page, "售后说明.md", MANUAL)
    field(page, "问题").fill("退款多久到账？")
    page.get_by_role("button", name="提问", exact=True).click()
    page.locator(".answer[aria-busy=false]").wait_for(timeout=PATIENCE)
    page.evaluate("main.scrollTop = 1e6")
    shoot(page, "dark-zh")
    page.context.close()

    page = open_page(browser, address, locale="zh-CN", viewport=PHONE)
    ask(page, "用一句话解释什么是数据库。")
    shoot(page, "phone")
    page.context.close()


def open_page(browser: Browser, address: str, **settings: object) -> Page:
    page = browser.new_context(**settings).new_page()  # type: ignore[arg-type]
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    return page


def field(page: Page, label: str):
    return page.get_by_label(label, exact=True).filter(visible=True)


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def ask(page: Page, text: str) -> None:
    box = page.locator(".composer textarea")
    box.fill(text)
    box.press("Enter")
    page.locator(".turn .note").wait_for(timeout=PATIENCE)


def add(page: Page, name: str, text: str) -> None:
    file = {"name": name, "mimeType": "text/markdown", "buffer": text.encode()}
    page.locator("input[type=file][multiple]").set_input_files([file])
    page.locator(".chip.completed").wait_for(timeout=PATIENCE)


def shoot(page: Page, name: str) -> None:
    """A picture of few colours: small, and as sharp."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    picture = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = ROOT / "docs" / "images" / f"console-{name}.png"
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        sys.exit(f"{path.name} is larger than {MOST_BYTES / 1000:.0f} kB.")


if __name__ == "__main__":
    main()
