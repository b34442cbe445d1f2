"""What can be switched on, and what it costs where it is not: hooks, the log, OpenTelemetry."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Iterator, List, Tuple

import pytest
from conftest import KEY
from faults.server import DONE, FaultServer, completed, delta, reply, stream

import nexusai
from nexusai import error as errors
from nexusai._internal._observing import Observer, RequestInfo, ResponseInfo
from nexusai._internal._transport import parse_url


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


@contextmanager
def bare_log() -> Iterator[logging.Logger]:
    """Our logger in a program that has set up nothing: pytest has, anew for each phase of a test."""
    root, ours = logging.getLogger(), logging.getLogger("nexusai")
    before = root.handlers[:], ours.handlers[:], ours.level
    root.handlers.clear()
    try:
        yield ours
    finally:
        root.handlers[:], ours.handlers[:] = before[:2]
        ours.setLevel(before[2])


def test_the_log_is_printed_once(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many clients there are, and in whatever case the level is written."""
    monkeypatch.setenv("NEXUS_LOG", "Info")
    faults.plays(reply(200, {"tasks": []}))
    with bare_log(), nexusai.NexusAIClient(KEY, faults.base_url) as client:
        client.with_options(timeout=3).tasks.list()
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} nexusai INFO GET http", line)


def test_a_program_that_logs_already_has_a_place_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told more, and in no second place. Without the variable it keeps its own level."""
    with bare_log() as ours:
        logging.getLogger().addHandler(logging.NullHandler())
        before = ours.handlers[:]
        ours.setLevel(logging.ERROR)
        nexusai.NexusAIClient(KEY)
        assert ours.level == logging.ERROR
        for level in ("debug", "info", "warning", "error"):
            monkeypatch.setenv("NEXUS_LOG", level)
            nexusai.NexusAIClient(KEY)
            assert logging.getLevelName(ours.level) == level.upper()
        assert ours.handlers == before
        monkeypatch.setenv("NEXUS_LOG", "loud")
        told = "^NEXUS_LOG: expected one of debug, info, warning, error, not 'loud'$"
        with pytest.raises(ValueError, match=told):
            nexusai.NexusAIClient(KEY)


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


POST = SimpleNamespace(method="POST", url=parse_url(f"http://x/a/{KEY}/b?sig={KEY}"))
WHERE = "POST http://x/a/***/b"


def told(caplog: pytest.LogCaptureFixture) -> List[Tuple[str, str]]:
    """What the log holds, with `N` for times that are not known before."""
    return [
        (record.levelname, re.sub(r"\b0\.\d{3} s", "N s", record.getMessage())) for record in caplog.records
    ]


def failure(kind: Any, status: Any = None, **facts: Any) -> errors.APIError:
    made: errors.APIError = kind(f"no {KEY}\nhere", status, **facts)
    return made


@pytest.mark.parametrize(
    ("error", "delay", "line"),
    [
        (failure(errors.NetworkError), None, "NetworkError: no *** here; given up"),
        (failure(errors.NetworkError), 0.25, "NetworkError: no *** here; again in 0.2 s"),
        (failure(errors.ServerError, 503), 2.0, "ServerError (503); again in 2.0 s"),
        (
            failure(errors.RateLimitError, 429, error_code="SLOW" * 50, request_id="req_1"),
            None,
            f"RateLimitError (429, {'SLOW' * 25}, request id req_1); given up",
        ),
    ],
)
def test_a_failed_attempt_in_the_log(
    caplog: pytest.LogCaptureFixture, error: errors.APIError, delay: Any, line: str
) -> None:
    """On one line, without the key, and without the words of an answer: they may quote what was sent."""
    caplog.set_level(logging.DEBUG, logger="nexusai")
    seen: List[ResponseInfo] = []
    attempt = Observer(None, seen.append, KEY, None).begin(POST, 2)
    assert attempt is not None
    attempt.failed(error, delay)
    assert told(caplog) == [
        ("DEBUG", f"{WHERE}, attempt 2"),
        ("INFO", f"{WHERE}, attempt 2, after N s: {line}"),
    ]
    (info,) = seen
    assert info.request == RequestInfo("POST", "http://x/a/***/b", 2)
    assert (info.status_code, info.request_id, info.error) == (error.status_code, error.request_id, error)
    assert 0 <= info.seconds < 5


def test_an_answer_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the request id to quote, however it was made."""
    caplog.set_level(logging.INFO, logger="nexusai")
    seen: List[Any] = []
    attempt = Observer(seen.append, seen.append, KEY, None).begin(POST, 1)
    assert attempt is not None
    attempt.answered(200, f"req\r\n{KEY}")
    assert told(caplog) == [("INFO", f"{WHERE}: 200 in N s, request id req  ***")]
    request, info = seen
    assert request == RequestInfo("POST", "http://x/a/***/b", 1)
    assert (info.request, info.status_code, info.request_id) == (request, 200, f"req\r\n{KEY}")
    assert info.error is None
    assert 0 <= info.seconds < 5


def test_a_stream_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """How it went on and how it ended, with how much had come."""
    caplog.set_level(logging.INFO, logger="nexusai")
    watch = Observer(None, None, KEY, None).stream(POST)
    with watch.active():
        watch.came()
        watch.resumed(failure(errors.NetworkError))
        watch.came()
    watch.ended("read", None, {"text": "你好\ud800"}, None)
    assert told(caplog) == [
        ("INFO", f"{WHERE}: the stream broke off, and is taken up again"),
        ("INFO", f"{WHERE}: the stream was read after N s, 2 chunks and 7 bytes of text, request id None"),
    ]


def test_nobody_wants_to_know(caplog: pytest.LogCaptureFixture) -> None:
    """Then nothing is made for it."""
    caplog.set_level(logging.WARNING, logger="nexusai")
    silent = Observer(None, None, KEY, None)
    assert silent.begin(POST, 1) is None
    assert not silent.watches_streams
    assert Observer(print, None, KEY, None).begin(POST, 1) is not None
    assert Observer(None, print, KEY, None).begin(POST, 1) is not None
    caplog.set_level(logging.INFO, logger="nexusai")
    assert silent.begin(POST, 1) is not None
    assert silent.watches_streams


def test_what_is_said_about_hooks() -> None:
    """Which it was, what it is, and what to do instead."""
    with pytest.raises(TypeError) as caught:
        Observer(7, None, KEY, None)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "on_request: expected a plain function, not 7. It is called in the middle of a call and only "
        "watches: what takes time goes to a queue or a task of its own."
    )
    with pytest.raises(TypeError, match="^on_response: "):
        Observer(None, 7, KEY, None)  # type: ignore[arg-type]


def test_what_is_neither_on_nor_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, as every setting's value."""
    monkeypatch.setenv("NEXUS_OTEL", "maybe")
    with pytest.raises(ValueError, match="NEXUS_OTEL: expected true or false, not 'maybe'"):
        nexusai.NexusAIClient(KEY)
    with pytest.raises(ValueError, match="otel: expected true or false, not 'perhaps'"):
        nexusai.NexusAIClient(KEY, otel="perhaps")  # type: ignore[arg-type]


UNSET = """
import sys
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
import nexusai
client = nexusai.NexusAIClient({key!r}, {url!r})
with use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))):
    print(client.text.generate("hi").text)
    print(client.text.stream("hi").read().text)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
client.text.generate("hi")
print([span.name for span in kept.get_finished_spans()])
"""


def test_a_program_that_keeps_no_spans(faults: FaultServer) -> None:
    """Its trace is passed on all the same; providers that it sets later are told of what follows."""
    faults.plays(reply(200, completed()), stream(delta("a"), DONE), reply(200, completed()))
    done = run(UNSET.format(key=KEY, url=faults.base_url))
    assert done.stdout.splitlines() == ["hello", "a", "['chat']"], done.stderr
    passed_on = f"00-{1:032x}-{2:016x}-01"
    assert [seen.headers["traceparent"] for seen in faults.requests[:2]] == [passed_on] * 2
