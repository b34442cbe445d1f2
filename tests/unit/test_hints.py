"""What to do about an error, where there is something to do."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from nexusai._internal import _hints

PAGE = {"detail": "Not Found"}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {}, "Check the key: `api_key=`, `nexusai.config.api_key` or NEXUS_API_KEY."),
        (403, {}, "The key is known, but may not do this"),
        (404, PAGE, "There may be no such page at all: check `base_url`, which mostly ends in /api/v1."),
        (404, None, "There may be no such page at all"),
        (404, {"detail": "There is no task t."}, None),
        (400, PAGE, None),
        (413, {}, "Send less at once, or upload it as a file"),
        (429, {}, "Make fewer calls at once"),
        (500, None, "It may pass"),
        (503, {}, "It may pass"),
        (501, None, None),
    ],
)
def test_an_answer(status: int, body: Any, words: Optional[str]) -> None:
    """By its status; that nothing has this name needs no advice, a wrong address does."""
    hint = _hints.for_status(status, body)
    assert hint is None if words is None else (hint or "").startswith(words)


@pytest.mark.parametrize(
    ("host", "told", "words"),
    [
        ("localhost", "[Errno 111] Connection Refused", "Is the platform running? `nexusai serve` starts it"),
        ("127.0.0.1", "connection refused", "Is the platform running?"),
        ("::1", "connection refused", "Is the platform running?"),
        ("x.example", "connection refused", "Nothing listens there: check `base_url` (NEXUS_BASE_URL)."),
        ("localhost", "the proxy refused it", "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY name the proxy"),
        ("x.example", "CERTIFICATE_VERIFY_FAILED", "Name the authority that has signed it in SSL_CERT_FILE"),
        ("x.example", "Wrong version number", "That port seems to speak plain http: check `base_url`."),
        ("x.example", "record layer failure", "That port seems to speak plain http"),
        ("x.example", "Name or service not known", "Check the host in `base_url` (NEXUS_BASE_URL)"),
        ("x.example", "Temporary failure in name resolution", "Check the host in `base_url`"),
        ("x.example", "nodename nor servname provided", "Check the host in `base_url`"),
        ("x.example", "getaddrinfo failed", "Check the host in `base_url`"),
        ("x.example", "No address associated with hostname", "Check the host in `base_url`"),
        ("x.example", "connection reset by peer", None),
    ],
)
def test_no_answer(host: str, told: str, words: Optional[str]) -> None:
    """By what the system said, in the words of every system."""
    hint = _hints.for_network(host, told)
    assert hint is None if words is None else (hint or "").startswith(words)


def test_a_limit_of_time() -> None:
    """Which one can be raised, if that would help."""
    assert _hints.for_timeout("timeout", sent=True) == "If such calls may take longer, raise `timeout=`."
    reached = _hints.for_timeout("timeout", sent=False)
    assert reached == "No connection could be made in time: check `base_url` and the network."
