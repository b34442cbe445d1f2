"""The fixtures of pytest: loaded by it wherever the SDK is installed, so nothing heavy is imported here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import pytest

if TYPE_CHECKING:
    from nexusai.testing import Platform, Recording

_MODES = ("replay", "record", "auto")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--nexus-record`."""
    parser.getgroup("nexusai", "Nexus AI").addoption(
        "--nexus-record",
        choices=_MODES,
        default=None,
        help="what recordings do: replay (by default), record anew, or auto: record what is missing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "nexus_recording(path, mode): the file that the fixture uses, beside the test, and how it does",
    )


@pytest.fixture
def nexus_platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A scripted platform: every client that the test makes or finds speaks with it.

    A call that its script had no answer to fails the test, even where the program has swallowed the error.
    """
    from nexusai.testing import Platform
    from nexusai.testing._wire import TEST_KEY

    monkeypatch.setenv("NEXUS_API_KEY", TEST_KEY)
    platform = Platform()
    with platform.installed():
        yield platform
    platform.assert_nothing_unexpected()


@pytest.fixture
def nexus_recording(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """A recorded platform: what a real one has once answered, in a file beside the test.

    The file is `recordings/<module>/<test>.json`, or the one that the marker `nexus_recording` names. It is
    written with `pytest --nexus-record=record`.
    """
    from nexusai.testing import Recording
    from nexusai.testing._wire import TEST_KEY

    marker = request.node.get_closest_marker("nexus_recording")
    given = dict(zip(("path", "mode"), marker.args), **marker.kwargs) if marker is not None else {}
    module = Path(request.path)
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    path = module.parent / given.get("path", Path("recordings", module.stem, f"{name}.json"))
    mode = request.config.getoption("--nexus-record") or given.get("mode", "replay")
    if mode == "replay" and "NEXUS_API_KEY" not in os.environ:
        monkeypatch.setenv("NEXUS_API_KEY", TEST_KEY)
    with Recording(path, mode) as recording, recording.installed():
        yield recording
