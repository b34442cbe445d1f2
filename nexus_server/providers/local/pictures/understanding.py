"""A prompt → what is to be drawn: things, how many, where, when. What is not known is left out, and told."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_CJK = re.compile(r"[\u3400-\u9fff]")
_LETTER = r"[^\W\d_\u3400-\u9fff]"
# Words, numbers, each Chinese sign, and every other sign.
_TOKEN = re.compile(rf"{_LETTER}+(?:'{_LETTER}+)*|\d+|[\u3400-\u9fff]|\S")

SCENES = {
    "beach": ("beach", "seaside", "shore", "coast", "海滩", "沙滩", "海边"),
    "sea": ("sea", "ocean", "lake", "river", "海上", "大海", "海洋", "湖", "湖边", "河", "河边", "水面"),
    "underwater": ("underwater", "under the sea", "under water", "海底", "水下", "水底"),
    "forest": ("forest", "woods", "jungle", "森林", "树林"),
    "bamboo": ("bamboo grove", "bamboo forest", "bamboo", "竹林", "竹子"),
    "city": ("city", "town", "skyline", "street", "城市", "都市", "街道", "街上", "大街"),
    "space": ("space", "outer space", "galaxy", "universe", "太空", "宇宙", "银河", "星空"),
    "desert": ("desert", "dunes", "沙漠"),
    "mountain": (
        "mountain",
        "mountains",
        "alps",
        "hill",
        "hills",
        "山",
        "高山",
        "群山",
        "山上",
        "山顶",
        "雪山",
    ),
    "room": (
        "room",
        "kitchen",
        "bedroom",
        "living room",
        "office",
        "indoors",
        "房间",
        "屋里",
        "厨房",
        "卧室",
        "客厅",
    ),
    "meadow": (
        "meadow",
        "garden",
        "park",
        "field",
        "farm",
        "grass",
        "lawn",
        "草地",
        "花园",
        "公园",
        "田野",
        "农场",
        "草原",
    ),
    "sky": ("sky", "clouds", "天空", "空中", "云端", "云中"),
}
TIMES = {
    "sunset": ("sunset", "dusk", "evening", "日落", "黄昏", "傍晚", "夕阳"),
    "sunrise": ("sunrise", "dawn", "日出", "清晨", "黎明", "早晨"),
    "night": (
        "night",
        "midnight",
        "moonlight",
        "moon",
        "stars",
        "夜",
        "夜晚",
        "晚上",
        "夜里",
        "月光",
        "月亮",
        "星星",
    ),
    "day": ("day", "noon", "sunny", "白天", "中午", "晴天"),
}
WEATHERS = {
    "rain": ("rain", "rainy", "raining", "雨", "下雨", "雨中"),
    "snow": ("snow", "snowy", "snowing", "winter", "雪", "下雪", "冬天", "雪地", "雪山"),
    "fog": ("fog", "foggy", "mist", "雾", "大雾"),
}
_RIDING = ("riding", "rides", "ride", "骑着", "骑", "坐在", "sitting on", "standing on", "站在")
_NOT = ("no", "without", "not", "没有", "无", "不要", "别画")
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "pair": 2,
    "few": 3,
    "several": 4,
    "many": 5,
    "some": 3,
    "一": 1,
    "两": 2,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "几": 3,
    "许多": 5,
}
_MEASURES = "只个条朵棵辆艘匹头颗架把本杯座位名群间张块片盏枝"
_MOST = 9

# Words and signs that name nothing to draw, and are passed over in silence.
_SILENT_SIGNS = (
    "的了着在和与里上下中有是吃喝看跑飞走睡坐站玩拿放用穿过"
    "红蓝绿黄白黑大小美丽幅画张请一桌边旁前后它他她你我们这那"
)
_SILENT = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "on",
        "in",
        "at",
        "by",
        "with",
        "and",
        "or",
        "to",
        "from",
        "under",
        "over",
        "above",
        "below",
        "behind",
        "near",
        "between",
        "into",
        "through",
        "is",
        "are",
        "was",
        "be",
        "being",
        "it",
        "its",
        "his",
        "her",
        "their",
        "my",
        "your",
        "our",
        "very",
        "picture",
        "image",
        "photo",
        "painting",
        "drawing",
        "illustration",
        "draw",
        "paint",
        "show",
        "me",
        "please",
        "that",
        "this",
        "there",
        "who",
        "which",
        "while",
        "as",
        "for",
        "up",
        "down",
        "out",
        "beautiful",
        "pretty",
        "lovely",
        "cute",
        "nice",
        "small",
        "little",
        "big",
        "large",
        "old",
        "young",
        "new",
        "red",
        "blue",
        "green",
        "yellow",
        "white",
        "black",
        "brown",
        "pink",
        "purple",
        "orange",
        "golden",
        "bright",
        "dark",
        "warm",
        "cold",
        "happy",
        "sad",
        "smiling",
        "sleeping",
        "sitting",
        "standing",
        "running",
        "walking",
        "flying",
        "swimming",
        "playing",
        "eating",
        "drinking",
        "reading",
        "holding",
        "riding",
        "looking",
        "jumping",
        "dancing",
        "wearing",
        "made",
        "full",
        "set",
        "next",
        "front",
        "back",
        "top",
        "side",
        "middle",
        "view",
        "scene",
        "background",
        "style",
        "high",
        "detailed",
        "quality",
    ]
)


@dataclass(frozen=True)
class Thing:
    """Something that can be drawn. `size` and `place` say how large it is and where it is at home."""

    art: str
    names: tuple[str, ...]
    size: str
    place: str
    label: tuple[str, str]


@dataclass
class Plan:
    """What is to be drawn: things with their numbers, in the order of the prompt; and where and when."""

    things: list[tuple[Thing, int]] = field(default_factory=list)
    scene: str | None = None
    time: str | None = None
    weather: str | None = None
    rider: int | None = None
    """Which of the things sits or stands on the one after it."""
    ignored: list[str] = field(default_factory=list)
    chinese: bool = False


def understand(prompt: str) -> Plan:
    """What a prompt in English or Chinese asks for, as far as it is known."""
    tokens = _TOKEN.findall(prompt.lower().replace("-", " "))
    reader = _Reader(Plan(chinese=bool(_CJK.search(prompt))))
    position = 0
    while position < len(tokens):
        name, length = _longest(tokens, position)
        if name is None:
            reader.hear_other(tokens[position])
        else:
            reader.hear_name(name)
        position += length
    plan = reader.plan
    plan.ignored = _phrases(plan.ignored, chinese=plan.chinese)
    return plan


class _Reader:
    """Hears a prompt word by word: a number, a `no` and a verb are said of the name that follows."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._count = 0
        self._riding = False
        self._negated = False
        self._unknown_negated = False

    def hear_name(self, name: str) -> None:
        """A name of the tables: a thing, a scene, a verb that joins two things, a `no`."""
        if self._unknown_negated:  # `no` was said of what we do not know, and not of this
            self._forget()
        if name in _NOT:
            self._negated = True
        elif name in _RIDING:
            self._riding = bool(self.plan.things) and not self._negated
        else:
            self._hear_thing(name)

    def hear_other(self, word: str) -> None:
        """A number, a comma, or a word of no table."""
        number = int(word[:3]) if word.isdecimal() else _NUMBERS.get(word)
        if number is not None and not (word in ("a", "an") and self._count):
            self._count = max(1, min(number, _MOST))
        elif unicodedata.category(word[0])[0] in "PZCM":
            self._forget()
        elif _passes(word):
            if self._unknown_negated:
                self._forget()
        elif self._negated:
            self._unknown_negated = True
        else:
            self.plan.ignored.append(word)

    def _hear_thing(self, name: str) -> None:
        if not self._negated:
            before = len(self.plan.things)
            _take(self.plan, name, self._count or 1)
            if self._riding and self.plan.rider is None and len(self.plan.things) > before:
                self.plan.rider = before - 1
        self._forget()

    def _forget(self) -> None:
        self._count, self._riding, self._negated, self._unknown_negated = 0, False, False, False


def _take(plan: Plan, name: str, count: int) -> None:
    known = False
    for attribute, table in (("scene", SCENES), ("time", TIMES), ("weather", WEATHERS)):
        for key, names in table.items():
            if name in names:
                known = True
                if getattr(plan, attribute) is None:
                    setattr(plan, attribute, key)
    thing = _things().get(name)
    if thing is None or (known and thing.place != "sky"):
        return
    earlier = [number for number, (each, _) in enumerate(plan.things) if each.art == thing.art]
    if earlier:
        plan.things[earlier[0]] = (thing, max(count, plan.things[earlier[0]][1]))
    else:
        plan.things.append((thing, count))


def _longest(tokens: list[str], position: int) -> tuple[str | None, int]:
    """The longest name that begins here, and how many tokens it has."""
    known = _names()
    for length in range(min(6, len(tokens) - position), 0, -1):
        part = tokens[position : position + length]
        wide = all(_CJK.match(each) for each in part)
        if not wide and any(_CJK.match(each) for each in part):
            continue
        text = ("" if wide else " ").join(part)
        for form in (text,) if wide else _singulars(text):
            if form in known:
                return form, length
    return None, 1


def _singulars(text: str) -> Iterator[str]:
    yield text
    irregular = {"mice": "mouse", "geese": "goose", "men": "man", "women": "woman", "children": "child"}
    if text in irregular:
        yield irregular[text]
    if text.endswith("ies"):
        yield text[:-3] + "y"
    if text.endswith("ves"):
        yield text[:-3] + "f"
    if text.endswith("es"):
        yield text[:-2]
    if text.endswith("s"):
        yield text[:-1]


def _passes(word: str) -> bool:
    """Whether a word names nothing that could be missed in the picture."""
    if _CJK.match(word):
        return word in _MEASURES or word in _SILENT_SIGNS
    return word in _SILENT or word.endswith(("ing", "ly"))


def _phrases(words: list[str], *, chinese: bool) -> list[str]:
    return ["".join(words)] if chinese and words else list(dict.fromkeys(words))


@cache
def _things() -> dict[str, Thing]:
    rows: list[dict[str, Any]] = json.loads((files(__package__) / "things.json").read_text("utf-8"))
    found: dict[str, Thing] = {}
    for row in rows:
        names = (*row["en"], *row["zh"], *_emoji(row["art"]))
        label = ((row["en"] or names)[0], (row["zh"] or names)[0])
        thing = Thing(row["art"], names, row["size"], row["place"], label)
        for name in names:
            found.setdefault(name, thing)
    return found


def _emoji(code: str) -> tuple[str, ...]:
    """The sign itself, where it is a single one."""
    points = [point for point in code.split("-") if point != "fe0f"]
    return (chr(int(points[0], 16)),) if len(points) == 1 else ()


@cache
def _names() -> frozenset[str]:
    tables = (SCENES, TIMES, WEATHERS)
    spoken = {name for table in tables for names in table.values() for name in names}
    return frozenset({*_things(), *spoken, *_RIDING, *_NOT})
