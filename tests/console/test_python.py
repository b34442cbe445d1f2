"""`Show the Python`: it is valid, says exactly what the page does, and runs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from console.visiting import Visit
from playwright.sync_api import expect
from server.process import ServerProcess

VALUES: list[Any] = [
    "plain",
    'it\'s "quoted" \\ and \\n is no line break',
    "two\nlines\r\n\ttab",
    '"""\nimport os  # out of the string?',
    "'''); __import__('os').abort()  #",
    "f{string} %s $var `tick` ${expression}",
    "你好，世界 🙂 é ẞ",
    "\u202e reversed \u2066 hidden \u200b\ufeff\u00ad",
    "\u2028 line \u2029 separators \x85 \x7f",
    "\x00\x01\x1f",
    "\ud800 half a pair",
    "\U000e0041 a tag",
    "x" * 300,
    True,
    False,
    None,
    0,
    -1.5,
    ["a", 'b"', ["c"]],
    {"key": "value", 'o"dd': {"a b": None}},
]

ASK = """async ([functions]) => {
  const python = await import("/console/python.js");
  return functions.map(([name, given]) => python[name](...given));
}"""


def made(visit: Visit, *functions: tuple[str, list[Any]]) -> list[str]:
    """What the page's functions make of this."""
    return list(visit.page.evaluate(ASK, [functions]))


def test_every_value_survives(visit: Visit) -> None:
    """Read back by Python it is what the page has; nothing in it is hidden, or ends it early."""
    literals = made(visit, *(("literal", [value]) for value in VALUES))
    assert [ast.literal_eval(code) for code in literals] == VALUES
    hidden = "\u202e\u2066\u200b\ufeff\u00ad\u2028\u2029\x85\x7f\x00\U000e0041\n\r"
    assert not [code for code in literals if set(code) & set(hidden)]


def test_every_program_can_be_compiled(visit: Visit) -> None:
    """And its calls hold the values that were given, as they are, also when they take several lines."""
    for value in (value for value in VALUES if isinstance(value, str)):
        messages = [{"role": "system", "content": value}, {"role": "user", "content": value}]
        programs = made(
            visit,
            ("chat", [messages[1:], {"model": value}]),
            ("chat", [messages, {"max_tokens": 5, "temperature": 0}]),
            ("image", [value, {"aspect_ratio": "16:9", "num_images": 2}]),
            ("speak", [value, {"voice": value, "format": "mp3"}]),
            ("transcribe", [value, {"language": "zh"}]),
            ("createBase", [value]),
            ("addDocuments", ["kb_1", [value, value]]),
            ("search", [value, "kb_1", {"top_k": 5, "similarity_threshold": 0.4}]),
            ("ask", [value, "kb_1", {"top_k": 5}]),
            ("createSession", [{"name": value, "agent_config": {"system_prompt": value}}]),
            ("say", ["sess_1", value]),
        )
        for program in programs:
            strings = {node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)}
            assert value in strings


def run(code: str, platform: ServerProcess, place: Path) -> str:
    """What a shown program prints; only the key is in the environment."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        cwd=place,
        env={**os.environ, "NEXUS_API_KEY": platform.key, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, code + done.stderr
    return done.stdout


def test_what_is_shown_does_what_the_page_does(visit: Visit, tmp_path: Path) -> None:
    """Run as it stands, view by view."""
    visit.field("Model").select_option("fake/fake-small")
    visit.field("Message").fill('Say "hi"\\ to 你')
    assert run(visit.python(), visit.platform, tmp_path) == "w0 w1 w2 w3 w4 "

    visit.go("Images")
    visit.field("What is to be seen?").fill("a cat")
    visit.field("Format").select_option("21:9")
    assert run(visit.python(), visit.platform, tmp_path).startswith("image.png")
    assert (tmp_path / "image.png").read_bytes()[:4] == b"\x89PNG"

    visit.go("Speech")
    visit.field("Text").fill("Good morning.")
    visit.field("Voice").fill("heart")
    visit.field("File type").select_option("wav")
    assert run(last_python(visit), visit.platform, tmp_path).startswith("speech.wav")

    visit.go("Tasks")
    visit.field("Work").select_option("image_generation")
    expect(visit.page.get_by_role("listitem").filter(has_text="completed").first).to_be_visible()
    assert "image_generation completed" in run(visit.python(), visit.platform, tmp_path)

    visit.go("Key")
    assert int(run(visit.python(), visit.platform, tmp_path)) > 0
    own = visit.page.get_by_role("region", name="In your own code").get_by_role("group").text_content()
    assert "smollm2-135m" in run(own or "", visit.platform, tmp_path)


def last_python(visit: Visit) -> str:
    """The last of several that a view has."""
    visit.page.locator("summary:visible", has_text="Show the Python").last.click()
    return visit.page.locator("details[open] > .code:visible code").last.text_content() or ""


def test_of_knowledge_bases_and_sessions(visit: Visit, tmp_path: Path) -> None:
    """Each step of them, one after the other."""
    place, platform = tmp_path, visit.platform
    (place / "leave.txt").write_text("Every employee has twenty-five days of paid leave a year.")
    (made_base, made_session) = made(
        visit,
        ("createBase", ["Hand'book"]),
        ("createSession", [{"name": "Trip", "agent_config": {"model": "fake-small", "provider": "fake"}}]),
    )
    kb_id = run(made_base, platform, place).strip()
    session_id = run(made_session, platform, place).strip()
    limits = {"top_k": 3, "similarity_threshold": 0.4}
    steps = made(
        visit,
        ("listBases", []),
        ("addDocuments", [kb_id, ["leave.txt"]]),
        ("search", ["How many days of paid leave?", kb_id, limits]),
        ("ask", ["How many days of paid leave?", kb_id, {**limits, "provider": "fake"}]),
        ("deleteBase", [kb_id]),
        ("say", [session_id, "Hello."]),
        ("listSessions", []),
        ("history", [session_id]),
        ("deleteSession", [session_id]),
    )
    wanted = (kb_id, "completed", "leave.txt", "w0 w1", "", "w0 w1", "Trip", "user Hello.", "")
    for code, words in zip(steps, wanted, strict=True):
        assert words in run(code, platform, place)


def test_it_can_be_copied(visit: Visit) -> None:
    """The whole of it, by its button."""
    visit.field("Message").fill("Hello.")
    visit.page.get_by_text("Show the Python").click()
    visit.button("Copy").click()
    expect(visit.button("Copied")).to_be_visible()
    shown = visit.page.locator("details[open] > .code code").text_content()
    assert visit.page.evaluate("navigator.clipboard.readText()") == shown


def test_no_key_is_ever_in_it(visit: Visit) -> None:
    """It says where the key is read from instead."""
    visit.field("Message").fill("Hello.")
    code = visit.python()
    assert "nxs_" not in code
    assert "NEXUS_API_KEY" in code
