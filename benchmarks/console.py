"""`python -m benchmarks.console`: the web console's weight and its first moments; writes docs/console*.md.

Each visit is a new profile of the browser, so that nothing is known; then the page is loaded again.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from browser import FLAGS, find  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from server.process import ServerProcess  # noqa: E402

VISITS = 15
PAGES = {
    "docs/console.md": [
        "| first visit, {visits} times | median | goal |",
        "| --- | --: | --: |",
        "| on the wire | {wire:.1f} kB in {requests:.0f} requests | 150 kB |",
        "| as files | {decoded:.1f} kB | 150 kB |",
        "| interactive: built, and answers to keys | {ready:.0f} ms, at most {ready_max:.0f} ms | 300 ms |",
        "| first contentful paint | {paint:.0f} ms | |",
        "| layout shift | {shift:.3f} | |",
        "| loaded again: on the wire, interactive | {again_wire:.1f} kB, {again_ready:.0f} ms | |",
    ],
    "docs/console.zh-CN.md": [
        "| 首次访问，共 {visits} 次 | 中位数 | 目标 |",
        "| --- | --: | --: |",
        "| 传输大小 | {wire:.1f} kB，{requests:.0f} 个请求 | 150 kB |",
        "| 文件大小 | {decoded:.1f} kB | 150 kB |",
        "| 可交互（页面已建好，能响应按键） | {ready:.0f} 毫秒，最长 {ready_max:.0f} 毫秒 | 300 毫秒 |",
        "| 首次内容绘制 | {paint:.0f} 毫秒 | |",
        "| 布局偏移 | {shift:.3f} | |",
        "| 再次加载：传输大小、可交互 | {again_wire:.1f} kB，{again_ready:.0f} 毫秒 | |",
    ],
}
WATCH = """
window.shift = 0;
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
# The page marks when it is built and listens; the first contentful paint is when a person sees it.
FIGURES = """() => new Promise(done => requestAnimationFrame(() => setTimeout(() => {
  const drawn = performance.now();
  const files = ["navigation", "resource"].flatMap(type => performance.getEntriesByType(type));
  const own = files.filter(file => !file.name.includes("/api/"));
  const sum = name => own.reduce((total, file) => total + file[name], 0) / 1000;
  done({
    wire: sum("transferSize"), decoded: sum("decodedBodySize"), requests: own.length,
    ready: performance.getEntriesByName("nexus-ready")[0].startTime,
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? drawn,
    shift: window.shift,
  });
}, 50)))"""


def main() -> None:
    program = find()
    if program is None:
        sys.exit("There is no Chromium here: python scripts/browser.py installs one.")
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        server = stack.enter_context(ServerProcess(Path(place) / "data"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        visits = [visit(browser, server) for _ in range(VISITS)]
        browser.close()
    figures = {name: statistics.median(each[name] for each in visits) for name in visits[0]}
    figures["ready_max"] = max(each["ready"] for each in visits)
    for page, rows in PAGES.items():
        table = "\n".join(rows).format(visits=VISITS, **figures)
        print(table, end="\n\n")
        write(ROOT / page, table)


def visit(browser: Browser, server: ServerProcess) -> dict[str, float]:
    """The figures of a first visit, and of the same page loaded again."""
    context = browser.new_context(locale="en-US")
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(f"{server.url.removesuffix('/api/v1')}/#key={server.key}")
    first = figures_of(page)
    page.reload()
    again = figures_of(page)
    context.close()
    return {**first, "again_wire": again["wire"], "again_ready": again["ready"]}


def figures_of(page: Page) -> dict[str, Any]:
    page.get_by_role("heading", level=1).wait_for()
    figures: dict[str, Any] = page.evaluate(FIGURES)
    return figures


def write(page: Path, table: str) -> None:
    text = page.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
    page.write_text(marked.sub(lambda marks: f"{marks[1]}\n{table}\n\n{marks[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
