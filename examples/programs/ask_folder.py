"""Questions about a folder of documents, answered with sources.

    python ask_folder.py handbook/ "How long does a refund take?"

Without a question it goes on asking for them. The folder is read once: later only what is new, changed or
gone is taken notice of. What it knows of the folder is kept there, in .ask_folder.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Iterator

import nexusai

SUFFIXES = {".pdf", ".docx", ".md", ".txt", ".html", ".csv"}
INDEX = ".ask_folder.json"


class Index:
    """What the knowledge base holds of the folder: for each file its digest, and its ids on the platform."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX
        self.kb_id = ""
        self.files: dict[str, dict[str, str]] = {}
        if self._path.exists():
            self.load()

    def load(self) -> None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            self.kb_id = str(kept["kb_id"])
            for name, file in kept["files"].items():
                self.files[name] = {key: str(file[key]) for key in ("digest", "file_id", "doc_id")}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{self._path} is damaged: delete it, and the folder is read anew.") from None

    def forget(self) -> None:
        self.kb_id, self.files = "", {}

    def save(self) -> None:
        kept = {"kb_id": self.kb_id, "files": self.files}
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps(kept, ensure_ascii=False, indent=2), encoding="utf-8")
        whole.replace(self._path)  # whoever is stopped in between finds the old one

    def name_of(self, doc_id: str) -> str:
        return next((name for name, file in self.files.items() if file["doc_id"] == doc_id), doc_id)


def main() -> int:
    arguments = read_arguments()
    try:
        with open_client() as client:
            index = Index(arguments.folder)
            open_base(client, index, arguments.folder.resolve().name)
            update(client, index, arguments.folder)
            if not index.files:
                print(f"There is nothing to read in {arguments.folder}: {', '.join(sorted(SUFFIXES))}.")
                return 1
            for question in questions(arguments.question):
                answer(client, index, question, arguments)
    except (nexusai.APIError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Questions about a folder of documents.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("question", nargs="*", help="asked once; without one, questions are asked for")
    parser.add_argument("--model", help="the model that answers (the platform's choice)")
    parser.add_argument("--max-tokens", type=int, default=400, help="the longest answer (400)")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"There is no folder {arguments.folder}.")
    return arguments


def open_client() -> nexusai.NexusAIClient:
    """The platform that the settings name, else the one on this machine, started if none runs."""
    return nexusai.NexusAIClient() if nexusai.config.api_key else nexusai.NexusAIClient.local()


def open_base(client: nexusai.NexusAIClient, index: Index, name: str) -> None:
    """Find the folder's knowledge base, or make one."""
    if index.kb_id:
        try:
            client.knowledge_bases.get(index.kb_id)
            return
        except nexusai.NotFoundError:
            index.forget()  # it was deleted, or this is another platform
    index.kb_id = client.knowledge_bases.create(name).kb_id
    index.save()


def update(client: nexusai.NexusAIClient, index: Index, folder: Path) -> None:
    """Bring the knowledge base up to the folder."""
    found = {path.relative_to(folder).as_posix(): path for path in documents(folder)}
    for name in sorted(set(index.files) - set(found)):
        remove(client, index, name)
        print(f"gone: {name}", file=sys.stderr)
    for name, path in found.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = index.files.get(name)
        if known is not None and known["digest"] == digest:
            continue
        if known is not None:
            remove(client, index, name)
        add(client, index, name, path, digest)


def documents(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden:
            yield path


def add(client: nexusai.NexusAIClient, index: Index, name: str, path: Path, digest: str) -> None:
    """Take in one document; one that cannot be read does not hold up the others."""
    try:
        file = client.files.upload(path)
        task = client.knowledge_bases.add_document(index.kb_id, file.file_id)
        read = task.wait()
    except (nexusai.TaskFailedError, nexusai.InvalidRequestError) as error:
        print(f"left out: {name}: {error}", file=sys.stderr)
        return
    index.files[name] = {"digest": digest, "file_id": file.file_id, "doc_id": str(read.doc_id)}
    index.save()
    print(f"read: {name}, {read.chunk_count} passages", file=sys.stderr)


def remove(client: nexusai.NexusAIClient, index: Index, name: str) -> None:
    file = index.files[name]
    with suppress(nexusai.NotFoundError):  # a run that was stopped in between has done it
        client.knowledge_bases.delete_document(index.kb_id, file["doc_id"])
    with suppress(nexusai.NotFoundError):
        client.files.delete(file["file_id"])
    del index.files[name]
    index.save()


def questions(given: list[str]) -> Iterator[str]:
    if given:
        yield " ".join(given)
        return
    while True:
        try:
            question = input("\n? ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if question:
            yield question


def answer(client: nexusai.NexusAIClient, index: Index, question: str, options: argparse.Namespace) -> None:
    """Print the answer as it comes, and then where it was found."""
    # Below 0.7, the default: question and document may be in different languages.
    stream = client.knowledge_bases.ask_stream(
        question, index.kb_id, similarity_threshold=0.4, model=options.model, max_tokens=options.max_tokens
    )
    for text in stream:
        print(text, end="", flush=True)
    print()
    for number, source in enumerate(stream.sources, 1):
        page = f", page {source.metadata['page']}" if source.metadata.get("page") else ""
        print(f"  [{number}] {index.name_of(source.doc_id)}{page} ({source.similarity_score:.2f})")


if __name__ == "__main__":
    sys.exit(main())
