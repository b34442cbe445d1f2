"""Build the docs site, in English and Chinese: `make docs`.

python scripts/build_site.py        into site/
python scripts/build_site.py DIR    into another directory

Every page of docs/, the READMEs, CONTRIBUTING.md and the like become pages; files of the repository that they
link to, such as examples, become pages too. `X.zh-CN.md` is the Chinese of `X.md`; where there is none, the
English one is shown. A link that leads nowhere, to a page or a heading, fails the build.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "docs" / "site"
TRANSLATED = ".zh-CN.md"

NAV = [
    ("Start", "入门", ["index", "getting_started", "faq", "console", "command_line", "examples"]),
    (
        "Resources",
        "资源",
        ["text", "images", "audio", "files", "sessions", "knowledge_bases", "embeddings", "tasks", "models"],
    ),
    (
        "Using it well",
        "用好它",
        [
            "streaming",
            "errors",
            "configuration",
            "async",
            "batches",
            "best_practices",
            "testing",
            "caching",
            "fallbacks",
            "transports",
            "concurrency",
            "observability",
        ],
    ),
    ("Platform", "平台", ["local_platform", "providers", "illustrator", "bad_input"]),
    ("Moving here", "迁移", ["migration_guide"]),
    ("Measured", "实测", ["performance", "reliability"]),
    ("API", "API", ["api_reference"]),
    ("The project", "项目", ["contributing", "versioning", "changelog", "security", "mutation"]),
]
"""Each page, by its name; what is in none of these comes under the last."""

OUTSIDE = {"README.md": "index.md", "examples/README.md": "examples.md"}
"""Pages that are not in docs/, where their names on the site are not their own in small letters."""

API = {
    "client": ("The client", ["client.NexusAIClient", "aio.client.AsyncNexusAIClient"]),
    "text": ("client.text", ["resources.text.TextResource", "_internal._streaming.TextStream"]),
    "images": ("client.images", ["resources.images.ImagesResource", "resources.images.Image"]),
    "audio": ("client.audio", ["resources.audio.AudioResource", "resources.audio.TTSResponse"]),
    "files": ("client.files", ["resources.files.FilesResource", "_internal._download.Download"]),
    "sessions": ("client.sessions", ["resources.sessions.SessionsResource", "resources.sessions.Session"]),
    "knowledge_bases": (
        "client.knowledge_bases",
        ["resources.knowledge_bases.KnowledgeBasesResource", "resources.knowledge_bases.AnswerStream"],
    ),
    "embeddings": ("client.embeddings", ["resources.embeddings.EmbeddingsResource"]),
    "batch": (
        "client.batch",
        ["resources.batch.BatchResource", "resources.batch.BatchItem", "resources.batch.Call"],
    ),
    "tasks": ("client.tasks", ["resources.tasks.TasksResource", "resources.tasks.TaskHandle"]),
    "models": ("client.models", ["resources.models.ModelsResource"]),
    "config": ("nexusai.config", ["config"]),
    "cache": ("nexusai.Cache", ["cache.Cache"]),
    "results": ("nexusai.models", ["models"]),
    "types": ("nexusai.types", ["types"]),
    "error": ("nexusai.error", ["error"]),
    "hooks": ("Hooks", ["_internal._observing.RequestInfo", "_internal._observing.ResponseInfo"]),
    "webhooks": ("nexusai.webhooks", ["webhooks"]),
    "testing": (
        "nexusai.testing",
        [
            "testing._platform.Platform",
            "testing._recording.Recording",
            "testing._calls.Call",
            "testing._script.UnexpectedCallError",
            "testing._wire.VirtualClock",
        ],
    ),
}
"""The pages of the API reference: title, and what is shown there, below `nexusai`."""

WHOLE = {f"#{re.sub(r'[^a-z_]', '', title.lower())}": f"api/{name}.md" for name, (title, _) in API.items()}
"""For the headings of docs/api_reference.md, which has only first lines, the pages that have the rest."""

WORDS = {
    "en": {
        "language": "en",
        "english": "./",
        "chinese": "./zh-CN/",
        "description": "The Python SDK of Nexus AI, and the platform on your own machine",
        "to_light": "Switch to light mode",
        "to_dark": "Switch to dark mode",
        "to_system": "Follow the system",
    },
    "zh-CN": {
        "language": "zh",
        "english": "../",
        "chinese": "./",
        "description": "Nexus AI 的 Python SDK，以及本机平台",
        "to_light": "切换到浅色",
        "to_dark": "切换到深色",
        "to_system": "跟随系统",
    },
}
ENGLISH_ONLY = "\n\n> 这一页只有英文。\n"
LINK = re.compile(r"(\]\()([^)\s#]*)(#[^)\s]*)?(\))")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
BROKEN_CHINESE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])")
"""A line's end within a sentence, which a browser would show as a space."""

OTHER_LANGUAGE = re.compile(r"^\[(?:English|简体中文)\]\([^)]*\)(?: · )?", re.MULTILINE)
LANGUAGES = {".py": "python", ".toml": "toml", ".ipynb": "json", ".yml": "yaml", ".json": "json"}


def main() -> None:
    site = Path(sys.argv[1] if sys.argv[1:] else ROOT / "site").resolve()
    work = site.with_name(f".{site.name}-source")
    shutil.rmtree(site, ignore_errors=True)
    try:
        for language in WORDS:
            build(language, work / language, site / ("" if language == "en" else language))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def build(language: str, work: Path, site: Path) -> None:
    """Write one language's pages into `work`, and what becomes of them into `site`."""
    tree = Tree(language, work / "docs")
    tree.write()
    values = {
        **WORDS[language],
        "nav": json.dumps(tree.navigation(), ensure_ascii=False, separators=(", ", " = ")),
        "overrides": str(SITE / "overrides"),
        "root": str(ROOT),
    }
    filled = Template((SITE / "zensical.toml").read_text(encoding="utf-8")).substitute(values)
    config = work / "zensical.toml"
    config.write_text(filled, encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(config)]
    done = subprocess.run(command, cwd=work, check=False, capture_output=True, encoding="utf-8")
    if done.returncode != 0:
        told = (done.stdout + done.stderr).partition("Traceback")[0]
        sys.exit(f"The docs in {language} have faults:\n{told}")
    shutil.copytree(work / "site", site, dirs_exist_ok=True)


class Tree:
    """The pages of one language, as the site's builder wants them."""

    def __init__(self, language: str, place: Path) -> None:
        self.language = language
        self.place = place
        self.pages = {path: where for path in pages() for where in [destination(path)]}
        self.others: dict[Path, str] = {}

    def write(self) -> None:
        (self.place / "assets").mkdir(parents=True)
        shutil.copy(SITE / "site.css", self.place / "assets")
        for path, where in self.pages.items():
            self._put(where, self._page(path))
        for name, (title, things) in API.items():
            shown = "\n\n".join(map(directive, things))
            self._put(f"api/{name}.md", f"# {title}\n\n{shown}\n")
        done: set[Path] = set()
        while todo := self.others.keys() - done:
            for path in sorted(todo):
                self._put(self.others[path], self._other(path))
            done |= todo

    def navigation(self) -> list[dict[str, list[object]]]:
        left = {where.removesuffix(".md") for where in self.pages.values()}
        sections = []
        for english, chinese, names in NAV:
            found: list[object] = [f"{name}.md" for name in names if name in left]
            left -= set(names)
            if "api_reference" in names:
                found += [f"api/{name}.md" for name in API]
            if found:
                sections.append({english if self.language == "en" else chinese: found})
        [rest] = sections[-1].values()
        rest += sorted(f"{name}.md" for name in left)
        return sections

    def _page(self, path: Path) -> str:
        source = path if self.language == "en" or not translated(path).exists() else translated(path)
        text = OTHER_LANGUAGE.sub("", source.read_text(encoding="utf-8"), count=1)
        if self.language != "en" and not CHINESE.search(text):
            text = re.sub(r"(\A# .*$)", rf"\1{ENGLISH_ONLY}", text, count=1, flags=re.MULTILINE)
        pieces = FENCE.split(text)
        return "".join(
            piece
            if piece.startswith("```")
            else LINK.sub(
                lambda link: self._link(link, source, self.pages[path]), BROKEN_CHINESE.sub("", piece)
            )
            for piece in pieces
        )

    def _link(self, link: re.Match[str], source: Path, where: str) -> str:
        before, target, heading, after = link.groups()
        if not target or re.match(r"[a-z]+:", target):
            return link[0]
        path = (source.parent / target).resolve()
        path = path.with_name(path.name.replace(TRANSLATED, ".md"))
        if not path.exists() or not path.is_relative_to(ROOT):
            sys.exit(f"{source.relative_to(ROOT)}: {target} leads nowhere")
        if self.language != "en" and not source.name.endswith(TRANSLATED) and translated(path).exists():
            heading = None  # it has another name there
        found = self._where(path) + (heading or "")
        if path.name == "api_reference.md":
            found = WHOLE.get(heading or "", found)
        return f"{before}{os.path.relpath(found, Path(where).parent)}{after}"

    def _where(self, path: Path) -> str:
        """Where it is on the site; what is no page yet becomes one."""
        path = path / "README.md" if (path / "README.md") in self.pages else path
        if path in self.pages:
            return self.pages[path]
        inside = path.relative_to(ROOT)
        if path.suffix in (".png", ".jpg", ".svg", ".gif", ".webp"):
            copy = self.place / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
            return str(inside)
        return self.others.setdefault(path, f"source/{str(inside).lstrip('.')}.md")

    def _other(self, path: Path) -> str:
        """A file of the repository, or what a directory holds, as a page."""
        inside = path.relative_to(ROOT)
        if path.is_file():
            text = path.read_text(encoding="utf-8").replace("```", "``\N{ZERO WIDTH SPACE}`")
            return f"# {inside}\n\n```{LANGUAGES.get(path.suffix, 'text')}\n{text}\n```\n"
        lines = [f"# {inside}", ""]
        for file in sorted(path.rglob("*.py")):
            first = re.match(r'"""(.*?)(?:"""|\n\n)', file.read_text(encoding="utf-8"), re.DOTALL)
            link = os.path.relpath(self._where(file), Path(self.others[path]).parent)
            told = " ".join(first[1].split()) if first else ""
            lines.append(f"- [{file.relative_to(path)}]({link}): {told}")
        return "\n".join(lines) + "\n"

    def _put(self, where: str, text: str) -> None:
        path = self.place / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def directive(thing: str) -> str:
    """Has its docstrings shown; of a client how it is made, too, and of models their fields."""
    option = {"models": "show_if_no_docstring", "types": "show_if_no_docstring"}.get(thing)
    option = "merge_init_into_class" if thing.endswith("Client") else option
    more = f"\n    options:\n      {option}: true" if option else ""
    return f"::: nexusai.{thing}{more}"


def pages() -> list[Path]:
    """The English ones."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
    return sorted(path for path in found if not path.name.endswith(TRANSLATED))


def translated(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".md") + TRANSLATED)


def destination(path: Path) -> str:
    inside = path.relative_to(ROOT)
    return path.name if inside.parts[0] == "docs" else OUTSIDE.get(str(inside), path.name.lower())


if __name__ == "__main__":
    main()
