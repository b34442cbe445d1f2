"""Draw docs/images/illustrator.jpg: thirty prompts, and what the illustrator makes of them.

apt-get install fonts-noto-cjk; python scripts/draw_contact_sheet.py
"""

from __future__ import annotations

import io
import sys
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from nexus_server.providers.local.pictures.illustrator import draw

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
PROMPTS = [
    "a cat sitting on a beach at sunset with a palm tree",
    "an astronaut riding a rocket",
    "three red balloons over a city at night",
    "a house in the mountains in winter",
    "a sailboat on the sea at sunrise",
    "two dogs and a ball in the park",
    "a cup of coffee and a book in a room",
    "a whale under the sea",
    "an elephant without a tree in the desert",
    "a robot holding a gift in the snow",
    "a girl riding a horse in a meadow",
    "a castle with a dragon at night",
    "a foggy forest with a bear",
    "five sunflowers and a butterfly",
    "the theory of relativity",
    "一只熊猫在竹林里吃苹果",
    "没有人的雪山日出",
    "宇航员骑着马在太空",
    "城市的夜晚下着雨，一辆汽车",
    "海底的章鱼和两条鱼",
    "草地上三只兔子和一棵树",
    "黄昏的沙漠里有一只骆驼",
    "小女孩在花园里放风筝",
    "厨房桌上的蛋糕和两个苹果",
    "樱花树下的猫",
    "森林里的帐篷和篝火，晚上",
    "火车穿过群山",
    "一艘小船和一只天鹅在湖上，大雾",
    "雪人和圣诞树，下雪的夜晚",
    "量子纠缠",
]
SIDE, CAPTION, COLUMNS = 300, 64, 6


def main() -> None:
    font = ImageFont.truetype(FONT, 15, index=2)
    rows = -(-len(PROMPTS) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, prompt in enumerate(PROMPTS):
        drawing = draw(prompt, width=768, height=768, seed=number)
        picture = Image.open(io.BytesIO(drawing.png)).resize((SIDE - 6, SIDE - 6), Image.Resampling.LANCZOS)
        x, y = number % COLUMNS * SIDE, number // COLUMNS * (SIDE + CAPTION)
        sheet.paste(picture, (x + 3, y + 3))
        width = 18 if prompt.isascii() is False else 36
        pen.multiline_text(
            (x + 8, y + SIDE), "\n".join(textwrap.wrap(prompt, width)), fill="black", font=font
        )
        sys.stdout.write(f"{prompt}  →  {drawing.revised_prompt}\n")
    target = Path(__file__).parents[1] / "docs" / "images" / "illustrator.jpg"
    target.parent.mkdir(exist_ok=True)
    sheet.save(target, quality=82)


if __name__ == "__main__":
    main()
