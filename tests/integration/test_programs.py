"""The programs of `examples/programs`, as people run them: on a live platform with real models."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

import httpx
import pytest
from faults.server import Act, FaultServer, Seen, completed, reply
from untraced import untraced

import nexusai

if TYPE_CHECKING:
    from server.process import ServerProcess

PROGRAMS = Path(__file__).resolve().parents[2] / "examples" / "programs"


def command(program: str, *words: object) -> list[str]:
    return [sys.executable, "-W", "error", str(PROGRAMS / program), *map(str, words)]


def environment(url: str, key: str) -> dict[str, str]:
    return {
        **untraced(),
        "NEXUS_OTEL": "",
        "NEXUS_API_KEY": key,
        "NEXUS_BASE_URL": url,
        "PYTHONIOENCODING": "utf-8",
    }


def address(platform: ServerProcess | FaultServer) -> tuple[str, str]:
    """Where it is, and a key for it."""
    return (
        (platform.base_url, "nxs_canary")
        if isinstance(platform, FaultServer)
        else (platform.url, platform.key)
    )


def run(
    platform: ServerProcess | FaultServer, program: str, *words: object, code: int = 0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    url, key = address(platform)
    done = subprocess.run(
        command(program, *words),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
        env=environment(url, key),
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert key not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("voice", "said", "heard", "titles"),
    [
        (
            "af_heart",
            "Good morning. We decided to open the new library on Monday. Anna will write the invitation.",
            "library",
            ["## Summary", "## Decisions", "## To do", "## Transcript"],
        ),
        (
            "zf_xiaoxiao",
            "大家早上好。我们决定星期一开放新的图书馆。",
            "图书馆",
            ["## 摘要", "## 决定", "## 待办", "## 会议记录"],
        ),
    ],
    ids=["English", "Chinese"],
)
def test_minutes_of_a_meeting(
    platform: ServerProcess,
    live: nexusai.NexusAIClient,
    tmp_path: Path,
    voice: str,
    said: str,
    heard: str,
    titles: list[str],
) -> None:
    """A recording becomes minutes in the language that is spoken, with what was said and when."""
    recording = live.audio.synthesize(said, voice=voice, format="mp3").save(tmp_path / "会议 1.mp3")
    done = run(platform, "meeting_minutes.py", recording, "--max-tokens", 30, "--part", 60)
    minutes = recording.with_suffix(".md").read_text(encoding="utf-8")
    assert done.stdout == f"{recording.with_suffix('.md')}\n"
    assert [line for line in minutes.splitlines() if line.startswith("## ")] == titles
    transcript = minutes.partition(titles[3])[2]
    assert "- `00:00` " in transcript
    assert ("part 2 of 2" in done.stderr) == (voice == "af_heart")  # too long to be read at once
    assert heard in transcript


def test_minutes_of_what_is_no_recording(platform: ServerProcess, tmp_path: Path) -> None:
    """A sentence that says so, and no file."""
    (tmp_path / "note.mp3").write_bytes(b"this is no sound" * 100)
    assert run(platform, "meeting_minutes.py", tmp_path / "note.mp3", code=1).stderr
    assert "no file" in run(platform, "meeting_minutes.py", tmp_path / "none.mp3", code=2).stderr
    assert not list(tmp_path.glob("*.md"))


def test_a_folder_of_documents(platform: ServerProcess, live: nexusai.NexusAIClient, tmp_path: Path) -> None:
    """Only what changed is read; answers name their sources, in subfolders and in Chinese, too."""
    (tmp_path / "hotel").mkdir()
    travel = tmp_path / "hotel" / "travel.md"
    travel.write_text("Hotels may cost up to 140 euros a night.", encoding="utf-8")
    (tmp_path / "退款.md").write_text("收到退货后，七个工作日内退款。", encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing else")

    first = run(platform, "ask_folder.py", tmp_path, "How much may a hotel cost?", "--max-tokens", 20)
    assert "[1] hotel/travel.md (1.00)" in first.stdout
    assert [line.split(",")[0] for line in first.stderr.splitlines() if line.startswith("read")] == [
        "read: hotel/travel.md",
        "read: 退款.md",
    ]
    assert "left out: broken.pdf" in first.stderr

    (tmp_path / "broken.pdf").unlink()
    asked = run(
        platform,
        "ask_folder.py",
        tmp_path,
        "--max-tokens",
        20,
        stdin="退款需要多久？\nHow much is a hotel?\n",
    )
    assert "退款.md" in asked.stdout
    assert "hotel/travel.md" in asked.stdout
    assert not asked.stderr

    travel.write_text("Hotels may cost up to 150 euros a night.", encoding="utf-8")
    (tmp_path / "退款.md").unlink()
    changed = run(platform, "ask_folder.py", tmp_path, "How much may a hotel cost?", "--max-tokens", 20)
    assert changed.stderr.splitlines() == ["gone: 退款.md", "read: hotel/travel.md, 1 passages"]

    index = json.loads((tmp_path / ".ask_folder.json").read_text(encoding="utf-8"))
    (found,) = live.knowledge_bases.search("hotel", index["kb_id"], similarity_threshold=0.1).results
    assert found.content == "Hotels may cost up to 150 euros a night."
    live.knowledge_bases.delete(index["kb_id"])
    anew = run(platform, "ask_folder.py", tmp_path, "How much may a hotel cost?", "--max-tokens", 20)
    assert anew.stderr.splitlines() == ["read: hotel/travel.md, 1 passages"]


def test_a_folder_that_is_not_there(platform: ServerProcess, tmp_path: Path) -> None:
    """Or has nothing in it, or whose index is damaged: each gets a sentence."""
    assert "no folder" in run(platform, "ask_folder.py", tmp_path / "none", "hi", code=2).stderr
    assert "nothing to read" in run(platform, "ask_folder.py", tmp_path, "hi", code=1).stdout
    (tmp_path / ".ask_folder.json").write_text("{", encoding="utf-8")
    assert "delete it" in run(platform, "ask_folder.py", tmp_path, "hi", code=1).stderr


@pytest.mark.parametrize("kept", ["{", "[]", '{"files": []}', '{"files": {"a.md": {}}}'])
def test_an_index_that_is_damaged(faults: FaultServer, tmp_path: Path, kept: str) -> None:
    """It is named, whatever is wrong with it."""
    (tmp_path / ".ask_folder.json").write_text(kept, encoding="utf-8")
    done = run(faults, "ask_folder.py", tmp_path, "hi", code=1)
    assert f"{tmp_path / '.ask_folder.json'} is damaged: delete it" in done.stderr


def test_another_mistake_is_no_damaged_index(
    faults: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told for what it is."""
    monkeypatch.setenv("NEXUS_TIMEOUT", "abc")
    told = run(faults, "ask_folder.py", tmp_path, "hi", code=1).stderr
    assert "NEXUS_TIMEOUT" in told
    assert "damaged" not in told


@contextmanager
def chat_page(platform: ServerProcess | FaultServer) -> Iterator[str]:
    """The address of the page."""
    url, key = address(platform)
    process = subprocess.Popen(
        command("chat_page.py", "--port", 0, "--system", "Answer with few words."),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(url, key),
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split("/  ")[0]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def say(page: httpx.Client, text: str) -> str:
    """The answer, put together from its pieces."""
    with page.stream("POST", "/say", json={"text": text}) as answer:
        told = [json.loads(line) for line in answer.iter_lines()]
    assert told[-1] == {"done": True}
    return "".join(each["text"] for each in told[:-1])


def test_a_chat_page(platform: ServerProcess) -> None:
    """It streams, remembers across a restart, begins anew, and listens to nobody else."""
    with chat_page(platform) as address, httpx.Client(base_url=address) as page:
        assert "<!doctype html>" in page.get("/").text
        assert page.get("/history").json() == []
        first = say(page, "My name is Ada. 你好。")
        assert first
        cookies = page.cookies

    with chat_page(platform) as address, httpx.Client(base_url=address, cookies=cookies) as page:
        said = [(each["role"], each["content"]) for each in page.get("/history").json()]
        assert said == [("user", "My name is Ada. 你好。"), ("assistant", first)]
        assert page.post("/say", json={"text": " "}).status_code == 400
        assert page.post("/say", content=b'{"text": "hi"}').status_code == 403
        assert page.get("/", headers={"Host": "elsewhere.example"}).status_code == 403
        assert page.get("/none").status_code == 404
        assert page.post("/anew", json={}).status_code == 200
        assert page.get("/history").json() == []


def test_a_chat_page_without_a_platform(faults: FaultServer) -> None:
    """What the platform says goes to the page, and the page's own mistakes are told as such."""
    faults.chooses = lambda _: reply(401, {"detail": "Not with this key."})
    cookies = {"conversation": "sess_1"}
    with chat_page(faults) as address, httpx.Client(base_url=address, cookies=cookies) as page:
        for answer in (
            page.get("/history"),
            page.post("/say", json={"text": "hi"}),
            page.post("/anew", json={}),
        ):
            assert answer.status_code == 502
            assert "Not with this key." in answer.json()["error"]
        odd = {"Content-Type": "application/json", "Content-Length": "many"}
        with socket.create_connection(("127.0.0.1", httpx.URL(address).port or 0)) as line:
            host = f"127.0.0.1:{httpx.URL(address).port}"
            sent = "".join(f"{name}: {value}\r\n" for name, value in {"Host": host, **odd}.items())
            line.sendall(f"POST /say HTTP/1.1\r\n{sent}\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.0 400 ")


class Standing:
    """Stands in for the platform: answers each prompt with itself, and tells when half of them have come."""

    def __init__(self, half: int) -> None:
        self._half = half
        self._lock = threading.Lock()
        self.came: Counter[str] = Counter()
        self.half_came = threading.Event()

    def __call__(self, seen: Seen) -> Act:
        prompt = seen.json["input"]["messages"][-1]["content"]
        with self._lock:
            self.came[prompt] += 1
            if self.came.total() >= self._half:
                self.half_came.set()
        return reply(200, completed(f"Answer to {prompt}"))


def test_a_batch_survives_a_crash(faults: FaultServer, tmp_path: Path) -> None:
    """Killed in the middle and started again, it has each of a thousand prompts answered exactly once."""
    prompts = [f"问题 {number}" for number in range(1000)]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts) + "\n\n", encoding="utf-8")
    standing = Standing(half=500)
    faults.chooses = standing
    words = command("batch_prompts.py", tmp_path / "prompts.txt", tmp_path / "answers.jsonl")
    env = environment(faults.base_url, "nxs_canary")

    with subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL) as process:
        assert standing.half_came.wait(60)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "answers.jsonl").exists()
    before = standing.came.copy()
    assert 500 <= len(before) < 1000

    again = subprocess.run(words, env=env, capture_output=True, encoding="utf-8", check=True, timeout=120)
    assert "1000 of 1000" in again.stdout
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()]
    assert rows == [{"prompt": prompt, "answer": f"Answer to {prompt}"} for prompt in prompts]
    assert not (tmp_path / "answers.jsonl.checkpoint").exists()
    twice = [prompt for prompt, count in standing.came.items() if count > 1]
    assert len(twice) <= 9, "only what was on its way is asked for again: eight, and one that was being kept"
    assert set(standing.came) == set(prompts)


def test_a_batch_tells_what_failed(faults: FaultServer, tmp_path: Path) -> None:
    """A prompt that cannot be answered does not hold up the others, and is asked for again the next time."""
    (tmp_path / "prompts.txt").write_text("good\nbad\n", encoding="utf-8")
    healed = threading.Event()

    def choose(seen: Seen) -> Act:
        if b"bad" in seen.body and not healed.is_set():
            return reply(400, {"detail": "Not that one."})
        return reply(200, completed("fine"))

    faults.chooses = choose
    words = command("batch_prompts.py", tmp_path / "prompts.txt", tmp_path / "answers.jsonl")
    env = environment(faults.base_url, "nxs_canary")
    first = subprocess.run(words, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert first.returncode == 1
    assert "1 failed: the same command asks for these again." in first.stderr
    assert "Not that one." in (tmp_path / "answers.jsonl").read_text(encoding="utf-8")
    healed.set()
    second = subprocess.run(words, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert second.returncode == 0
    assert len(faults.requests) == 3
    missing = command("batch_prompts.py", tmp_path / "none.txt", tmp_path / "answers.jsonl")
    gone = subprocess.run(missing, env=env, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (gone.returncode, "none.txt" in gone.stderr) == (1, True)
