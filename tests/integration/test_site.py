"""The docs site: it builds without a fault, all is found in it, and it asks no other host for anything."""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
import subprocess
import sys
import zlib
from functools import cached_property
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import nexusai
from nexusai import error, models, testing, types, webhooks

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ["", "zh-CN/"]
MODULES = [error, models, types, webhooks, testing]
INHERITED = {"model_post_init"}  # pydantic makes one for each class
METHODS = (FunctionType, property, classmethod)
OTHER_HOST = re.compile(r"""url\(["']?(?:https?:)?//""")


class Page(HTMLParser):
    """What a page links to, what can be linked to in it, and what it makes a browser load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.names: set[str] = set()
        self.loads: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if "src" in given:
            self.loads.add(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loads.add(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does: a dead link within it fails that."""
    place = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, str(ROOT / "scripts" / "build_site.py"), str(place)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Every page, by its address on the site."""
    found = [path for path in site.rglob("*.html") if path.name != "404.html"]
    return {str(path.relative_to(site)): Page(path.read_text(encoding="utf-8")) for path in found}


def test_every_page_is_in_the_navigation_in_both_languages(pages: dict[str, Page]) -> None:
    names = {path.name.partition(".")[0] for path in ROOT.glob("docs/*.md")}
    assert "getting_started" in names
    for language in LANGUAGES:
        shown = pages[f"{language}index.html"].links
        assert not {name for name in names if f"./{name}/" not in shown}


def test_every_link_leads_to_a_page_and_to_a_name_on_it(pages: dict[str, Page], site: Path) -> None:
    dead = []
    for where, page in pages.items():
        for link in page.links:
            target = urlsplit(urljoin(f"https://site/{where}", link))
            if target.netloc != "site":
                continue
            path = unquote(target.path.lstrip("/"))
            path += "index.html" if not path or path.endswith("/") else ""
            known = pages[path].names if path in pages else None
            name = unquote(target.fragment)
            if not (site / path).is_file() or (name and known is not None and name not in known):
                dead.append((where, link))
    assert not dead


def test_a_page_leads_to_itself_in_the_other_language(pages: dict[str, Page]) -> None:
    for where, page in pages.items():
        if where.startswith("zh-CN/"):
            english = where.removeprefix("zh-CN/")
            address = english.removesuffix("index.html")
            assert f"https://site/{address}" in absolute(where, page)
            assert f"https://site/zh-CN/{address}" in absolute(english, pages[english])


def absolute(where: str, page: Page) -> set[str]:
    return {urljoin(f"https://site/{where}", link) for link in page.links}


def test_nothing_is_loaded_from_another_host(pages: dict[str, Page], site: Path) -> None:
    loaded = {urljoin("https://site/", each) for page in pages.values() for each in page.loads}
    assert {urlsplit(each).netloc for each in loaded} <= {"site", ""}  # "": what stands in a `data:`
    sheets = list(site.rglob("*.css"))
    assert sheets
    assert not [path for path in sheets if OTHER_HOST.search(path.read_text(encoding="utf-8"))]


def test_chinese_texts_are_in_the_index_of_the_search(site: Path) -> None:
    index = json.loads((site / "zh-CN" / "search.json").read_text(encoding="utf-8"))
    assert "zh" in index["config"]["lang"]
    assert any("知识库" in item["text"] for item in index["items"])


def public_names() -> dict[str, Any]:
    """Every public class, function and method of the SDK, by its name in the reference."""
    found: dict[str, Any] = {}
    client = nexusai.NexusAIClient("nxs_none")
    resources = [name for name, value in vars(type(client)).items() if isinstance(value, cached_property)]
    things = [getattr(nexusai, name) for name in nexusai.__all__]
    things += [type(getattr(client, name)) for name in resources]
    for module in [*MODULES, *resource_modules()]:
        things += [thing for name, thing in vars(module).items() if not name.startswith("_")]
    for thing in things:
        home = str(getattr(thing, "__module__", ""))
        if inspect.isclass(thing) and home.startswith("nexusai") and ".aio" not in home:
            found |= of_class(thing)
        elif inspect.isfunction(thing) and home in [module.__name__ for module in MODULES]:
            found[f"{home}.{thing.__name__}"] = thing
    client.close()
    return found


def resource_modules() -> list[Any]:
    import nexusai.resources as package

    names = [each.name for each in pkgutil.iter_modules(package.__path__)]
    return [import_module(f"{package.__name__}.{name}") for name in names]


def of_class(owner: type) -> dict[str, Any]:
    name = f"{owner.__module__}.{owner.__qualname__}"
    inner = "_internal" in name and owner not in shown_internals()
    if inner or owner.__name__.startswith("_") or "[" in name:  # of a generic class, made by pydantic
        return {}
    public = {each for each in vars(owner) if not each.startswith("_")} - INHERITED
    members = {each: vars(owner)[each] for each in public}
    methods = {each: value for each, value in members.items() if isinstance(value, METHODS)}
    return {name: owner, **{f"{name}.{each}": value for each, value in methods.items()}}


def shown_internals() -> set[type]:
    """Those that users hold in their hands."""
    from nexusai._internal._download import Download
    from nexusai._internal._streaming import TextStream

    return {TextStream, Download, nexusai.RequestInfo, nexusai.ResponseInfo}


def test_every_public_name_says_what_it_is_and_stands_in_the_reference(site: Path) -> None:
    names = public_names()
    assert len(names) > 150
    assert not {name for name, thing in names.items() if not inspect.getdoc(thing)}
    data = (site / "objects.inv").read_bytes()
    shown = zlib.decompress(data.split(b"\n", 4)[4]).decode()
    missing = names.keys() - {line.split(" ")[0] for line in shown.splitlines()}
    assert not missing
