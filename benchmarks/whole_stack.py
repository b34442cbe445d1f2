"""What the whole platform needs with every model loaded, and whether a conversation is remembered.

    nexusai models pull qwen2.5-coder-1.5b && nexusai models pull whisper-base
    nexusai models pull kokoro-82m && python -m benchmarks.whole_stack

Prints the largest resident memory of each process (VmHWM; Linux), and what a session answers ten turns after
it was told a fact, in English and Chinese.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import nexusai
from nexusai import NexusAIClient

NOTE = ("handbook.md", b"Every employee has twenty-five days of paid leave a year.")
FILLER = [
    "What is two plus three?",
    "Name a colour.",
    "Say yes.",
    "Name a fruit.",
    "What is the opposite of hot?",
] * 2
FACTS = [
    ("My dog is called Bruno.", "What is my dog called?", "Bruno"),
    ("我住在杭州。", "我住在哪个城市？", "杭州"),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        with NexusAIClient.local(data) as client:
            use_everything(client, Path(directory))
            for fact, question, word in FACTS:
                answer = recall(client, fact, question)
                print(f"{'recalled' if word in answer else 'FORGOTTEN'}: {question} {answer}")
            tell_memory(data)


def use_everything(client: NexusAIClient, directory: Path) -> None:
    """Load every model."""
    print("text:", client.text.generate("Say hello.", max_tokens=8).model)
    spoken = client.audio.synthesize("图书馆早上九点开门。", voice="zf_xiaoxiao", format="wav")
    heard = client.audio.transcribe(spoken.save(directory / "speech.wav"))
    print("speech:", heard.text)
    base = client.knowledge_bases.create("handbook")
    client.knowledge_bases.upload_document(base.kb_id, NOTE, wait=True)
    print("found:", client.knowledge_bases.search("How many days of leave?", base.kb_id).total_results)
    print("picture:", client.images.generate("two cats at the seaside", size="2048x2048").revised_prompt)


def recall(client: NexusAIClient, fact: str, question: str) -> str:
    """Tell a fact, talk of ten other things, and ask."""
    config = {"temperature": 0, "max_tokens": 30}
    with client.sessions.create(agent_config=config) as session:
        session.invoke(fact)
        for other in FILLER:
            session.invoke(other)
        return session.invoke(question).text.strip()


def tell_memory(data: Path) -> None:
    """The largest resident size of the server and of everything that it has started."""

    server = int(json.loads((data / "server.json").read_text())["pid"])
    total = 0
    for pid in family(server):
        status = Path(f"/proc/{pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        name = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[-60:]
        print(f"{kilobytes / 1e3:8.0f} MB  {name}")
        total += kilobytes
    print(f"{total / 1e6:.2f} GB together, nexusai {nexusai.__version__}, Python {sys.version.split()[0]}")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        children += (thread / "children").read_text().split()
    return [pid, *(one for child in dict.fromkeys(map(int, children)) for one in family(child))]


if __name__ == "__main__":
    main()
