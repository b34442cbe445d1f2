"""The examples of this directory, run without a platform: `nexus_platform` comes with the SDK.

What each needs to be answered stands in its test; what does not matter, the scripted platform makes up.
"""

import asyncio
import json
import re
from pathlib import Path

import audio_sync
import basic_usage
import batch_run
import caching
import concurrent_calls
import embeddings_sync
import files_sync
import images_sync
import knowledge_base_rag
import pytest
import session_chat
import streaming_example
import text_async
import typed_answers

from nexusai.testing import Platform


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the examples write is not written here."""
    monkeypatch.chdir(tmp_path)


def test_basic_usage(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.error(400, "There is no model 'no-such-model'.", model="no-such-model")
    nexus_platform.text("The Yangtze, the Yellow River and the Pearl River.")
    nexus_platform.text("我是一个助手。", statuses=["queued", "running"])
    basic_usage.main()
    printed = capsys.readouterr().out
    assert "The Yangtze" in printed
    assert "我是一个助手。" in printed
    assert "As expected: There is no model" in printed
    nexus_platform.assert_called(prompt="Name three rivers of China.", max_tokens=60)


def test_concurrent_calls(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text(lambda call: f"About: {call.prompt}", times=3)
    asyncio.run(concurrent_calls.main())
    assert "  About: What is fire?" in capsys.readouterr().out


def test_text(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text(["Good ", "night."], prompt="Say good night.")
    nexus_platform.text("我是一个助手。", prompt="用一句话介绍你自己。", statuses=["queued", "running"])
    nexus_platform.text("Paris", when=lambda call: call.messages is not None)
    nexus_platform.text("The Yangtze, the Yellow River and the Pearl River.")
    asyncio.run(text_async.main())
    printed = capsys.readouterr().out
    assert "Good night.\n[stop]" in printed
    assert "我是一个助手。" in printed


def test_batch_run(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.error(400, "No such model", model="no-such-model", times=None)
    nexus_platform.text("oui", prompt="Say yes in French.")
    nexus_platform.text("non", prompt="Say no in French.")
    batch_run.main()
    assert "2 answers were there already" in capsys.readouterr().out


def test_caching(nexus_platform: Platform) -> None:
    caching.main()
    assert nexus_platform.calls


def test_embeddings(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    embeddings_sync.main()
    scored = [line for line in capsys.readouterr().out.splitlines() if re.match(r"-?\d\.\d", line)]
    assert scored[0].endswith("The cat sleeps on the sofa.")
    nexus_platform.assert_called("POST", "/embeddings", times=3)


def test_files(nexus_platform: Platform) -> None:
    files_sync.main()
    assert Path("copy.txt").read_text(encoding="utf-8").startswith("第一章\n第一章\n")
    nexus_platform.assert_called("DELETE", "/files/file_1")


def test_images(nexus_platform: Platform) -> None:
    nexus_platform.image(statuses=[("running", 50)], prompt="a castle with a dragon at night")
    nexus_platform.image(times=None)
    images_sync.main()
    assert Path("cats.png").read_bytes().startswith(b"\x89PNG")
    assert Path("dog-2.png").exists()


def test_knowledge_base_rag(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text("Up to 140 euros a night [1].")
    knowledge_base_rag.main()
    printed = capsys.readouterr().out
    assert "Up to 140 euros" in printed
    assert "from handbook.md" in printed
    nexus_platform.assert_called("DELETE", "/knowledge-bases/kb_1")


def test_session_chat(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text("Go to Brest, Ada.")
    nexus_platform.text(["A ", "raincoat."])
    nexus_platform.text(lambda call: "Ada" if "Ada" in call.messages[0]["content"] else "Who knows?")
    session_chat.main()
    printed = capsys.readouterr().out
    assert "A raincoat.\nAda\n" in printed
    assert printed.count("assistant: ") == 3


def test_audio(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.transcript("图书馆早上九点开门。", language="zh", statuses=[("running", 50)])
    audio_sync.main()
    printed = capsys.readouterr().out
    assert "  50.0 %" in printed
    assert "[zh] 0.0-" in printed


def test_streaming(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text(["one, ", "two, ", "three"], prompt="Count from one to ten, in words.")
    nexus_platform.text(["word "] * 100, prompt="Tell me a very long story.")
    nexus_platform.text(["Hel", "lo"], cut_after=1)
    streaming_example.main()
    printed = capsys.readouterr().out
    assert "one, two, three\n[stop" in printed
    assert printed.count("word ") == 11
    assert "Only this came: 'Hel'" in printed


def test_typed_answers(nexus_platform: Platform, capsys: pytest.CaptureFixture) -> None:
    nexus_platform.text("It is in Paris.")  # is sent back, as it is no JSON
    nexus_platform.text(json.dumps({"name": "Paris", "country": "France"}))
    typed_answers.main()
    assert capsys.readouterr().out == "Paris in France\n"
