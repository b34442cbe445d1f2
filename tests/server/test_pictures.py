"""The illustrator: what it understands of a prompt, and that it draws that and nothing else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nexus_server.providers.local.pictures.illustrator import draw
from nexus_server.providers.local.pictures.understanding import understand

PROMPTS: list[tuple[str, list[str], list[str]]] = [  # the prompt, what is drawn, what is told to be missing
    ("a cat sitting on a beach at sunset with a palm tree", ["cat", "palm tree"], []),
    ("an astronaut riding a rocket", ["astronaut", "rocket"], []),
    ("three red balloons over a city at night", ["balloon × 3"], []),
    ("a house in the mountains in winter", ["house"], []),
    ("a sailboat on the sea at sunrise", ["sailboat"], []),
    ("two dogs and a ball in the park", ["dog × 2", "football"], []),
    ("a cup of coffee and a book in a room", ["coffee", "book"], []),
    ("a whale under the sea", ["whale"], []),
    ("an elephant without a tree in the desert", ["elephant"], []),
    ("a robot holding a gift in the snow", ["robot", "gift"], []),
    ("a girl riding a horse in a meadow", ["girl", "horse"], []),
    ("a castle with a dragon at night", ["castle", "dragon"], []),
    ("a foggy forest with a bear", ["bear"], []),
    ("five sunflowers and a butterfly", ["sunflower × 5", "butterfly"], []),
    ("the theory of relativity", [], ["theory", "relativity"]),
    ("no unicorns, please: a pine and 3 mice", ["pine", "mouse × 3"], []),
    ("a street without people", [], []),
    ("", [], []),
    ("two 🐈 and an 🐘", ["cat × 2", "elephant"], []),
    ("a 'quasar' and a café", [], ["quasar", "café"]),
    ("кошка на пляже", [], ["кошка", "на", "пляже"]),
    ("a cat † ∑", ["cat"], ["∑"]),
    (f"{'9' * 5000} dogs", ["dog × 9"], []),
    ("一只熊猫在竹林里吃苹果", ["熊猫", "苹果"], []),
    ("没有人的雪山日出", [], []),
    ("没有变形金刚的海滩", [], []),
    ("宇航员骑着马在太空", ["宇航员", "马"], []),
    ("城市的夜晚下着雨，一辆汽车", ["汽车"], []),
    ("海底的章鱼和两条鱼", ["章鱼", "鱼 × 2"], []),
    ("草地上三只兔子和一棵树", ["兔子 × 3", "树"], []),
    ("黄昏的沙漠里有一只骆驼", ["骆驼"], []),
    ("小女孩在花园里放风筝", ["女孩", "风筝"], []),
    ("厨房桌上的蛋糕和两个苹果", ["蛋糕", "苹果 × 2"], []),
    ("樱花树下的猫", ["樱花", "树", "猫"], []),
    ("火车穿过群山", ["火车"], []),
    ("一艘小船和一只天鹅在湖上，大雾", ["船", "天鹅"], []),
    ("雪人和圣诞树，下雪的夜晚", ["雪人", "圣诞树"], []),
    ("量子纠缠", [], ["量子纠缠"]),
]


@pytest.mark.parametrize(("prompt", "drawn", "missing"), PROMPTS, ids=[each[0][:60] for each in PROMPTS])
def test_what_is_drawn(prompt: str, drawn: list[str], missing: list[str]) -> None:
    """Everything that is known, as often as asked; nothing else; and what is not known is told."""
    drawing = draw(prompt, width=256, height=256)
    assert list(drawing.drawn) == drawn
    assert list(drawing.ignored) == missing
    for word in missing:
        assert word in drawing.revised_prompt


@pytest.mark.parametrize(
    ("prompt", "scene", "time", "weather"),
    [
        ("a cat on a beach at sunset", "beach", "sunset", None),
        ("a house in the mountains in winter", "mountain", None, "snow"),
        ("没有人的雪山日出", "mountain", "sunrise", "snow"),
        ("城市的夜晚下着雨，一辆汽车", "city", "night", "rain"),
        ("熊猫在竹林里", "bamboo", None, None),
        ("a bear, no forest, at night", None, "night", None),
    ],
)
def test_where_and_when(prompt: str, scene: str | None, time: str | None, weather: str | None) -> None:
    """The scene, the hour and the weather."""
    plan = understand(prompt)
    assert (plan.scene, plan.time, plan.weather) == (scene, time, weather)


@pytest.mark.parametrize(
    ("prompt", "rider"),
    [
        ("a girl riding a horse", 0),
        ("a tree and a boy riding a bicycle", 1),
        ("a cat sitting on a beach with a palm tree", None),
        ("宇航员骑着马", 0),
        ("a horse, not riding a cow", None),
    ],
)
def test_who_rides(prompt: str, rider: int | None) -> None:
    """The thing named before the verb is put on the one named right after it."""
    assert understand(prompt).rider == rider


def test_a_picture_is_of_its_size_and_repeatable() -> None:
    """The same prompt and seed give the same bytes; another seed gives another picture."""
    first = draw("两只猫在海边", width=640, height=360, seed=7)
    picture = Image.open(io.BytesIO(first.png))
    assert (picture.format, picture.size) == ("PNG", (640, 360))
    assert draw("两只猫在海边", width=640, height=360, seed=7).png == first.png
    assert draw("两只猫在海边", width=640, height=360, seed=8).png != first.png


def test_a_thing_changes_the_picture_where_it_stands_only() -> None:
    """Beside the cat there is what there is without it: it is put in, and nothing with it."""
    with_cat, without = (
        np.asarray(Image.open(io.BytesIO(draw(prompt, width=512, height=512, seed=3).png)), dtype=int)
        for prompt in ("a cat in a meadow", "a meadow")
    )
    changed = np.abs(with_cat - without).max(axis=2) > 0
    assert 0.02 < changed.mean() < 0.3


@pytest.mark.parametrize("scene", ["sky", "sea", "space", "underwater", "city", "room", "desert", "forest"])
@pytest.mark.parametrize("more", ["", " at night in the snow", " at sunset in the rain", " in the fog"])
def test_every_scene_in_every_weather(scene: str, more: str) -> None:
    """There is something to see in it."""
    prompt = f"nine birds and a dog, {'under the sea' if scene == 'underwater' else scene}{more}"
    drawing = draw(prompt, width=320, height=256)
    assert drawing.drawn == ("bird × 9", "dog")
    assert np.asarray(Image.open(io.BytesIO(drawing.png))).std() > 5
