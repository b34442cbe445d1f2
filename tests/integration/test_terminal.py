"""The recording of the terminal in the READMEs, and what draws it."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_terminal", ROOT / "scripts" / "record_terminal.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_the_picture_stands_alone() -> None:
    """Small, whole, without a request to anybody, and with nothing of the machine where it was made."""
    text = PICTURE.read_text(encoding="utf-8")
    assert len(text.encode()) < 150_000
    shown = "".join(each.text or "" for each in ElementTree.fromstring(text).iter(f"{SVG}text"))
    assert "nexusaikbask" in shown  # it is typed letter by letter
    assert "数据库" in shown
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|/tmp/|nxs_", text)
    assert str(Path.home()) not in text


def test_a_terminal_wraps_and_draws_again(recorder: ModuleType) -> None:
    """Chinese characters take two cells, and what a bar has drawn is gone when it has been removed."""
    screen = recorder.Screen()
    screen.feed("中" * (recorder.COLUMNS // 2) + "x")
    assert [len(screen.rows[row]) for row in (0, 1)] == [recorder.COLUMNS // 2, 1]
    screen.feed("\r\n\x1b[32mbar\x1b[0m\r\x1b[2K\x1b[1A\x1b[2Kdone")
    assert screen.rows[1] == [(character, "") for character in "done"]
    assert screen.rows[2] == []


def test_what_is_replaced_ends(recorder: ModuleType) -> None:
    """A row that goes on gets a piece more; one that changes loses those it had."""
    recording = recorder.Recording()
    recording._feed("ab")
    recording.now = 1.0
    recording._feed("c")
    recording.now = 2.0
    recording._feed("\r\x1b[2Kz")
    seen = [("".join(each for each, _ in piece.cells), piece.begin, piece.end) for piece in recording.pieces]
    assert seen == [("ab", 0.5, 2.0), ("c", 1.0, 2.0), ("z", 2.0, None)]
