"""What a scripted platform is told to answer, and to which calls."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Pattern, Sequence, Tuple, Union

from nexusai.testing._calls import Call
from nexusai.testing._wire import Reply, Trouble
from nexusai.types import JSONObject

Prompt = Union[str, Pattern[str]]
"""The whole prompt, or a pattern that is found in it."""

When = Callable[[Call], bool]
Statuses = Sequence[Union[str, Tuple[str, float]]]
"""What a task passes through: `"queued"`, or with its progress `("running", 40)`."""

Said = Union[str, Sequence[str], Mapping[str, Any]]
"""A text; its pieces; or what is to be said as JSON."""

Vectors = Union[Sequence[Sequence[float]], Callable[[str], Sequence[float]]]
"""Vectors in the texts' order, or a function of a text."""

METHODS = {
    "text_generation": "text",
    "image_generation": "image",
    "text_to_speech": "speech",
    "speech_to_text": "transcript",
    "document_processing": "document",
    "search": "passages",
    "embeddings": "vectors",
}
"""How the methods of `Platform` that script these are called."""


class UnexpectedCallError(AssertionError):
    """A call came that the script does not know."""


class Match(NamedTuple):
    """Which calls a rule is for. What is None does not matter."""

    kind: Optional[str] = None
    prompt: Optional[Prompt] = None
    model: Optional[str] = None
    method: Optional[str] = None
    path: Optional[str] = None
    when: Optional[When] = None

    def __call__(self, call: Call) -> bool:
        """Whether it is for this call."""
        return (
            self.kind in (None, call.kind)
            and self.model in (None, call.model)
            and self.method in (None, call.method)
            and (self.path is None or fnmatchcase(call.path, self.path))
            and _says(call.prompt, self.prompt)
            and (self.when is None or self.when(call))
        )

    def __str__(self) -> str:
        told = [
            f"{name} {(value.pattern if isinstance(value, re.Pattern) else value)!r}"
            for name, value in zip(self._fields, self)
            if value is not None and name not in ("kind", "when")
        ]
        return ", ".join([*told, *(["a condition"] if self.when else [])])


class Making(NamedTuple):
    """How a task goes, and what it comes to.

    Attributes:
        output: of the call.
        statuses: what it passes through before its end, with the progress at each.
        ends: whether it ever does.
        cut_after: the pieces after which a stream breaks off.
        resumes: whether a stream that broke off can be taken up.
    """

    output: Callable[[Call], JSONObject]
    statuses: Tuple[Tuple[str, Optional[float]], ...] = ()
    ends: bool = True
    failure: Optional[JSONObject] = None
    cut_after: Optional[int] = None
    resumes: bool = False


class Fault(NamedTuple):
    """What is wrong with the wire, or with the platform.

    Attributes:
        reply: what comes in place of the answer; None where that is cut.
        after_bytes: of the answer, before the connection breaks.
    """

    reply: Optional[Reply]
    after_bytes: int = 0
    trouble: Optional[Trouble] = None


class Rule:
    """An answer, the calls it is for, and how many of them it is for."""

    def __init__(self, shown: str, match: Match, answer: Any, times: Optional[int], takes: float) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, or None for any number, not {times!r}")
        self.match = match
        self.answer = answer
        self.takes = takes
        self.used = 0
        self._shown = shown
        self._times = times

    @property
    def is_left(self) -> bool:
        """Whether it answers once more."""
        return self._times is None or self.used < self._times

    @property
    def is_used_up(self) -> bool:
        """Whether it was given as often as it should be."""
        return self.used == self._times if self._times is not None else self.used > 0

    def __str__(self) -> str:
        what = f" for {self.match}" if str(self.match) else ""
        often = "any number of times" if self._times is None else f"of {self._times}"
        return f"{self._shown}{what}: used {self.used} {often}"


class Script:
    """The rules, in the order in which they were given."""

    def __init__(self, *, strict: bool) -> None:
        self.rules: List[Rule] = []
        self._strict = strict

    def take(self, call: Call) -> Optional[Rule]:
        """The first rule that is for this call; None where the platform answers by itself.

        Raises:
            UnexpectedCallError: it does not, as there are rules for such calls, or it is strict.
        """
        rule = next((rule for rule in self.rules if rule.is_left and rule.match(call)), None)
        if rule is not None:
            rule.used += 1
            return rule
        scripted = any(rule.match.kind is not None and rule.match.kind == call.kind for rule in self.rules)
        if call.kind is not None and (self._strict or scripted):
            raise UnexpectedCallError(self.complaint(call))
        return None

    def complaint(self, call: Call) -> str:
        """That nothing is scripted for a call, what is, and what to do."""
        rows = [f"  {number}. {rule}" for number, rule in enumerate(self.rules, 1)] or ["  nothing"]
        method = METHODS.get(call.kind or "")
        advice = f"platform.{method}(…)" if method else f"platform.reply(…, path={call.path!r})"
        return "\n".join(
            [f"The script has no answer to {call}.", "Scripted is:", *rows, f"Add one with {advice}."]
        )


def statuses_of(given: Statuses) -> Tuple[Tuple[str, Optional[float]], ...]:
    """Statuses, each with its progress or None."""
    return tuple((each, None) if isinstance(each, str) else (each[0], float(each[1])) for each in given)


def pieces_of(said: Any) -> List[str]:
    """A text in the pieces in which a stream tells it."""
    if isinstance(said, str):
        return re.findall(r"\s*\S+\s*$|\s*\S+", said) or [said]
    if hasattr(said, "model_dump_json"):
        return [said.model_dump_json()]
    if isinstance(said, Mapping):
        return [json.dumps(said, ensure_ascii=False)]
    return [str(piece) for piece in said]


def instance_of(schema: Mapping[str, Any], root: Optional[Mapping[str, Any]] = None) -> Any:
    """The simplest value that a JSON schema allows, for the schemas that pydantic writes."""
    root = schema if root is None else root
    if "$ref" in schema:
        return instance_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if schema.get(name):
            return schema[name][0]
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices:
        return instance_of(choices[0], root)
    make = _SIMPLEST.get(schema.get("type", ""))
    return None if make is None else make(schema, root)


def _simplest_object(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    wanted = schema.get("required", [])
    fields: Dict[str, Any] = schema.get("properties", {})
    return {name: instance_of(field, root) for name, field in fields.items() if name in wanted}


def _simplest_array(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    items = [*schema.get("prefixItems", [])]
    items += [schema.get("items") or {}] * max(0, schema.get("minItems", 0) - len(items))
    return [instance_of(item, root) for item in items]


def _simplest_number(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)


_SIMPLEST: Dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "object": _simplest_object,
    "array": _simplest_array,
    "integer": _simplest_number,
    "number": _simplest_number,
    "boolean": lambda schema, root: False,
    "string": lambda schema, root: "x" * schema.get("minLength", 0),
}


def _says(prompt: Optional[str], wanted: Optional[Prompt]) -> bool:
    if wanted is None:
        return True
    if prompt is None:
        return False
    return prompt == wanted if isinstance(wanted, str) else wanted.search(prompt) is not None
