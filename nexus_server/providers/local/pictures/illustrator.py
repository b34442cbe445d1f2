"""Puts pictures of things into a painted scene."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from nexus_server.providers.local.pictures.painting import HORIZON, Random, fall, paint, shade
from nexus_server.providers.local.pictures.understanding import Plan, Thing, understand

MODEL_ID = "nexus-illustrator-1"
GENERATOR = "composited illustration (not a diffusion model)"

_SIZES = {"huge": 0.46, "large": 0.38, "medium": 0.29, "small": 0.2, "tiny": 0.13}
"""Of the picture's height."""


@dataclass(frozen=True)
class Drawing:
    """A picture, and an honest word about it."""

    png: bytes
    revised_prompt: str
    drawn: tuple[str, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True)
class _Spot:
    """Where a thing stands: the middle of its foot, and its size, in pixels."""

    thing: Thing
    x: float
    y: float
    size: int


def draw(
    prompt: str,
    *,
    width: int = 1024,
    height: int = 1024,
    seed: int | None = None,
    on_progress: Callable[[float], None] = lambda percent: None,
) -> Drawing:
    """Draw what is known of a prompt; the same prompt and seed give the same picture."""
    plan = understand(prompt)
    random = np.random.default_rng(0 if seed is None else abs(seed))
    scene = _scene(plan)
    time = plan.time or ("night" if scene == "space" else "day")
    canvas = paint(width, height, scene=scene, time=time, weather=plan.weather, random=random)
    on_progress(40)
    spots = _arranged(plan, scene, width, height, random)
    for number, spot in enumerate(sorted(spots, key=lambda each: (each.thing.place != "sky", each.y))):
        _put(canvas, spot, time, shadow=_stands(spot, scene), afloat=_floats(spot, scene))
        on_progress(40 + 50 * (number + 1) / len(spots))
    canvas = fall(canvas, plan.weather, random)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", compress_level=6)
    language = 1 if plan.chinese else 0
    drawn = tuple(_counted(thing.label[language], count) for thing, count in plan.things)
    return Drawing(buffer.getvalue(), _told(plan, drawn), drawn, tuple(plan.ignored))


def _scene(plan: Plan) -> str:
    """Where it is, if nobody says so: what is at home in the sky or the water is shown there."""
    if plan.scene:
        return plan.scene
    if not plan.things:
        return "abstract"
    places = {thing.place for thing, _ in plan.things}
    if places == {"sky"}:
        return "sky"
    return "sea" if "water" in places else "meadow"


def _arranged(plan: Plan, scene: str, width: int, height: int, random: Random) -> list[_Spot]:
    """A place for everything: side by side on the ground, the first nearest the eye; the sky above."""
    floating = scene in ("space", "underwater", "sky")
    pairs = [
        (thing, thing.place if not floating else "sky") for thing, count in plan.things for _ in range(count)
    ]
    if plan.rider is not None:
        return _ridden(plan, scene, width, height, random)
    low = [thing for thing, place in pairs if place != "sky"]
    high = [thing for thing, place in pairs if place == "sky"]
    return [*_row(low, width, height, random), *_flock(high, width, height, random, alone=not low)]


def _row(things: list[Thing], width: int, height: int, random: Random) -> list[_Spot]:
    spots: list[_Spot] = []
    if not things:
        return spots
    order = sorted(things, key=lambda each: -_SIZES[each.size])
    total = sum(_SIZES[each.size] for each in order) * height
    scale = min(1.25 if len(order) < 3 else 1.0, width / max(total, 1))
    turns = [each for side in (order[::2][::-1], order[1::2]) for each in side]  # the largest in the middle
    left = (width - sum(_SIZES[each.size] for each in turns) * height * scale) / 2
    for thing in turns:
        size = _SIZES[thing.size] * height * scale
        near = {"huge": 0.06, "large": 0.12, "medium": 0.2, "small": 0.25, "tiny": 0.28}[thing.size]
        y = height * (HORIZON + near + random.uniform(-0.02, 0.02))
        spots.append(_Spot(thing, left + size / 2, y, int(size)))
        left += size
    return spots


def _flock(things: list[Thing], width: int, height: int, random: Random, *, alone: bool) -> list[_Spot]:
    spots = []
    for number, thing in enumerate(things):
        size = int(
            _SIZES[thing.size]
            * min(height, width)
            * (1.15 if alone else 0.85)
            * (1 if len(things) < 4 else 0.75)
        )
        x = width * (number + 0.5) / len(things) + random.uniform(-0.03, 0.03) * width
        middle = 0.52 if alone else 0.26
        y = height * (middle + random.uniform(-0.09, 0.09)) + size / 2
        spots.append(_Spot(thing, x, max(y, size * 1.05), size))
    return spots


def _ridden(plan: Plan, scene: str, width: int, height: int, random: Random) -> list[_Spot]:
    """The rider on the thing after it; the others beside them."""
    index = plan.rider or 0
    (rider, _), (mount, _) = plan.things[index : index + 2]
    others = plan.things[:index] + plan.things[index + 2 :]
    below = int(0.42 * min(height, width))
    above = int(0.3 * min(height, width))
    floating = scene in ("space", "underwater", "sky") or mount.place == "sky"
    foot = height * (0.72 if floating else HORIZON + 0.2)
    spots = [_Spot(mount, width / 2, foot, below), _Spot(rider, width / 2, foot - below * 0.52 + 1, above)]
    rest = Plan(things=others, scene=plan.scene)
    return [*_arranged(rest, scene, width, height, random), *spots]


def _stands(spot: _Spot, scene: str) -> bool:
    """Whether it throws a shadow."""
    return spot.thing.place == "ground" and scene not in ("space", "underwater", "sky", "sea")


def _floats(spot: _Spot, scene: str) -> bool:
    """Whether water hides its lowest part."""
    return spot.thing.place == "water" and scene == "sea"


def _put(canvas: Image.Image, spot: _Spot, time: str, *, shadow: bool, afloat: bool) -> None:
    art = _art(spot.thing.art).resize((spot.size, spot.size), Image.Resampling.LANCZOS)
    x, y = int(spot.x - spot.size / 2), int(spot.y - spot.size)
    if shadow:
        layer = Image.new("L", canvas.size, 0)
        half = spot.size * 0.42
        foot = spot.y - spot.size * 0.03
        ImageDraw.Draw(layer).ellipse(
            (spot.x - half, foot - spot.size * 0.06, spot.x + half, foot + spot.size * 0.06), fill=110
        )
        layer = layer.filter(ImageFilter.GaussianBlur(spot.size / 26))
        canvas.paste(Image.new("RGB", canvas.size, (24, 28, 44)), (0, 0), layer)
    shape = _waterline(art.getchannel("A")) if afloat else art.getchannel("A")
    canvas.paste(_tinted(art, time), (x, y), shape)


def _waterline(shape: Image.Image) -> Image.Image:
    """The shape without what is under water, and without a hard edge there."""
    line, soft = shape.height * 0.84, shape.height * 0.02
    seen = np.clip((line - np.arange(shape.height)) / soft, 0, 1)[:, None]
    return Image.fromarray((np.asarray(shape) * seen).astype(np.uint8))


def _tinted(art: Image.Image, time: str) -> Image.Image:
    bands = [
        band.point([int(value * light) for value in range(256)])
        for band, light in zip(art.convert("RGB").split(), shade(time), strict=True)
    ]
    return ImageEnhance.Sharpness(Image.merge("RGB", bands)).enhance(1.3)


@cache
def _archive() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO((files(__package__) / "art.zip").read_bytes()))


@lru_cache(maxsize=64)
def _art(code: str) -> Image.Image:
    return Image.open(io.BytesIO(_archive().read(f"{code}.webp"))).convert("RGBA")


def _counted(label: str, count: int) -> str:
    return label if count == 1 else f"{label} × {count}"


def _told(plan: Plan, drawn: tuple[str, ...]) -> str:
    """What is in the picture, and what of the prompt is not."""
    if plan.chinese:
        what = "、".join(drawn) if drawn else "一幅没有物体的风景"
        missing = f"；没有画出：{'、'.join(plan.ignored)}" if plan.ignored else ""
        return f"拼贴插画：{what}{missing}。"
    what = ", ".join(drawn) if drawn else "a landscape without things"
    missing = f"; not drawn: {', '.join(plan.ignored)}" if plan.ignored else ""
    return f"A composited illustration: {what}{missing}."
