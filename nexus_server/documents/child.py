"""The child that reads one document: an order as JSON comes in, the text as JSON goes out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nexus_server.documents.reading import read
from nexus_server.errors import InvalidRequest


def main() -> None:
    """Read the document that standard input names."""
    path, filename, memory, longest = json.loads(sys.stdin.buffer.read())
    _limit(memory)
    sys.stdout.buffer.write(json.dumps(_answer(Path(path), filename, longest)).encode())


def _answer(path: Path, filename: str, longest: int) -> dict[str, object]:
    try:
        document = read(path, filename)
    except InvalidRequest as refusal:
        return {"refusal": refusal.detail}
    except ImportError as error:
        return {"missing": error.name}
    except (MemoryError, RecursionError):
        return {"refusal": f"{filename} could not be read: it needs too much memory."}
    if sum(len(page.text) for page in document.pages) > longest:
        return {"refusal": f"{filename} holds more than {longest} characters: cut it into smaller files."}
    return {
        "file_type": document.file_type,
        "pages": [[page.text.encode("utf-8", "replace").decode(), page.number] for page in document.pages],
    }


def _limit(memory: int) -> None:
    """What a document asks for beyond this is refused by the system."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
