"""Visits to the console: the browser, its thread, and what it complained of."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, TypeVar

from browser import FLAGS
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect, sync_playwright
from server.process import ServerProcess

T = TypeVar("T")
SECONDS = 60_000  # a model on a busy machine takes its time

expect.set_options(timeout=SECONDS)

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", event =>
    violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Browser:
    """Chromium; its microphone hears `voice`, if that file is there when it starts to listen."""

    def __init__(self, program: str, voice: Path) -> None:
        self.voice = voice
        self._thread = ThreadPoolExecutor(1, "browser")
        self._program = program

    def __enter__(self) -> Browser:
        self.call(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._chromium.close)
        self.call(self._playwright.stop)
        self._thread.shutdown()

    def call(self, work: Callable[..., T], *given: Any, **named: Any) -> T:
        """Do this in the browser's thread."""
        return self._thread.submit(work, *given, **named).result()

    def _start(self) -> None:
        self._playwright = sync_playwright().start()
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={self.voice}%noloop"]
        self._chromium = self._playwright.chromium.launch(executable_path=self._program, args=flags)

    def visit(self, platform: ServerProcess, *, key: str | None = "", **context: Any) -> Visit:
        """Open the console: with the platform's key, with this one, or (None) without any."""
        settings = {"locale": "en-US", "viewport": {"width": 1200, "height": 800}, **context}
        made = self._chromium.new_context(permissions=["clipboard-read", "clipboard-write"], **settings)
        made.set_default_timeout(SECONDS)
        made.add_init_script(WATCH)
        return Visit(made.new_page(), platform, platform.key if key == "" else key)


class Visit:
    """A tab with the console."""

    def __init__(self, page: Page, platform: ServerProcess, key: str | None) -> None:
        self.page = page
        self.platform = platform
        self.origin = platform.url.removesuffix("/api/v1")
        self.problems: list[str] = []
        self.requests: list[Request] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("request", self._see)
        self.open(key)

    def open(self, key: str | None) -> None:
        """Open the page anew, by a link with this key."""
        self.page.goto(self.origin + ("/" if key is None else f"/#key={key}"))
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    def go(self, name: str) -> None:
        """Go to a view by its link."""
        self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")

    def button(self, name: str) -> Locator:
        """The button that is seen under this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self, label: str) -> Locator:
        """The field of this label in the view that is seen; the other views are there, too, but hidden."""
        return self.page.get_by_label(label, exact=True).filter(visible=True)

    def python(self, label: str = "Show the Python") -> str:
        """The program that is shown when that is asked for."""
        summary = self.page.locator("summary:visible", has_text=re.compile(f"^{label}$")).first
        summary.click()
        shown = self.page.locator("details[open] > .code:visible code").first
        code = shown.text_content() or ""
        summary.click()
        return code

    def forgive(self, pattern: str) -> None:
        """Let pass what the browser says of an error that a test has asked for; there must be one."""
        rest = [problem for problem in self.problems if not re.search(pattern, problem)]
        assert len(rest) < len(self.problems), self.problems
        self.problems = rest

    def leave(self) -> list[str]:
        """Close it; everything that went wrong meanwhile."""
        violations = self.page.evaluate("window.violations")
        self.page.context.close()
        return [*self.problems, *violations]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _see(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((f"{self.origin}/", f"blob:{self.origin}/", "data:image/")):
            self.problems.append(f"it asked another host: {request.url}")
