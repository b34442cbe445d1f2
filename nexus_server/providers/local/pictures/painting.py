"""Backdrops: sky, land, water, weather, painted by arithmetic. Nothing in them that was not asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Random = np.random.Generator

_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((96, 174, 240), (214, 238, 252)),
    "sunset": ((92, 70, 140), (255, 168, 96)),
    "sunrise": ((120, 150, 214), (255, 208, 170)),
    "night": ((10, 16, 48), (48, 64, 118)),
}
_LANDS: dict[str, tuple[Colour, Colour]] = {
    "beach": ((247, 223, 170), (226, 190, 128)),
    "desert": ((240, 200, 130), (206, 150, 84)),
    "meadow": ((140, 200, 96), (84, 150, 66)),
    "forest": ((96, 150, 84), (48, 96, 56)),
    "bamboo": ((120, 170, 96), (64, 116, 60)),
    "mountain": ((132, 176, 110), (84, 130, 84)),
    "city": ((150, 156, 168), (104, 110, 124)),
    "room": ((214, 170, 124), (176, 128, 86)),
    "sea": ((46, 130, 186), (16, 70, 128)),
    "snow": ((250, 252, 255), (206, 220, 238)),
    "abstract": ((150, 190, 170), (96, 140, 140)),
}
_LIGHT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "sunset": (1.0, 0.84, 0.74),
    "sunrise": (1.0, 0.93, 0.88),
    "night": (0.42, 0.48, 0.72),
}

HORIZON = 0.62
"""Where the land begins, as a share of the height."""


def paint(
    width: int, height: int, *, scene: str, time: str, weather: str | None, random: Random
) -> Image.Image:
    """A backdrop. What falls from the sky comes later, over everything: see `fall`."""
    if scene == "space":
        return _stars(_gradient(width, height, (8, 8, 30), (44, 24, 76)), random, 260, height)
    if scene == "underwater":
        return _underwater(width, height, random)
    if scene == "room":
        return _room(width, height, time)
    canvas = _gradient(width, height, *_SKIES[time])
    if time == "night":
        canvas = _stars(canvas, random, 120, int(height * 0.55))
    _light_in_the_sky(canvas, time, random)
    if time != "night" and weather is None:
        canvas = _clouds(canvas, random, 5 if scene == "sky" else 3)
    if scene == "sky":
        return _clouds(canvas, random, 6)
    _background(canvas, scene, time, weather, random)
    _land(canvas, "snow" if weather == "snow" and scene != "sea" else scene, time, random)
    if scene == "beach":
        _surf(canvas, time)
    return canvas


def fall(canvas: Image.Image, weather: str | None, random: Random) -> Image.Image:
    """Rain, snow or fog, over everything."""
    width, height = canvas.size
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    if weather == "rain":
        for _ in range(width * height // 5000):
            x, y = random.uniform(0, width), random.uniform(-20, height)
            length = height // 28
            draw.line(
                (x, y, x - length // 4, y + length), fill=(210, 226, 246, 130), width=max(1, width // 640)
            )
    elif weather == "snow":
        for _ in range(width * height // 4500):
            x, y, r = (
                random.uniform(0, width),
                random.uniform(0, height),
                random.uniform(0.001, 0.0045) * width,
            )
            draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 255, int(random.integers(140, 240))))
    elif weather == "fog":
        for share in (0.35, 0.55, 0.75):
            y = int(height * share)
            draw.ellipse((-width * 0.2, y, width * 1.2, y + height * 0.28), fill=(236, 240, 244, 120))
        layer = layer.filter(ImageFilter.GaussianBlur(height / 14))
    return Image.alpha_composite(canvas.convert("RGBA"), layer).convert("RGB")


def shade(time: str) -> tuple[float, float, float]:
    """How the light of that time tints things."""
    night = (0.78, 0.82, 1.0)
    return night if time == "night" else _LIGHT[time]


def _lit(colour: Colour, time: str) -> Colour:
    red, green, blue = (int(c * light) for c, light in zip(colour, _LIGHT[time], strict=True))
    return red, green, blue


def _gradient(width: int, height: int, top: Colour, bottom: Colour) -> Image.Image:
    ramp: NDArray[np.float64] = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def _stars(canvas: Image.Image, random: Random, count: int, below: int) -> Image.Image:
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for _ in range(count):
        x, y = random.uniform(0, canvas.width), random.uniform(0, below)
        r = random.uniform(0.0006, 0.0022) * canvas.width
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 255, 240, int(random.integers(120, 255))))
    return Image.alpha_composite(canvas.convert("RGBA"), layer).convert("RGB")


def _light_in_the_sky(canvas: Image.Image, time: str, random: Random) -> None:
    """The sun or the moon, with its glow."""
    width, height = canvas.size
    x = int(width * random.uniform(0.62, 0.84))
    y = int(height * {"day": 0.16, "night": 0.17}.get(time, HORIZON - 0.07))
    core = {"day": (255, 246, 200), "night": (246, 246, 224)}.get(time, (255, 226, 150))
    r = height * (0.055 if time == "night" else 0.07)
    glow = Image.new("L", canvas.size, 0)
    draw = ImageDraw.Draw(glow)
    for step in range(6, 0, -1):
        size = r * (1 + step * 0.75)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=int(16 * (7 - step)))
    glow = glow.filter(ImageFilter.GaussianBlur(height / 24))
    canvas.paste(Image.new("RGB", canvas.size, core), (0, 0), glow)
    ImageDraw.Draw(canvas).ellipse((x - r, y - r, x + r, y + r), fill=core)


def _clouds(canvas: Image.Image, random: Random, count: int) -> Image.Image:
    layer = Image.new("RGBA", canvas.size, (255, 255, 255, 0))  # white, or blurring would darken the edges
    draw = ImageDraw.Draw(layer)
    width, height = canvas.size
    for _ in range(count):
        x, y = random.uniform(0, width), random.uniform(0.05, 0.42) * height
        for _ in range(7):
            dx, dy = random.normal(0, 0.06) * width, random.normal(0, 0.012) * height
            r = random.uniform(0.02, 0.05) * width
            draw.ellipse(
                (x + dx - r, y + dy - r * 0.5, x + dx + r, y + dy + r * 0.5), fill=(255, 255, 255, 150)
            )
    layer = layer.filter(ImageFilter.GaussianBlur(height / 90))
    return Image.alpha_composite(canvas.convert("RGBA"), layer).convert("RGB")


def _ridge(random: Random, width: int, base: float, rise: float, waves: int) -> NDArray[np.float64]:
    """The outline of hills."""
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for octave in range(1, waves + 1):
        line += np.sin(2 * np.pi * (x * octave * 1.35 + random.uniform())) / octave
    outline: NDArray[np.float64] = base - rise * (line - line.min()) / (np.ptp(line) or 1)
    return outline


def _fill(canvas: Image.Image, line: NDArray[np.float64], colour: Colour) -> None:
    points = [(-1, canvas.height), *enumerate(line.tolist()), (canvas.width, canvas.height)]
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=colour)


def _background(canvas: Image.Image, scene: str, time: str, weather: str | None, random: Random) -> None:
    width, height = canvas.size
    if scene == "city":
        _skyline(canvas, time, random)
    elif scene == "mountain":
        for near, rise in ((False, 0.42), (True, 0.26)):
            _peaks(canvas, height * rise, near=near, time=time, random=random)
    elif scene in _GROVES:
        for depth in (0.6, 0.9):
            _GROVES[scene](canvas, depth, time, random)
    elif scene in ("meadow", "abstract", "desert"):
        _hills(canvas, "snow" if weather == "snow" else scene, time, random)
    elif scene == "beach":
        sea = _gradient(width, int(height * 0.14), _lit((40, 120, 180), time), _lit((110, 190, 214), time))
        canvas.paste(sea, (0, int(height * (HORIZON - 0.09))))


def _peaks(canvas: Image.Image, rise: float, *, near: bool, time: str, random: Random) -> None:
    """Mountains with snow on their tops."""
    draw = ImageDraw.Draw(canvas)
    width, base = canvas.width, canvas.height * (HORIZON + 0.02)
    for index in range(4):
        x = width * (index / 3 + random.uniform(-0.1, 0.1))
        top, half = base - rise * random.uniform(0.65, 1), width * random.uniform(0.2, 0.3)
        rock = _lit((124, 138, 166) if not near else (96, 116, 128), time)
        draw.polygon([(x - half, base), (x, top), (x + half, base)], fill=rock)
        dark = (int(rock[0] * 0.86), int(rock[1] * 0.86), int(rock[2] * 0.88))
        draw.polygon([(x, top), (x + half, base), (x + half * 0.12, base)], fill=dark)
        cap, edge = 0.3, []
        for step in range(7):
            share = -cap + 2 * cap * step / 6
            drop = cap + (0.07 if step % 2 else -0.03)
            edge.append(
                (x + half * share, top + (base - top) * max(abs(share), drop if 0 < step < 6 else cap))
            )
        draw.polygon([(x, top), *edge[::-1]], fill=_lit((246, 250, 255), time))


def _skyline(canvas: Image.Image, time: str, random: Random) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    base = height * (HORIZON + 0.03)
    for layer, tone in ((0, 0.75), (1, 1.0)):
        x = -width * 0.02
        while x < width:
            wide, tall = width * random.uniform(0.05, 0.1), height * random.uniform(0.14, 0.4 - 0.1 * layer)
            grey = _lit((int(132 * tone), int(146 * tone), int(172 * tone)), time)
            draw.rectangle((x, base - tall, x + wide, base), fill=grey)
            _windows(draw, (x, base - tall, wide, tall), time, random)
            x += wide * random.uniform(0.95, 1.15)


def _windows(
    draw: ImageDraw.ImageDraw, house: tuple[float, float, float, float], time: str, random: Random
) -> None:
    x, y, wide, tall = house
    step = wide / 4
    for row in range(1, int(tall / step)):
        for column in range(3):
            lit = random.uniform() < (0.55 if time in ("night", "sunset") else 0.0)
            colour = (255, 222, 140) if lit else _lit((176, 198, 222), time)
            left, top = x + step * (column + 0.65), y + step * (row - 0.4)
            draw.rectangle((left, top, left + step * 0.5, top + step * 0.5), fill=colour)


def _hills(canvas: Image.Image, land: str, time: str, random: Random) -> None:
    """Two ridges, the farther paler."""
    width, height = canvas.size
    near, haze = np.array(_lit(_LANDS[land][1], time)), np.array(_SKIES[time][1])
    for mix, rise in ((0.6, 0.13), (0.3, 0.07)):
        red, green, blue = (near * (1 - mix) + haze * mix).astype(int).tolist()
        _fill(
            canvas,
            _ridge(random, width, height * (HORIZON + 0.02), height * rise, 3),
            (red, green, blue),
        )


def _firs(canvas: Image.Image, depth: float, time: str, random: Random) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    base = height * (HORIZON + 0.02)
    green = _lit((int(70 * depth), int(128 * depth), int(84 * depth)), time)
    x = 0.0
    while x < width:
        tall = height * random.uniform(0.2, 0.42) * depth
        for tier in range(4):
            top, wide = base - tall * (1 - tier * 0.2), tall * (0.12 + 0.06 * tier)
            draw.polygon([(x, top), (x - wide, top + tall * 0.36), (x + wide, top + tall * 0.36)], fill=green)
        x += width * random.uniform(0.035, 0.07)


def _bamboo(canvas: Image.Image, depth: float, time: str, random: Random) -> None:
    """Stalks with their knots, taller than the picture, and leaves at their tops."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    base = height * (HORIZON + 0.06)
    green = _lit((int(150 - 40 * depth), int(196 - 30 * depth), int(130 - 60 * depth)), time)
    dark = (int(green[0] * 0.8), int(green[1] * 0.82), int(green[2] * 0.8))
    x = 0.0
    while x < width:
        wide = width * random.uniform(0.008, 0.016) * (0.6 + 0.6 * depth)
        draw.rectangle((x, 0, x + wide, base), fill=green)
        joint = random.uniform(0, 0.1) * height
        while joint < base:
            draw.rectangle((x - wide * 0.12, joint, x + wide * 1.12, joint + height * 0.005), fill=dark)
            joint += height * random.uniform(0.08, 0.12)
        for _ in range(7):
            y, long = random.uniform(0, height * 0.4), height * random.uniform(0.03, 0.06)
            side = long if random.uniform() < 0.5 else -long
            tip = (x + side, y + long * 0.5)
            draw.polygon([(x + wide / 2, y), (x + side * 0.5, y + long * 0.08), tip], fill=dark)
        x += width * random.uniform(0.04, 0.08)


_GROVES = {"forest": _firs, "bamboo": _bamboo}


def _land(canvas: Image.Image, scene: str, time: str, random: Random) -> None:
    width, height = canvas.size
    near, far = _LANDS.get(scene, _LANDS["meadow"])
    flat = scene in ("sea", "city")
    line = (
        np.full(width, height * HORIZON)
        if flat
        else _ridge(random, width, height * (HORIZON + 0.03), height * 0.03, 2)
    )
    top = int(line.min())
    ground = _gradient(width, height - top, _lit(near, time), _lit(far, time))
    mask = Image.new("L", (width, height), 0)
    points = [
        (0.0, float(height)),
        *((float(x), float(y)) for x, y in enumerate(line.tolist())),
        (float(width), float(height)),
    ]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    canvas.paste(ground, (0, top), mask.crop((0, top, width, height)))
    if scene == "sea":
        _ripples(canvas, time, random)


def _ripples(canvas: Image.Image, time: str, random: Random) -> None:
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    width, height = canvas.size
    for _ in range(90):
        share = random.uniform(HORIZON, 1)
        y, long = height * share, width * random.uniform(0.02, 0.09) * (share - HORIZON + 0.15) * 3
        x = random.uniform(0, width)
        draw.line((x, y, x + long, y), fill=(*_lit((220, 240, 250), time), 90), width=max(1, height // 400))
    canvas.paste(Image.alpha_composite(canvas.convert("RGBA"), layer).convert("RGB"))


def _surf(canvas: Image.Image, time: str) -> None:
    layer = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    width, height = canvas.size
    y = height * (HORIZON + 0.035)
    ImageDraw.Draw(layer).ellipse(
        (-width * 0.2, y - height * 0.03, width * 1.1, y + height * 0.02),
        fill=(*_lit((255, 255, 255), time), 120),
    )
    layer = layer.filter(ImageFilter.GaussianBlur(height / 120))
    canvas.paste(Image.alpha_composite(canvas.convert("RGBA"), layer).convert("RGB"))


def _underwater(width: int, height: int, random: Random) -> Image.Image:
    canvas = _gradient(width, height, (64, 176, 214), (8, 52, 104)).convert("RGBA")
    rays = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(rays)
    for _ in range(7):
        x, wide = random.uniform(0, width), width * random.uniform(0.03, 0.09)
        lean = width * 0.18
        draw.polygon(
            [(x, 0), (x + wide, 0), (x + wide - lean, height), (x - wide - lean, height)],
            fill=(220, 246, 255, 40),
        )
    canvas = Image.alpha_composite(canvas, rays.filter(ImageFilter.GaussianBlur(height / 60)))
    flat = canvas.convert("RGB")
    _fill(flat, _ridge(random, width, height * 0.92, height * 0.06, 3), (196, 178, 132))
    return flat


def _room(width: int, height: int, time: str) -> Image.Image:
    canvas = _gradient(width, height, _lit((246, 228, 206), time), _lit((236, 212, 184), time))
    floor = _gradient(width, int(height * (1 - HORIZON)), *(_lit(c, time) for c in _LANDS["room"]))
    canvas.paste(floor, (0, height - floor.height))
    draw = ImageDraw.Draw(canvas)
    y = height * HORIZON
    draw.rectangle((0, y - height * 0.012, width, y), fill=_lit((255, 246, 236), time))
    return canvas
