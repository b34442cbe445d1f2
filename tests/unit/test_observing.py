"""What can be switched on, and what it costs where it is not: hooks, the log, OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from conftest import KEY
from faults.server import FaultServer, completed, reply

import nexusai


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
    )


def test_the_environment_switches_it_on(faults: FaultServer) -> None:
    """`NEXUS_LOG` prints to stderr; a level that is none is an error."""
    faults.plays(reply(200, {"tasks": []}))
    code = f"import nexusai; nexusai.NexusAIClient({KEY!r}, {faults.base_url!r}).tasks.list()"

    told = run(code, NEXUS_LOG="info").stderr
    assert "nexusai INFO GET" in told
    assert KEY not in told
    expected = "NEXUS_LOG: expected one of debug, info, warning, error, not 'loud'"
    assert expected in run(code, NEXUS_LOG="loud").stderr
    faults.plays(reply(200, {"tasks": []}))
    own = "import logging, sys; logging.basicConfig(stream=sys.stdout, level='WARNING');" + code
    done = run(own, NEXUS_LOG="info")
    assert done.stderr == "", "a program that logs already has a place for it"
    assert "INFO:nexusai:GET" in done.stdout


@pytest.mark.parametrize("kind", [nexusai.NexusAIClient, nexusai.AsyncNexusAIClient])
@pytest.mark.parametrize("name", ["on_request", "on_response"])
def test_hooks_are_plain_functions(kind: Any, name: str) -> None:
    """A coroutine function would never run, and what is none cannot."""

    async def late(_: Any) -> None:
        raise AssertionError("it never runs")

    for wrong in (late, "no function"):
        with pytest.raises(TypeError, match=f"{name}: expected a plain function"):
            kind(KEY, **{name: wrong})


def test_a_coroutine_function_in_disguise(
    faults: FaultServer, client: nexusai.NexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, and the call goes on."""

    async def late(_: Any) -> None:
        raise AssertionError("it never runs")

    def hook(info: Any) -> Any:
        return late(info)

    faults.plays(reply(200, completed()))
    assert client.with_options(on_request=hook).text.generate("hi").text == "hello"
    assert "A hook failed" in caplog.text
    assert "expected a plain function" in caplog.text


CALL = """
import sys
{before}
import nexusai
client = nexusai.NexusAIClient({key!r}, {url!r}, otel={otel})
client.text.generate("hi")
print("opentelemetry" in sys.modules, "nexusai._internal._telemetry" in sys.modules)
"""


@pytest.mark.parametrize(
    ("before", "otel", "loaded"),
    [
        ("", None, "False False"),
        ("", False, "False False"),
        ("", True, "True True"),
        ("import opentelemetry.trace", None, "True True"),
        ("import opentelemetry.trace", False, "True False"),
    ],
)
def test_opentelemetry_is_imported_only_where_it_is_used(
    faults: FaultServer, before: str, otel: object, loaded: str
) -> None:
    """By the program, or by this client's option."""
    faults.plays(reply(200, completed()))
    done = run(CALL.format(before=before, key=KEY, url=faults.base_url, otel=otel))
    assert done.stdout.strip() == loaded, done.stderr


ABSENT = """
import sys
sys.modules["opentelemetry"] = None if {otel} else sys  # as if it were not installed, or half of it
import nexusai
client = nexusai.NexusAIClient({key!r}, {url!r}, otel={otel})
print(client.text.generate("hi").text)
"""


def test_opentelemetry_is_not_there(faults: FaultServer) -> None:
    """Who asks for it is told what to install; who did not ask goes without."""
    faults.plays(reply(200, completed()))
    wanted = run(ABSENT.format(otel=True, key=KEY, url=faults.base_url))
    assert "ValueError: otel: " in wanted.stderr
    assert "pip install 'nexus-ai-sdk[otel]'" in wanted.stderr
    left_open = run(ABSENT.format(otel=None, key=KEY, url=faults.base_url))
    assert left_open.stdout.strip() == "hello", left_open.stderr
