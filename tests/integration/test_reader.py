"""What a newcomer asks, and where the docs answer it: each question, its page, its heading, its key words.

`docs/faq.md` asks the same questions, in both languages, and leads to these places.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

ANSWERS = {
    "How do I try it without an account?": (
        "getting_started",
        "2. The first answer",
        "NexusAIClient.local()",
    ),
    "Where is my key?": ("configuration", "Where is my key?", "the file `api_key` in its data directory"),
    "Which setting counts when there are several?": (
        "configuration",
        "Where a setting comes from",
        "the first that is there counts",
    ),
    "How do I use my own OpenAI-compatible provider?": (
        "providers",
        "Put one behind the local platform",
        "[[upstreams]]",
    ),
    "Does my program that uses OpenAI's package work, too?": ("migration_guide", "From openai", "at `/v1`"),
    "What does it cost to import?": ("best_practices", "Best practices", "takes a few milliseconds"),
    "How do I resume a stream?": (
        "streaming",
        "When the connection breaks",
        "is taken up where it was, by itself: no piece comes twice",
    ),
    "How do I stop an answer?": ("streaming", "Stop early", "the platform stops generating"),
    "How do I stop a task?": ("tasks", "Stop a task", "task.cancel()"),
    "My program ended while a task ran: is it lost?": (
        "tasks",
        "Go on in another process",
        "client.tasks.get(task_id).wait()",
    ),
    "Can it read Chinese documents?": ("knowledge_bases", "Chinese documents", "They need nothing"),
    "Why does a search find nothing?": ("knowledge_bases", "Search", "lower the threshold to about 0.4"),
    "How do I get JSON, or an object of my class?": (
        "text",
        "An answer as a value of your own type",
        "client.text.parse(",
    ),
    "How do I make a thousand calls?": ("batches", "Batches", 'checkpoint="answers.jsonl"'),
    "Can threads share a client?": ("concurrency", "Threads", "Any number may use a client"),
    "How do I limit time?": ("configuration", "Limits of time", "set `total_timeout`"),
    "Which errors are retried?": ("errors", "What is retried", "408, 429, 500, 502, 503, 504"),
    "We have a proxy and a certificate of our own": (
        "configuration",
        "Proxies and certificates",
        "`SSL_CERT_FILE`",
    ),
    "How do I test without a network?": ("testing", "With pytest", "nexus_platform"),
    "How do I see what it sends?": ("errors", "See what goes over the wire", "`NEXUS_LOG=info`"),
    "Nothing works": ("getting_started", "When it does not work", "`nexusai doctor`"),
}


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    found = re.search(
        rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found, f"{page.name} has no heading {heading!r}"
    return " ".join(found[2].split())


def questions(page: str) -> list[tuple[str, str]]:
    """Of the FAQ: each question, and the first link of its answer."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(r"^### (.*?)\n.*?→ \[.*?\]\((.*?)\)", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("question", ANSWERS)
def test_the_docs_answer_it_where_they_say(question: str) -> None:
    name, heading, words = ANSWERS[question]
    assert words in section(DOCS / f"{name}.md", heading)


def test_the_faq_asks_just_these_and_leads_there_in_both_languages() -> None:
    asked = questions("faq.md")
    assert [question for question, _ in asked] == list(ANSWERS)
    assert [link.partition(".")[0] for _, link in asked] == [name for name, _, _ in ANSWERS.values()]
    chinese = questions("faq.zh-CN.md")
    assert [link.partition(".")[0] for _, link in chinese] == [link.partition(".")[0] for _, link in asked]
    assert [bool("#" in link) for _, link in chinese] == [bool("#" in link) for _, link in asked]
