"""Default numbers and addresses, each written once."""

from __future__ import annotations

DEFAULT_BASE_URL = "http://localhost:8000/api/v1"
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 3
DEFAULT_POLL_INTERVAL = 2.0
DEFAULT_POLL_TIMEOUT = 300.0
CONTENT_TIMEOUT_FACTOR = 10
"""`content_timeout` is this many times `timeout`, unless it is given."""

DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
DEFAULT_MAX_RESPONSE_BYTES = 256 * 1024 * 1024
MAX_ERROR_BODY_BYTES = 64 * 1024
DEFAULT_MAX_CONNECTIONS = 1000

MAX_SERVER_WAIT = 60
"""Seconds that the API lets one request wait for a task (`Prefer: wait=N`)."""

RETRY_BASE_DELAY = 0.5
RETRY_MAX_DELAY = 8.0
RETRY_BUDGET = 20.0
RETRY_BUDGET_PER_CALL = 0.2
RETRY_BUDGET_PER_SECOND = 0.5
"""A client's calls may be repeated so often at first, then for each call and each second that passes: in an
outage retries add a fifth to the load and no more (the shape of Finagle's `RetryBudget`)."""
MAX_RETRY_AFTER = 60.0
"""A server that asks for a longer pause gets none: the error is raised, with `retry_after`."""

MAX_TELEMETRY_CONTENT_BYTES = 32 * 1024
"""Of prompts and answers in an attribute of a span, where the program wants them there at all."""

FALLBACK_PATIENCE = 2.0
"""Seconds from the beginning of a call within which it may be tried again while there is a fallback left."""

DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
DEFAULT_CACHE_LIFETIME = 3600.0
"""Seconds. Long enough for a run, short enough for a list of models."""
