"""Fetching a model's file from a model hub."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx

from nexus_server.models.catalogue import HubFile, LocalModel
from nexus_server.models.errors import SourceError
from nexus_server.models.partial import PartialFile

DEFAULT_ENDPOINT = "https://huggingface.co"
"""Where the hub is, unless `HF_ENDPOINT` names a mirror."""

_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_PATIENCE = 3
"""Attempts without a new byte that are forgiven, once bytes have arrived."""


class _CutError(Exception):
    """The transfer ended early; it may go on where it stopped."""


def host() -> str:
    """The name of the hub that is asked.

    Raises:
        SourceError: `HF_ENDPOINT` is no address.
    """
    try:
        name = httpx.URL(_endpoint()).host
    except httpx.InvalidURL:
        name = ""
    if not name:
        raise SourceError(f"HF_ENDPOINT is {_endpoint()!r}, expected an address like https://….")
    return name


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT


def _url(origin: HubFile) -> str:
    parts = (origin.repo, "resolve", origin.revision, origin.path)
    return "/".join([_endpoint().rstrip("/"), *map(quote, parts)])


def download(
    model: LocalModel, origin: HubFile, partial: PartialFile, on_bytes: Callable[[int], None]
) -> None:
    """Fill `partial` up to the model's size, going on where it stands.

    `on_bytes` hears the size after every block. A transfer that breaks is taken up again for as
    long as attempts bring new bytes.

    Raises:
        SourceError: the hub cannot be reached, or has another file or none.
    """
    patience = _Patience(partial.size)
    with _client() as client:
        while partial.size < model.size:
            try:
                _transfer(client, _url(origin), model, partial, on_bytes)
            except (_CutError, httpx.TransportError) as error:
                if not patience.goes_on(partial.size):
                    raise SourceError(_describe(error, partial, model)) from error
                time.sleep(patience.pause)


class _Patience:
    """Decides whether a broken transfer is worth another attempt."""

    def __init__(self, size: int) -> None:
        self._best = size
        self._left = 0
        self.pause = 0.0

    def goes_on(self, size: int) -> bool:
        """Whether to try again, after an attempt that ended with `size` bytes."""
        if size > self._best:
            self._best, self._left, self.pause = size, _PATIENCE, 0.0
            return True
        self._left -= 1
        self.pause = self.pause * 2 or 0.25
        return self._left > 0


def _client() -> httpx.Client:
    try:
        return httpx.Client(
            timeout=_TIMEOUT,
            follow_redirects=True,
            # The sizes that we check are those of the file, not of some encoding of it.
            headers={"Accept-Encoding": "identity", "User-Agent": "nexus-ai-sdk"},
        )
    except (ValueError, ImportError) as error:
        raise SourceError(f"The proxy settings cannot be used: {error}") from error


def _transfer(
    client: httpx.Client,
    url: str,
    model: LocalModel,
    partial: PartialFile,
    on_bytes: Callable[[int], None],
) -> None:
    """One request; appends what it brings."""
    headers = {"Range": f"bytes={partial.size}-"} if partial.size else {}
    try:
        with client.stream("GET", url, headers=headers) as response:
            _check(response, model, partial)
            for block in response.iter_raw():
                partial.write(block)
                on_bytes(partial.size)
                _check_size(partial, model)
    except httpx.TransportError:
        raise
    except httpx.HTTPError as error:
        raise SourceError(f"{host()} does not give {model.file}: {error}.") from error
    if partial.size < model.size:
        raise _CutError("the transfer ended early")


def _check(response: httpx.Response, model: LocalModel, partial: PartialFile) -> None:
    """See that the body is the rest of the file, or all of it: then start at the beginning."""
    status = response.status_code
    if status in _TRANSIENT:
        raise _CutError(f"HTTP {status}")
    if status not in {200, 206}:
        raise SourceError(f"{response.url.host} answered HTTP {status} for {response.url.path}.")
    start, total = _extent(response)
    if total not in {None, model.size}:
        raise SourceError(
            f"{response.url.host} has a file of {total} bytes as {model.file}, expected {model.size}."
        )
    if start not in {0, partial.size}:
        raise SourceError(f"{response.url.host} sent another part of the file than was asked for.")
    if start == 0:
        partial.restart()


def _check_size(partial: PartialFile, model: LocalModel) -> None:
    if partial.size > model.size:
        partial.restart()
        raise SourceError(f"{host()} sends more than the {model.size} bytes of {model.file}.")


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Where in the file the body begins, and the size of the file if that is told."""
    if response.status_code == 206:
        match = re.match(r"bytes (\d+)-\d+/(\d+)$", response.headers.get("Content-Range", ""))
        return (int(match[1]), int(match[2])) if match else (-1, None)
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _describe(error: Exception, partial: PartialFile, model: LocalModel) -> str:
    reason = str(error) or type(error).__name__
    if not partial.size:
        return f"{host()} cannot be reached: {reason}."
    return (
        f"The transfer from {host()} broke off after {partial.size} of {model.size} bytes, "
        f"which are kept: {reason}."
    )
