"""How the console is served: its headers, its files, and under which names."""

from __future__ import annotations

import gzip
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Iterable, Iterator

import httpx
import pytest
from server.process import ServerProcess
from starlette.routing import BaseRoute, Mount, Route

import nexus_server
from nexus_server.app import create_app
from nexus_server.routes.console import assets, is_own_name
from nexus_server.settings import ServerSettings

FOLDER = Path(nexus_server.__file__).parent / "console"
MODULES = sorted(path for path in FOLDER.rglob("*.js"))


@pytest.fixture
def web(platform: ServerProcess) -> Iterator[httpx.Client]:
    """A browser's view: no key."""
    with httpx.Client(base_url=platform.url.removesuffix("/api/v1")) as client:
        yield client


def test_the_page_may_do_little(web: httpx.Client) -> None:
    """The policy names this origin only; nothing may frame it, and no text may become markup."""
    answer = web.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' blob: data:",
        "media-src": "'self' blob:",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_what_is_known_is_not_sent_again(web: httpx.Client) -> None:
    """Each file has a tag of its content, and comes compressed where that is understood."""
    for path in ("/", "/console/app.js", "/console/style.css", "/console/icon.svg"):
        answer = web.get(path)
        assert answer.headers["content-encoding"] == "gzip"
        plain = web.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
        again = web.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = web.head(path)
        assert (head.status_code, head.content) == (200, b"")


def test_no_page_names_another_host(web: httpx.Client) -> None:
    """No page of this origin loads a stranger's script: it could read the key that the console holds."""
    paths = {"/", "/docs", "/redoc", *_paths(create_app(ServerSettings()).routes)}
    answers = [web.get(path) for path in sorted(paths)]
    pages = [answer for answer in answers if answer.headers["content-type"].startswith("text/html")]
    assert [page.url.path for page in pages] == ["/"]
    for page in pages:
        assert not re.search(r"(https?:)?//[a-z0-9]", page.text), page.url


def _paths(routes: Iterable[BaseRoute], before: str = "") -> Iterator[str]:
    """The address of every route that takes no parameter, those of mounted applications too."""
    for route in routes:
        if isinstance(route, Mount):
            yield from _paths(route.routes, before + route.path)
        elif isinstance(route, Route) and "{" not in route.path and "GET" in (route.methods or ()):
            yield before + route.path


@pytest.mark.parametrize(
    "path", ["none.js", "../app.py", "%2e%2e/app.py", "vendor/README.md", "", "index.html/"]
)
def test_nothing_else_is_served(web: httpx.Client, path: str) -> None:
    """What is no file of the page is not there."""
    assert web.get(f"/console/{path}").status_code == 404


def test_a_name_that_leads_here_is_not_enough(web: httpx.Client) -> None:
    """A stranger's name cannot show the console as its own page: DNS rebinding."""
    for path in ("/", "/console/app.js"):
        answer = web.get(path, headers={"Host": "evil.example:8000"})
        assert answer.status_code == 421
        assert "public_url" in answer.text
        assert "evil.example" not in answer.text


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.168.1.7", True),
        ("localhost:8000", True),
        ("LOCALHOST", True),
        ("nexus.localhost:8000", True),
        ("ai.example.com", True),
        ("example.com", False),
        ("ai.example.com.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[", False),
    ],
)
def test_own_names(host: str, own: bool) -> None:
    """Addresses, localhost, and what the settings name."""
    settings = ServerSettings(public_url="https://ai.example.com")
    assert is_own_name(host, settings) is own


def test_every_module_is_announced_in_the_page() -> None:
    """So that the browser fetches them at once, and not one after the other."""
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    announced = re.findall(r'(?:modulepreload" href|src)="/console/([^"]+)"', page)
    assert sorted(announced) == [path.relative_to(FOLDER).as_posix() for path in MODULES]


def test_no_other_host_is_named() -> None:
    """Neither fetched nor linked to; names of XML are no addresses."""
    for name, asset in assets().items():
        text = asset.plain.decode().replace("http://www.w3.org/", "")
        text = text.replace("http://localhost:8000", "").replace("http://127.0.0.1:8000", "")
        assert not re.search(r"https?://[a-z0-9]", text), name
        assert not re.search(r"innerHTML|insertAdjacent|document\.write|\beval\(", text) or "vendor" in name


def test_it_is_light() -> None:
    """All of it, as it is and as it comes over the wire."""
    assert sum(len(asset.plain) for asset in assets().values()) < 150_000
    assert sum(len(gzip.compress(asset.plain)) for asset in assets().values()) < 50_000


def test_every_text_is_there_in_both_languages() -> None:
    """And each that is there is used."""
    words = (FOLDER / "words.js").read_text(encoding="utf-8")
    rows = re.findall(r'^  "([\w.]+)": \["(.+?)", "(.+?)"\],$', words, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^  ", words, re.MULTILINE)) == len({row[0] for row in rows})
    code = "".join(
        path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js") if path.name != "words.js"
    )
    made = re.findall(r"\bt\(`(\w+)\.\$", code)
    for name, english, chinese in rows:
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese))
        key = name.removesuffix(".one")
        assert f'"{key}"' in code or key.split(".")[0] in made, f"{name} is not used"
    for name in re.findall(r'\bt\("([^"]+)"', code):
        assert name in {row[0] for row in rows}


COMMAND = [sys.executable, "-m", "nexusai", "serve", "--port", "0"]


def test_serve_tells_a_terminal_the_link_with_the_key(tmp_path: Path) -> None:
    """It opens the console at once; the key stands behind the `#`."""
    environment = {
        **os.environ,
        "NEXUS_SERVER_DATA_DIR": str(tmp_path / "data"),
        "NEXUS_SERVER_LOCAL": "false",
    }
    ours, theirs = pty.openpty()
    with subprocess.Popen(COMMAND, stderr=theirs, stdout=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        said = ""
        while "#key=" not in said or not said.endswith("\n"):
            assert select.select([ours], [], [], 60)[0], said
            said += os.read(ours, 4096).decode()
        process.terminate()
    os.close(ours)
    key = (tmp_path / "data" / "api_key").read_text().strip()
    link = re.search(r"(http://127\.0\.0\.1:\d+/)#key=(\S+)", said)
    assert link is not None
    assert link[2] == key


def test_serve_tells_a_file_no_key(tmp_path: Path) -> None:
    """Only where the console is, and in which file the key."""
    environment = {
        **os.environ,
        "NEXUS_SERVER_DATA_DIR": str(tmp_path / "data"),
        "NEXUS_SERVER_LOCAL": "false",
    }
    with subprocess.Popen(COMMAND, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        process.terminate()
    assert any(re.fullmatch(r"Web console: http://127\.0\.0\.1:\d+/\n", line) for line in said)
    key = (tmp_path / "data" / "api_key").read_text().strip()
    assert key not in "".join(said)
