"""The pytest plugin, in a pytest of its own: what users have by installing the SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from faults.server import FaultServer, completed, reply

pytest_plugins = ["pytester"]
ISOLATED = ["-p", "no:cacheprovider"]
PROGRAM = """
import nexusai

client = nexusai.NexusAIClient("nxs_real", "http://127.0.0.1:9/api/v1")

def greet(name):
    return client.text.generate(f"Greet {name}.").text

def careless(name):
    try:
        return nexusai.text.generate(f"Greet {name}.").text
    except BaseException:
        return "?"
"""


@pytest.fixture(name="inner")
def _inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with a program that is to be tested."""
    pytester.makepyfile(program=PROGRAM)
    return pytester


def test_pytest_finds_it_by_itself() -> None:
    """It is an entry point."""
    found = entry_points()
    points = found.select(group="pytest11") if hasattr(found, "select") else found["pytest11"]
    assert "nexusai.testing.plugin" in [point.value for point in points]


def test_the_scripted_platform(inner: pytest.Pytester) -> None:
    """Each test has its own, and whatever client the program has speaks with it."""
    inner.makepyfile(
        """
        import os
        import nexusai
        import program

        def test_a_client_of_the_program(nexus_platform):
            nexus_platform.text("Hello, Ada.")
            assert program.greet("Ada") == "Hello, Ada."
            nexus_platform.assert_called(prompt="Greet Ada.")

        def test_the_default_client(nexus_platform):
            assert nexus_platform.calls == []
            assert nexusai.text.generate("hi").text == "An answer to: hi"
            assert os.environ["NEXUS_API_KEY"] == "nxs_test"

        def test_afterwards_it_is_gone():
            import pytest
            assert "NEXUS_API_KEY" not in os.environ
            with pytest.raises(nexusai.AuthenticationError):
                nexusai.text.generate("hi")
        """
    )
    inner.runpytest_subprocess(*ISOLATED).assert_outcomes(passed=3)


def test_an_unexpected_call_fails_the_test(inner: pytest.Pytester) -> None:
    """Even where the program has swallowed it, and then as an error of the fixture."""
    inner.makepyfile(
        """
        import program

        def test_told_at_once(nexus_platform):
            nexus_platform.text("Hello, Bob.", prompt="Greet Bob.")
            program.greet("Ada")

        def test_swallowed(nexus_platform):
            nexus_platform.text("Hello, Bob.", prompt="Greet Bob.")
            assert program.careless("Ada") == "?"
        """
    )
    result = inner.runpytest_subprocess(*ISOLATED)
    result.assert_outcomes(failed=1, passed=1, errors=2)  # each is told once more at its end
    result.stdout.fnmatch_lines(["*has no answer to POST /invoke*prompt 'Greet Ada.'*"])


def test_recorded_once_and_replayed(
    inner: pytest.Pytester, faults: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is beside the test, and the second run needs no network."""
    inner.makepyfile(
        test_rivers="""
        import nexusai
        import pytest

        def test_a_river(nexus_recording):
            assert nexusai.text.generate("Name a river.").text == "The Yangtze."

        @pytest.mark.nexus_recording("shared.json", mode="replay")
        def test_named(nexus_recording):
            assert nexusai.text.generate("Name a river.").text == "The Yangtze."
        """
    )
    monkeypatch.setenv("NEXUS_BASE_URL", faults.base_url)
    monkeypatch.setenv("NEXUS_API_KEY", "nxs_secret")
    faults.plays(reply(200, completed("The Yangtze.")), reply(200, completed("The Yangtze.")))
    inner.runpytest_subprocess(*ISOLATED, "--nexus-record=record").assert_outcomes(passed=2)
    file = inner.path / "recordings" / "test_rivers" / "test_a_river.json"
    told = file.read_text(encoding="utf-8")
    assert json.loads(told)["calls"][0]["response"]["json"]["output"]["text"] == "The Yangtze."
    assert "nxs_secret" not in told
    assert (inner.path / "shared.json").exists()
    monkeypatch.delenv("NEXUS_API_KEY")
    faults.stop()
    inner.runpytest_subprocess(*ISOLATED).assert_outcomes(passed=2)
    file.unlink()
    result = inner.runpytest_subprocess(*ISOLATED)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*there is no recording yet*--nexus-record=record*"])


def test_whoever_does_not_use_it_pays_nothing(inner: pytest.Pytester) -> None:
    """Neither the SDK's own modules nor what they stand on are loaded."""
    inner.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            heavy = {"httpx", "httpcore", "pydantic", "anyio._core", "nexusai.models", "nexusai.client"}
            assert not heavy & set(sys.modules)
            assert {name for name in sys.modules if name.startswith("nexusai.")} <= {
                "nexusai.__version__",
                "nexusai.config",
                "nexusai.constants",
                "nexusai.testing",
                "nexusai.testing.plugin",
            }
        """
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "nexusai.testing.plugin", *ISOLATED]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # others' plugins load what they like
    done = subprocess.run(command, cwd=inner.path, capture_output=True, text=True, check=False, env=alone)
    assert done.returncode == 0, done.stdout
