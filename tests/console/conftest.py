"""A real browser on the real platform. Whatever it complains of fails the test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

import pytest

if sys.version_info < (3, 11):  # the platform needs it
    collect_ignore_glob = ["test_*.py"]

if TYPE_CHECKING:
    from console.visiting import Browser, Visit
    from server.process import ServerProcess

sys.path.append(str(Path(__file__).parents[2] / "scripts"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, driven from a thread of its own."""
    pytest.importorskip("playwright", reason="it drives the browser, and is not installed here")
    from browser import find

    program = find()
    if program is None:
        pytest.skip("there is no Chromium here: python scripts/browser.py installs one")
    from console.visiting import Browser

    with Browser(program, tmp_path_factory.mktemp("browser") / "voice.wav") as running:
        yield running


@pytest.fixture
def visit(browser: Browser, platform: ServerProcess) -> Iterator[Visit]:
    """The console, opened with the platform's key."""
    opened = browser.call(browser.visit, platform)
    yield opened
    assert browser.call(opened.leave) == []


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Tests that look at the browser run in its thread: Playwright keeps an event loop running there."""
    used = pyfuncitem.funcargs.get("browser")
    if used is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    used.call(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True
