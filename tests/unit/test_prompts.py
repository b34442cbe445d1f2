"""The words that the SDK itself gives to a model, whole: they are part of what it does."""

from __future__ import annotations

from typing import List

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from nexusai._internal import _prompts
from nexusai.models import SearchResult

ENGLISH = (
    "You answer questions from the given passages. Use nothing else, be brief, and end a sentence "
    "with the number of its passage, such as [1]. If the answer is not in them, say so."
)
CHINESE = (
    "你根据给出的资料回答问题。只使用资料中的内容，回答简短，并在句末用资料的编号注明出处，例如 [1]。"
    "资料里没有答案时，就说没有找到。"
)


class Person(BaseModel):
    """What a model is asked for."""

    name: str
    ages: List[int]


def passages(*texts: str) -> List[SearchResult]:
    return [SearchResult(chunk_id="c", doc_id="d", content=text, similarity_score=1) for text in texts]


def test_a_question_is_asked_in_its_language() -> None:
    """With its passages, each under its number."""
    assert _prompts.question_messages("Who?", passages("Ann.", "Bob.")) == [
        {"role": "system", "content": ENGLISH},
        {"role": "user", "content": "Passages:\n[1] Ann.\n\n[2] Bob.\n\nQuestion: Who?"},
    ]
    assert _prompts.question_messages("是谁？", passages("安。", "Bob.")) == [
        {"role": "system", "content": CHINESE},
        {"role": "user", "content": "资料：\n[1] 安。\n\n[2] Bob.\n\n问题：是谁？"},
    ]


def test_nothing_found_is_told_in_the_question_s_language() -> None:
    """One Chinese character is enough."""
    assert _prompts.not_found("What does 龙 mean?") == "资料中没有找到相关内容。"
    assert _prompts.not_found("What?") == "The documents say nothing about this."


def test_the_format_that_a_model_is_held_to() -> None:
    """Its name holds nothing that a server refuses, and is never empty."""
    adapter = TypeAdapter(Person)
    schema = adapter.json_schema()
    made = _prompts.json_format(adapter, "List[a.Person-2_b]")
    named = {"name": "List_a_Person-2_b_", "schema": schema, "strict": True}
    assert made == {"type": "json_schema", "json_schema": named}
    assert _prompts.json_format(adapter, "x" * 65)["json_schema"]["name"] == "x" * 64
    assert _prompts.json_format(adapter, "")["json_schema"]["name"] == "answer"


def test_the_schema_is_told_in_words_too() -> None:
    """Before a prompt, or before a whole conversation; in its own script."""
    schema = {"title": "人", "type": "string"}
    written = '{"title": "人", "type": "string"}'
    told = f"Answer with one JSON value of this schema, and nothing else:\n{written}"
    first = {"role": "system", "content": told}
    asked = {"json_schema": {"schema": schema}}
    assert _prompts.json_messages("hi", None, asked) == [first, {"role": "user", "content": "hi"}]
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert _prompts.json_messages(None, turns, asked) == [first, *turns]


def test_a_wrong_answer_is_sent_back_with_what_is_wrong() -> None:
    """The conversation goes on; it does not begin anew."""
    turns = [{"role": "user", "content": "a"}]
    complaint = "This does not fit the schema: name: missing\nAnswer again, with the corrected JSON only."
    assert _prompts.repair_messages(turns, "{}", "name: missing") == [
        *turns,
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": complaint},
    ]


@pytest.mark.parametrize(
    ("answer", "json_text"),
    [
        ("{}", "{}"),
        ("```json\n{}\n```", "{}"),
        (" \n```\n[1,\n2]```\n ", "[1,\n2]"),
        ("```c++17\n{}\n```", "```c++17\n{}\n```"),
        ("Here: ```json\n{}\n```", "Here: ```json\n{}\n```"),
    ],
)
def test_a_fence_is_taken_off(answer: str, json_text: str) -> None:
    """Where it goes around the whole answer."""
    assert _prompts.unfenced(answer) == json_text


def test_what_is_wrong_is_told_field_by_field() -> None:
    """In at most ten lines, and without the value."""
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"ages": ["nxs_x"]})
    first, second = _prompts.problems_of(caught.value).split("\n")
    assert first == "name: Field required"
    assert second.startswith("ages.0: Input should be a valid integer")
    assert "nxs_x" not in second
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python("x")
    assert _prompts.problems_of(caught.value).startswith("value: ")
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(List[int]).validate_python(["x"] * 11)
    assert len(_prompts.problems_of(caught.value).split("\n")) == 10
