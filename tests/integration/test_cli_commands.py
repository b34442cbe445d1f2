"""The commands of `nexusai` that talk with a platform, as they are typed, on a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

import pytest
from untraced import untraced

if TYPE_CHECKING:
    from server.process import ServerProcess

COMMAND = [sys.executable, "-W", "error", "-m", "nexusai"]


def environment(
    platform: ServerProcess | None, *, inherited: Mapping[str, str] = os.environ, **more: str
) -> dict[str, str]:
    named = {} if platform is None else {"NEXUS_API_KEY": platform.key, "NEXUS_BASE_URL": platform.url}
    return {**inherited, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8", **named, **more}


class Shell:
    """Types commands, in a directory of its own."""

    def __init__(self, platform: ServerProcess, directory: Path) -> None:
        self.platform = platform
        self.directory = directory

    def run(
        self, *words: str, stdin: str = "", code: int = 0, **more: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=300,
            env=environment(self.platform, **more),
            cwd=self.directory,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert self.platform.key not in done.stdout + done.stderr
        return done

    def out(self, *words: str, stdin: str = "") -> str:
        return self.run(*words, stdin=stdin).stdout.strip()

    def json(self, *words: str) -> object:
        return json.loads(self.out(*words, "--json"))


@pytest.fixture
def shell(platform: ServerProcess, tmp_path: Path) -> Shell:
    return Shell(platform, tmp_path)


def test_text(shell: Shell) -> None:
    """What is piped in comes before what is typed; the answer goes to standard output or to a file."""
    assert shell.out("text", "Say hello", "--max-tokens", "8", "-t", "0")
    assert shell.out("text", "Repeat it", "--max-tokens", "8", stdin="a word")
    answer = shell.json("text", "Say", "hello", "--max-tokens", "8")
    assert isinstance(answer, dict)
    assert answer["usage"]["completion_tokens"] <= 8
    shell.run("text", "Hi", "--max-tokens", "4", "-o", "answer.txt")
    assert (shell.directory / "answer.txt").read_text(encoding="utf-8").strip()


def test_chat_by_a_pipe(shell: Shell) -> None:
    """Each line is a turn, and the conversation can be written down."""
    shell.run("chat", "-s", "Be brief.", "-t", "0", stdin="你好\n/save talk.json\n/new\n/exit\n")
    turns = json.loads((shell.directory / "talk.json").read_text(encoding="utf-8"))
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant"]
    assert turns[1]["content"] == "你好"


def test_embed(shell: Shell) -> None:
    """Texts by arguments, or line by line."""
    rows = shell.json("embed", "cat", "猫")
    assert isinstance(rows, list)
    assert [row["text"] for row in rows] == ["cat", "猫"]
    assert len(rows[0]["embedding"]) == len(rows[1]["embedding"]) > 100
    assert len(shell.out("embed", stdin="one\ntwo\n").splitlines()) == 2


def test_image(shell: Shell) -> None:
    """A picture lands in a file that was not there before."""
    assert shell.out("image", "两只猫", "--size", "256x256") == "image.png"
    assert shell.out("image", "a tree", "--size", "256x256") == "image-2.png"
    assert (shell.directory / "image-2.png").read_bytes().startswith(b"\x89PNG")


def test_speak_and_transcribe(shell: Shell) -> None:
    """What was read aloud can be written down, as subtitles too."""
    assert shell.out("speak", "Good morning from the platform.", "-o", "morning.wav") == "morning.wav"
    assert "morning" in shell.out("transcribe", "morning.wav").lower()
    assert "00:00:00" in shell.out("transcribe", "morning.wav", "--format", "srt")
    shell.run("transcribe", "morning.wav", "--format", "pdf", code=2)


def test_files(shell: Shell) -> None:
    """Up, and down again, with a Chinese name."""
    (shell.directory / "笔记.txt").write_text("第一行\n", encoding="utf-8")
    file_id = shell.out("files", "upload", "笔记.txt")
    assert file_id in shell.out("files", "list")
    assert "笔记.txt" in shell.out("files", "show", file_id)
    (shell.directory / "down").mkdir()
    shell.run("files", "download", file_id, "-o", "down")
    assert (shell.directory / "down" / "笔记.txt").read_text(encoding="utf-8") == "第一行\n"
    shell.run("files", "delete", file_id)
    assert "404" in shell.run("files", "show", file_id, code=2).stderr


def test_knowledge_bases(shell: Shell) -> None:
    """From an empty one to an answer with its source."""
    (shell.directory / "退款.md").write_text("退款会在七个工作日内到账。\n", encoding="utf-8")
    kb_id = shell.out("kb", "create", "手册")
    shell.run("kb", "add", kb_id, "退款.md")
    assert "退款.md" in shell.out("kb", "documents", kb_id)
    assert kb_id in shell.out("kb", "list")
    assert "七个工作日" in shell.out("kb", "search", kb_id, "退款多久到账？")
    assert "退款.md" in shell.out("kb", "ask", kb_id, "退款多久到账？")
    answer = shell.json("kb", "ask", kb_id, "退款多久到账？")
    assert isinstance(answer, dict)
    assert answer["sources"][0]["kb_id"] == kb_id
    shell.run("kb", "delete", kb_id)
    shell.run("kb", "documents", kb_id, code=2)


def test_sessions(shell: Shell) -> None:
    """What is said is remembered."""
    session_id = shell.out("sessions", "create", "--name", "闲聊")
    assert shell.out("sessions", "say", session_id, "Hello")
    messages = shell.json("sessions", "show", session_id)
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert "闲聊" in shell.out("sessions", "list")
    shell.run("sessions", "delete", session_id)
    shell.run("sessions", "show", session_id, code=2)


def test_tasks(shell: Shell) -> None:
    """A task is shown, waited for, and cannot be cancelled once it has ended."""
    shell.run("text", "Hi", "--max-tokens", "4", "--json")
    tasks = shell.json("tasks", "list", "--type", "text_generation", "--per-page", "1")
    assert isinstance(tasks, list)
    task_id = tasks[0]["task_id"]
    assert "completed" in shell.out("tasks", "show", task_id)
    watched = shell.json("tasks", "watch", task_id)
    assert isinstance(watched, dict)
    assert watched["status"] == "completed"
    assert "409" in shell.run("tasks", "cancel", task_id, code=1).stderr


def test_doctor(shell: Shell) -> None:
    """It says that all is well; and where it is not, what to do."""
    assert "Everything works." in shell.out("doctor")
    chinese = shell.run("doctor", NEXUS_LANG="zh")
    assert "一切正常" in chinese.stdout
    wrong = shell.run("doctor", "--json", code=1, NEXUS_API_KEY="nxs_wrong")
    found = {row["what"]: row for row in json.loads(wrong.stdout)}
    assert found["Models"]["advice"] == "The key is not this platform's."
    gone = shell.run("doctor", code=1, NEXUS_BASE_URL="http://127.0.0.1:9/api/v1")
    assert "nexusai serve" in gone.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["text"], 2, "prompt"),
        (["--base-url", "nowhere", "text", "hi"], 2, "base_url"),
        (["--base-url", "http://127.0.0.1:9/api/v1", "text", "hi"], 4, "connect"),
        (["tasks", "show", "task_none"], 2, "404"),
        (["files", "upload", "none.txt"], 2, "none.txt"),
    ],
)
def test_mistakes_have_their_own_exit_codes(shell: Shell, words: list[str], code: int, told: str) -> None:
    """And a sentence."""
    assert told in shell.run(*words, code=code, NEXUS_MAX_RETRIES="0").stderr


def test_a_wrong_key_and_none(shell: Shell, tmp_path: Path) -> None:
    """They have an exit code of their own."""
    assert "nexusai doctor" in shell.run("text", "hi", code=3, NEXUS_API_KEY="nxs_wrong").stderr
    bare = {name: value for name, value in environment(None).items() if not name.startswith("NEXUS_")}
    bare["NEXUS_SERVER_DATA_DIR"] = str(tmp_path / "nothing")
    done = subprocess.run(
        [*COMMAND, "text", "hi"],
        env=bare,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        input="",
    )
    assert done.returncode == 3
    assert "No API key" in done.stderr


def test_the_key_of_this_machine_is_found(shell: Shell) -> None:
    """Where the platform runs here, nobody has to tell a key."""
    platform = shell.platform
    bare = {name: value for name, value in environment(None).items() if not name.startswith("NEXUS_")}
    bare["NEXUS_SERVER_DATA_DIR"] = str(platform.data_dir)
    done = subprocess.run(
        [*COMMAND, "doctor"], env=bare, cwd=shell.directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert platform.url in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_without_a_traceback(shell: Shell) -> None:
    """With the exit code that shells expect."""
    process = subprocess.Popen(
        [*COMMAND, "text", "Count to a thousand.", "--max-tokens", "400"],
        env=environment(shell.platform, inherited=untraced()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in told
