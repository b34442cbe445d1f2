"""Reading a document in a child process, which can be killed: the parsers meet whatever people upload."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nexus_server.documents.reading import Document, Page
from nexus_server.errors import InvalidRequest, Unavailable
from nexus_server.models.environment import without_secrets


@dataclass(frozen=True)
class Limits:
    """What one document may take: seconds, bytes of memory, bytes of text."""

    seconds: float = 120.0
    memory: int = 2 * 1024**3
    text: int = 64 * 1024**2


async def parse(path: Path, filename: str, limits: Limits = Limits()) -> Document:
    """What is written in a file. Interrupting this kills the child.

    Raises:
        InvalidRequest: it cannot be read, nothing is written in it, or it takes too much.
    """
    order = json.dumps([str(path), filename, limits.memory, limits.text])
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "nexus_server.documents.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=without_secrets(os.environ),
        limit=limits.text + 1024,
    )
    try:
        async with asyncio.timeout(limits.seconds):
            output, _ = await child.communicate(order.encode())
    except TimeoutError as error:
        raise InvalidRequest(
            f"{filename} could not be read within {limits.seconds:g} seconds: cut it into smaller files."
        ) from error
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return _result(output, filename)


def _result(output: bytes, filename: str) -> Document:
    try:
        told = json.loads(output)
    except ValueError as error:  # it crashed, or the system has killed it for its memory
        raise InvalidRequest(
            f"{filename} could not be read: it is damaged, or needs too much memory."
        ) from error
    if "refusal" in told:
        raise InvalidRequest(told["refusal"])
    if "missing" in told:
        raise Unavailable(f"Reading {filename} needs {told['missing']}: pip install 'nexus-ai-sdk[server]'.")
    return Document(told["file_type"], tuple(Page(text, number) for text, number in told["pages"]))
