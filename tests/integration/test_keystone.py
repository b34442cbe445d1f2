"""`keystone-ai`, the platform's own older SDK, works against the local platform as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.contenders import Contender

if TYPE_CHECKING:
    from server.process import ServerProcess

TOUR = Path(__file__).with_name("keystone_tour.py")
DOCS = Path(__file__).resolve().parents[2] / "docs"
KEYSTONE = Contender("keystone-ai-0.2.3", "keystone-ai", "keystone-ai==0.2.3")


@pytest.fixture(scope="module")
def told(platform: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it said of its tour, run in an environment of its own: it, too, imports as `nexusai`."""
    KEYSTONE.prepare()
    command = [str(KEYSTONE.python), str(TOUR), platform.url, str(tmp_path_factory.mktemp("keystone"))]
    environment = {**os.environ, "NEXUS_API_KEY": platform.key}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_it_is_the_published_one(told: dict[str, Any]) -> None:
    """Unchanged, of this version."""
    assert told["version"] == "0.2.3"


def test_text(told: dict[str, Any]) -> None:
    """Whole, polled and streamed."""
    assert told["text"]["same"]
    assert told["text"]["chat"]
    assert told["text"]["usage"] == told["stream"]["usage"] > 0
    assert told["stream"]["text"] == told["text"]["text"] != ""


def test_errors(told: dict[str, Any]) -> None:
    """Each as the class that it knows."""
    assert told["errors"] == [True] * 4


def test_images(told: dict[str, Any]) -> None:
    """Of the ratio that was asked for, though the client always sends a size as well."""
    assert told["images"]["size"] == [1344, 756]
    assert told["images"]["url"].startswith("http")
    assert "猫 × 2" in told["images"]["prompt"]


def test_sessions(told: dict[str, Any]) -> None:
    """Made, asked, streamed, remembered, listed, deleted."""
    assert told["sessions"] == {
        "answer": True,
        "role": "assistant",
        "usage": True,
        "streamed": True,
        "roles": ["user", "assistant"] * 2,
        "listed": True,
        "name": "旅行",
    }


def test_files(told: dict[str, Any]) -> None:
    """With a name in Chinese."""
    expected = {"name": "报告.txt", "size": 9, "type": "text/plain", "listed": True, "deleted": 1}
    assert told["files"] == expected


def test_speech(told: dict[str, Any]) -> None:
    """Read aloud, and written down again."""
    assert told["speech"]["seconds"] > 1
    assert "library opens at" in told["speech"]["text"]
    assert (told["speech"]["language"], told["speech"]["parts"]) == ("en", 1)


def test_knowledge_bases(told: dict[str, Any]) -> None:
    """A document is taken in and found, by the default threshold."""
    knowledge = told["knowledge"]
    assert knowledge["documents"] == [["handbook.md", "completed"]]
    assert "twenty-five days" in knowledge["first"]
    assert 0.7 < knowledge["score"] <= 1
    assert (knowledge["listed"], knowledge["chunks"]) == (True, 1)


def test_embeddings(told: dict[str, Any]) -> None:
    """The model that it names by itself, and that nobody has here, stands for the platform's choice."""
    embeddings = told["embeddings"]
    assert (embeddings["dimensions"], embeddings["several"], embeddings["batch"]) == (384, 2, 3)
    assert embeddings["models"] == [["multilingual-e5-small-q4", 384]]
    assert embeddings["health"] == "healthy"


@pytest.mark.parametrize("page", ["migration_guide.md", "migration_guide.zh-CN.md"])
def test_what_the_migration_guide_shows_of_it(page: str, platform: ServerProcess) -> None:
    """Runs with it, as it stands."""
    KEYSTONE.prepare()
    text = (DOCS / page).read_text(encoding="utf-8")
    [code] = re.findall(r'^```python title="keystone-ai"\n(.*?)^```', text, re.DOTALL | re.MULTILINE)
    environment = {**os.environ, "NEXUS_API_KEY": platform.key, "NEXUS_BASE_URL": platform.url}
    command = [str(KEYSTONE.python), "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
