"""Everything that an error, or any other object, shows of itself, in one text to be searched for a secret."""

from __future__ import annotations

import pickle
import traceback
from contextlib import suppress
from typing import Any, Iterator, List, Set

_OURS = ("/nexusai/", "/httpx/", "/httpcore/", "/h11/", "/anyio/_", "/pyreqwest/")


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error, its causes and its contexts."""
    seen: List[BaseException] = []
    rest: List[Any] = [error]
    while rest:
        each = rest.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        yield each
        rest += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def all_of(error: BaseException) -> str:
    """What can be seen of an error, with the variables of our frames and of the libraries below."""
    told: List[str] = []
    for each in chain(error):
        told += [str(each), repr(each), repr(each.args), repr(vars(each)), *getattr(each, "__notes__", ())]
        frames = [frame for frame in traceback.walk_tb(each.__traceback__) if _is_ours(frame[0])]
        summary = traceback.StackSummary.extract(iter(frames), capture_locals=True)
        told += [repr(frame.locals) for frame in summary]
        for frame, _ in frames:
            told += [text for value in frame.f_locals.values() for text in _inside(value, 2, set())]
    with suppress(TypeError, AttributeError, pickle.PicklingError):
        told.append(repr(pickle.dumps(error)))
    return "\n".join(told)


def _is_ours(frame: Any) -> bool:
    return any(part in frame.f_code.co_filename for part in _OURS)


def inside(value: Any, depth: int = 8) -> Iterator[str]:
    """The representation of an object, and of what its attributes and items hold."""
    return _inside(value, depth, set())


def _inside(value: Any, depth: int, seen: Set[int]) -> Iterator[str]:
    if id(value) in seen or depth < 0:
        return
    seen.add(id(value))
    with suppress(RuntimeError):  # so answer what pyreqwest has sent already
        yield repr(value)
    parts: List[Any] = []
    if isinstance(value, dict):
        parts += [*value, *value.values()]
    elif type(value) in (list, tuple, set, frozenset):
        parts += value
    elif type(value).__module__.startswith("nexusai"):
        with suppress(TypeError):
            parts += vars(value).values()
        parts += [getattr(value, name) for name in getattr(value, "__slots__", ()) if hasattr(value, name)]
    for part in parts:
        yield from _inside(part, depth - 1, seen)
