"""Words that the SDK itself gives to a model: how to answer from passages, how to give JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from nexusai.models import SearchResult

_CJK = re.compile(r"[\u3400-\u9fff]")
_FENCE = re.compile(r"^\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*$", re.DOTALL)


def is_chinese(text: str) -> bool:
    """Whether a text is to be answered in Chinese."""
    return _CJK.search(text) is not None


def not_found(question: str) -> str:
    """What an answer says when nothing was found."""
    if is_chinese(question):
        return "资料中没有找到相关内容。"
    return "The documents say nothing about this."


def question_messages(question: str, sources: Sequence[SearchResult]) -> List[Dict[str, str]]:
    """A question and the passages to answer it from, in the question's language."""
    passages = "\n\n".join(f"[{number}] {source.content}" for number, source in enumerate(sources, 1))
    if is_chinese(question):
        system = (
            "你根据给出的资料回答问题。只使用资料中的内容，回答简短，并在句末用资料的编号注明出处，例如 [1]。"
            "资料里没有答案时，就说没有找到。"
        )
        user = f"资料：\n{passages}\n\n问题：{question}"
    else:
        system = (
            "You answer questions from the given passages. Use nothing else, be brief, and end a sentence "
            "with the number of its passage, such as [1]. If the answer is not in them, say so."
        )
        user = f"Passages:\n{passages}\n\nQuestion: {question}"
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def json_format(adapter: TypeAdapter[Any], name: str) -> Dict[str, Any]:
    """The `response_format` that makes a model answer by a schema."""
    schema = {"name": re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "answer", "schema": adapter.json_schema()}
    return {"type": "json_schema", "json_schema": {**schema, "strict": True}}


def json_messages(prompt: Any, messages: Any, response_format: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    """The conversation, with the schema in words too: not every model is held to it by its server."""
    schema = json.dumps(response_format["json_schema"]["schema"], ensure_ascii=False)
    system = f"Answer with one JSON value of this schema, and nothing else:\n{schema}"
    turns = list(messages) if messages is not None else [{"role": "user", "content": prompt}]
    return [{"role": "system", "content": system}, *turns]


def repair_messages(turns: Sequence[Mapping[str, Any]], text: str, problem: str) -> List[Mapping[str, Any]]:
    """The same conversation, going on with what was wrong."""
    complaint = f"This does not fit the schema: {problem}\nAnswer again, with the corrected JSON only."
    return [*turns, {"role": "assistant", "content": text}, {"role": "user", "content": complaint}]


def unfenced(text: str) -> str:
    """The JSON of an answer, without the Markdown fence that models like to put around it."""
    match = _FENCE.match(text)
    return match[1] if match else text


def problems_of(error: ValidationError) -> str:
    """What is wrong with a value, in a few lines."""
    rows = error.errors(include_url=False, include_input=False)[:10]
    return "\n".join(f"{'.'.join(map(str, row['loc'])) or 'value'}: {row['msg']}" for row in rows)
