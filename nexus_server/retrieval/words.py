"""Text → the words that a search looks for, in Chinese and in languages with spaces."""

from __future__ import annotations

import re
import unicodedata

_WIDE = r"\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+")
_CJK = re.compile(rf"[{_WIDE}]")
_ENDINGS = ("ings", "ing", "ies", "edly", "ed", "es", "s", "ly")

# What a question is made of, and not what it is about.
_STOP_WORDS = """
a an and are as at be by can do does did for from has have how i if in is it its may me my of on or our
shall should that the their there they this to was we were what when where which who whom why will with
would you your
的 了 吗 呢 吧 是 在 有 和 与 或 我 你 他 她 它 们 这 那 哪 个 么 什 怎 多 少 几 为 被 把 对 会 能 可
"""
_STOP = frozenset(_STOP_WORDS.split())


def words(text: str) -> list[str]:
    """Words in order, repeated as they stand: stems of Latin ones, pairs of Chinese characters.

    Full-width letters are as good as others, and so are capitals.
    """
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        if _CJK.match(run):
            found.extend(run[i : i + 2] for i in range(len(run) - 1))
            found.extend(run if len(run) == 1 else ())
        else:
            found.append(_stem(run))
    return found


def is_cjk(text: str) -> bool:
    """Whether a text is written in Chinese, Japanese or Korean, mostly."""
    return 3 * len(_CJK.findall(text)) >= len(re.findall(r"[^\W\d_]", text)) > 0


def query_words(text: str) -> list[str]:
    """The words of a question that say what it is about, each once."""
    found = list(dict.fromkeys(words(text)))
    return [word for word in found if word not in _STOP and not _is_filler(word)] or found


def _is_filler(word: str) -> bool:
    return len(word) == 2 and all(character in _STOP for character in word)


def _stem(word: str) -> str:
    """A word without its ending, so that `refunds` finds `refund`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            return f"{stem}y" if ending == "ies" else stem.rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word
