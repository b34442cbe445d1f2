"""What to do about an error: a sentence, where there is one that helps. Nothing here reads anything."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from nexusai._internal._retry import RETRYABLE_STATUSES

_LOCAL = ("localhost", "127.0.0.1", "::1")
_BY_STATUS = {
    401: "Check the key: `api_key=`, `nexusai.config.api_key` or NEXUS_API_KEY.",
    403: "The key is known, but may not do this: ask the platform's operators, or use another one.",
    413: "Send less at once, or upload it as a file; the platform's operators set the limit.",
    429: "Make fewer calls at once, or ask the platform's operators for a higher limit.",
}
_PASSING = "It may pass: call again later, raise `max_retries`, or name `fallbacks`."
_NO_SUCH_PAGE = "There may be no such page at all: check `base_url`, which mostly ends in /api/v1."
_NOT_RUNNING = "Is the platform running? `nexusai serve` starts it on this machine."
_NOT_LISTENING = "Nothing listens there: check `base_url` (NEXUS_BASE_URL)."
_UNKNOWN_HOST = "Check the host in `base_url` (NEXUS_BASE_URL), and the network."
_UNTRUSTED = (
    "Name the authority that has signed it in SSL_CERT_FILE, or give an `http_client` that trusts it."
)
_NO_TLS = "That port seems to speak plain http: check `base_url`."
PROXY = "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY name the proxy; NO_PROXY names hosts that need none."
_BY_WORD: Tuple[Tuple[str, str], ...] = (
    ("proxy", PROXY),
    ("certificate", _UNTRUSTED),
    ("wrong version number", _NO_TLS),
    ("record layer failure", _NO_TLS),
    ("name or service not known", _UNKNOWN_HOST),
    ("name resolution", _UNKNOWN_HOST),
    ("nodename nor servname", _UNKNOWN_HOST),
    ("getaddrinfo failed", _UNKNOWN_HOST),
    ("no address associated", _UNKNOWN_HOST),
)


def for_status(status: int, body: Any) -> Optional[str]:
    """What to do about an answer of this status."""
    if status == 404 and (not isinstance(body, dict) or body == {"detail": "Not Found"}):
        return _NO_SUCH_PAGE
    return _PASSING if status in RETRYABLE_STATUSES and status != 429 else _BY_STATUS.get(status)


def for_network(host: str, words: str) -> Optional[str]:
    """What to do when no answer came from `host`, for the reason that the system told in `words`."""
    told = words.lower()
    if "refused" in told and "proxy" not in told:
        return _NOT_RUNNING if host in _LOCAL else _NOT_LISTENING
    return next((hint for word, hint in _BY_WORD if word in told), None)


def for_timeout(setting: str, *, sent: bool) -> str:
    """What to do when a limit of time was reached."""
    if not sent:
        return "No connection could be made in time: check `base_url` and the network."
    return f"If such calls may take longer, raise `{setting}=`."
