"""Minutes from the recording of a meeting.

    python meeting_minutes.py meeting.mp3

writes meeting.md: a summary, the decisions, what is to be done, and the transcript with times, in the
language that was spoken. A recording of any length and any common format will do.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

import nexusai
from nexusai.models import Task, TranscriptionResponse, TranscriptSegment


class Section(NamedTuple):
    """A part of the minutes, and how the model is asked for it."""

    title: str
    request: str


ENGLISH = (
    Section("Summary", "Summarise the meeting in at most five sentences."),
    Section(
        "Decisions", "List what was decided, each point on a line that begins with '- '. If nothing: None."
    ),
    Section("To do", "List who does what by when, each on a line that begins with '- '. If nothing: None."),
)
CHINESE = (
    Section("摘要", "用不超过五句话概括会议内容。"),
    Section("决定", "列出会上作出的决定，每条一行，以“- ”开头。没有则写“无”。"),
    Section("待办", "列出谁在什么时候之前做什么，每条一行，以“- ”开头。没有则写“无”。"),
)
RULES = (
    "You write the minutes of a meeting. Use only what stands in the text you are given, and answer in its "
    "language. No introduction."
)
NOTES = "Note down every fact, decision, name, number and date of this part of a meeting, in short lines."


def main() -> int:
    arguments = read_arguments()
    output = arguments.output or arguments.recording.with_suffix(".md")
    try:
        with open_client() as client:
            heard = transcribe(client, arguments.recording, arguments.language)
            if not heard.text.strip():
                print("Nobody says anything in this recording.", file=sys.stderr)
                return 1
            # First of all the transcript: it is there even if the model fails.
            output.write_text(as_markdown(arguments.recording.stem, heard, {}), encoding="utf-8")
            writer = Writer(client, arguments)
            sections = writer.sections(heard)
            output.write_text(as_markdown(arguments.recording.stem, heard, sections), encoding="utf-8")
    except (nexusai.APIError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(output)
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Minutes from the recording of a meeting.")
    parser.add_argument("recording", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="where the minutes go (beside the recording)")
    parser.add_argument("--language", help="what is spoken, such as en or zh (found out by itself)")
    parser.add_argument("--model", help="the model that writes (the platform's choice)")
    parser.add_argument(
        "--part", type=int, default=4000, help="characters that the model reads at once (4000)"
    )
    parser.add_argument("--max-tokens", type=int, default=400, help="the longest section (400)")
    arguments = parser.parse_args()
    if not arguments.recording.is_file():
        parser.error(f"There is no file {arguments.recording}.")
    return arguments


def open_client() -> nexusai.NexusAIClient:
    """The platform that the settings name, else the one on this machine, started if none runs."""
    return nexusai.NexusAIClient() if nexusai.config.api_key else nexusai.NexusAIClient.local()


def transcribe(client: nexusai.NexusAIClient, recording: Path, language: str | None) -> TranscriptionResponse:
    print("Listening …", file=sys.stderr)

    def tell(task: Task) -> None:
        print(f"  {task.progress or 0:.0f} %", file=sys.stderr)

    return client.audio.transcribe(recording, language=language, on_progress=tell)


class Writer:
    """The model, and how it is asked."""

    def __init__(self, client: nexusai.NexusAIClient, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options

    def sections(self, heard: TranscriptionResponse) -> dict[str, str]:
        """What stands under each title."""
        text = self._condensed(heard.text.strip())
        written = {}
        for section in CHINESE if is_chinese(heard) else ENGLISH:
            print(f"Writing: {section.title} …", file=sys.stderr)
            written[section.title] = self._ask(section.request, text)
        return written

    def _condensed(self, text: str) -> str:
        """The text; if the model cannot read so much at once, notes of its parts, and notes of those."""
        while len(text) > self._options.part:
            pieces = list(parts(text, self._options.part))
            notes = []
            for number, piece in enumerate(pieces, 1):
                print(f"Reading part {number} of {len(pieces)} …", file=sys.stderr)
                notes.append(self._ask(NOTES, piece)[: self._options.part // 4])
            text = "\n".join(notes)
        return text

    def _ask(self, request: str, text: str) -> str:
        messages = [
            {"role": "system", "content": RULES},
            {"role": "user", "content": f"{request}\n\n---\n{text}\n---"},
        ]
        answer = self._client.text.generate(
            messages=messages, model=self._options.model, temperature=0, max_tokens=self._options.max_tokens
        )
        return re.sub(r"^#+ *", "", answer.text.strip(), flags=re.MULTILINE)  # the headings are ours


def parts(text: str, size: int) -> Iterator[str]:
    """Pieces of at most that size, cut after a sentence where there is one."""
    while len(text) > size:
        end = max(text.rfind(mark, size // 2, size) for mark in (". ", "? ", "。", "？", "\n")) + 1
        yield text[: end or size]
        text = text[end or size :]
    yield text


def as_markdown(title: str, heard: TranscriptionResponse, sections: dict[str, str]) -> str:
    lines = [f"# {title}", ""]
    for heading, text in sections.items():
        lines += [f"## {heading}", "", text, ""]
    lines += [f"## {'会议记录' if is_chinese(heard) else 'Transcript'}", "", *transcript(heard.segments)]
    return "\n".join(lines) + "\n"


def transcript(segments: Iterable[TranscriptSegment]) -> Iterator[str]:
    for segment in segments:
        minutes, seconds = divmod(int(segment.start), 60)
        yield f"- `{minutes:02}:{seconds:02}` {segment.text.strip()}"


def is_chinese(heard: TranscriptionResponse) -> bool:
    return (heard.language or "").startswith("zh")


if __name__ == "__main__":
    sys.exit(main())
