"""Hooks and the log: what goes over the wire, told to whoever wants to know."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any, List

import pytest
from conftest import KEY
from faults.server import FaultServer, completed, reply

import nexusai
from nexusai import error as errors

pytestmark = pytest.mark.anyio


async def test_hooks_are_told_each_attempt(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient
) -> None:
    """Before it is made, and what it came to."""
    faults.plays(reply(503, {}, retry_after="0"), reply(200, completed(), x_request_id="req_1"))
    requests: List[Any] = []
    responses: List[Any] = []
    watched = async_client.with_options(on_request=requests.append, on_response=responses.append)
    await watched.text.generate("hi")
    url = f"{faults.base_url}/invoke"
    assert requests == [("POST", url, 1), ("POST", url, 2)]
    assert [(each.request.attempt, each.status_code, each.request_id) for each in responses] == [
        (1, 503, None),
        (2, 200, "req_1"),
    ]
    assert isinstance(responses[0].error, errors.ServerError)
    assert all(each.seconds > 0 for each in responses)


async def test_a_hook_that_fails_breaks_nothing(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log."""

    def broken(_: Any) -> None:
        raise RuntimeError("the hook is broken")

    faults.plays(reply(200, completed()))
    watched = async_client.with_options(on_request=broken, on_response=broken)
    assert (await watched.text.generate("hi")).text == "hello"
    assert caplog.text.count("A hook failed") == 2


async def test_the_log(
    faults: FaultServer, async_client: nexusai.AsyncNexusAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt and what it came to; no key, no body, no query."""
    caplog.set_level(logging.DEBUG, logger="nexusai")
    page = {"tasks": [], "secret": "s3cret"}
    faults.plays(reply(503, {"detail": "busy"}, retry_after="0"), reply(200, page))
    await async_client.tasks.list(status="completed")
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "nexusai"]
    assert [level for level, _ in told] == ["DEBUG", "INFO", "DEBUG", "INFO"]
    assert "attempt 1: busy" in told[1][1]
    assert "again in 0.0 s" in told[1][1]
    assert "/tasks: 200 in" in told[3][1]
    assert not any(word in caplog.text for word in (KEY, "s3cret", "status=completed"))


def test_the_environment_switches_it_on(faults: FaultServer) -> None:
    """`NEXUS_LOG` prints to stderr; a level that is none is an error."""
    faults.plays(reply(200, {"tasks": []}))
    code = f"import nexusai; nexusai.NexusAIClient({KEY!r}, {faults.base_url!r}).tasks.list()"

    def run(level: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        environment = {"NEXUS_LOG": level, "PATH": ""}
        return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)

    told = run("info").stderr
    assert "nexusai INFO GET" in told
    assert KEY not in told
    assert "NEXUS_LOG: expected one of debug, info, warning, error, not 'loud'" in run("loud").stderr
