"""Write the illustrator's art and words, from two npm packages.

    npm pack @lobehub/fluent-emoji-3d@1.1.0 emojibase-data@17.0.0
    python scripts/build_illustrator.py <folder with both, unpacked as fluent/ and emojibase/>

Art: Microsoft's Fluent Emoji, MIT. Labels: emojibase, MIT. The results are committed.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

TARGET = Path(__file__).parents[1] / "nexus_server" / "providers" / "local" / "pictures"
GROUPS = {3, 4, 5, 6, 7}  # animals and nature, food, travel and places, activities, objects
PEOPLE = {
    "1F9D1-200D-1F680": (["astronaut", "spaceman", "cosmonaut"], ["宇航员", "航天员"]),
    "1F9D1": (["person", "people"], ["人", "人们"]),
    "1F467": (["girl"], ["女孩", "小女孩", "姑娘"]),
    "1F466": (["boy"], ["男孩", "小男孩"]),
    "1F469": (["woman", "lady"], ["女人", "女士"]),
    "1F468": (["man"], ["男人", "男士"]),
    "1F476": (["baby"], ["婴儿", "宝宝"]),
    "1F475": (["grandmother", "old woman"], ["奶奶", "老奶奶"]),
    "1F474": (["grandfather", "old man"], ["爷爷", "老人", "老爷爷"]),
    "1F916": (["robot"], ["机器人"]),
    "1F47B": (["ghost"], ["幽灵"]),
    "1F47D": (["alien"], ["外星人"]),
    "1F478": (["princess"], ["公主"]),
    "1F9D9": (["wizard", "mage"], ["巫师", "魔法师"]),
    "1F9DC-200D-2640-FE0F": (["mermaid"], ["美人鱼"]),
    "26C4": (["snowman"], ["雪人"]),
}
MORE = {  # names that people use, beside the labels
    "1F408": (["cat", "kitten", "kitty"], ["猫", "小猫", "猫咪"]),
    "1F415": (["dog", "puppy"], ["狗", "小狗", "狗狗"]),
    "1F43C": (["panda"], ["熊猫", "大熊猫"]),
    "1F981": (["lion"], ["狮子"]),
    "1F40E": (["horse"], ["马", "骏马"]),
    "1F426": (["bird"], ["鸟", "小鸟"]),
    "1F41F": (["fish"], ["鱼", "小鱼"]),
    "1F407": (["rabbit", "bunny"], ["兔子", "小兔子"]),
    "1F418": (["elephant"], ["大象"]),
    "1F402": (["ox", "bull"], ["牛", "公牛"]),
    "1F404": (["cow"], ["奶牛", "母牛"]),
    "1F411": (["sheep"], ["羊", "绵羊"]),
    "1F433": (["whale"], ["鲸", "鲸鱼"]),
    "1F42C": (["dolphin"], ["海豚"]),
    "1F334": (["palm tree", "palm"], ["棕榈树", "椰子树", "椰树"]),
    "1F333": (["tree"], ["树", "大树"]),
    "1F332": (["pine", "fir tree", "evergreen tree"], ["松树", "杉树"]),
    "1F338": (["cherry blossom", "blossom"], ["樱花"]),
    "1F339": (["rose"], ["玫瑰", "玫瑰花"]),
    "1F33B": (["sunflower"], ["向日葵"]),
    "1F337": (["tulip"], ["郁金香"]),
    "1F33C": (["flower", "daisy"], ["花", "花朵", "小花"]),
    "1F34E": (["apple", "red apple"], ["苹果", "红苹果"]),
    "1F382": (["cake", "birthday cake"], ["蛋糕", "生日蛋糕"]),
    "2615": (["coffee", "cup of coffee"], ["咖啡", "一杯咖啡"]),
    "1FAD6": (["teapot"], ["茶壶"]),
    "1F375": (["tea", "cup of tea"], ["茶", "茶杯"]),
    "1F355": (["pizza"], ["披萨", "比萨"]),
    "1F697": (["car"], ["汽车", "小汽车", "车"]),
    "1F682": (["train", "locomotive"], ["火车"]),
    "1F68C": (["bus"], ["公交车", "巴士"]),
    "1F6B2": (["bicycle", "bike"], ["自行车", "单车"]),
    "26F5": (["sailboat", "boat"], ["船", "小船", "帆船"]),
    "1F6A2": (["ship"], ["轮船", "大船"]),
    "2708-FE0F": (["airplane", "plane"], ["飞机"]),
    "1F680": (["rocket", "spaceship"], ["火箭", "飞船"]),
    "1F6F8": (["ufo", "flying saucer"], ["飞碟"]),
    "1F388": (["balloon"], ["气球"]),
    "1F3E0": (["house", "home", "cottage"], ["房子", "小屋", "屋子"]),
    "1F3F0": (["castle"], ["城堡"]),
    "1F3EB": (["school"], ["学校"]),
    "1F3E5": (["hospital"], ["医院"]),
    "26EA": (["church"], ["教堂"]),
    "1F4BB": (["laptop", "computer"], ["电脑", "笔记本电脑"]),
    "1F4DA": (["books"], ["书籍"]),
    "1F4D6": (["book", "open book"], ["书", "书本"]),
    "1F3B8": (["guitar"], ["吉他"]),
    "1F3B9": (["piano"], ["钢琴"]),
    "26BD": (["football", "soccer ball", "ball"], ["足球", "球"]),
    "1F3C0": (["basketball"], ["篮球"]),
    "2602-FE0F": (["umbrella"], ["雨伞", "伞"]),
    "1F381": (["gift", "present"], ["礼物", "礼盒"]),
    "1F384": (["christmas tree"], ["圣诞树"]),
    "1FA91": (["chair"], ["椅子"]),
    "1F6CB-FE0F": (["sofa", "couch"], ["沙发"]),
    "1F6CF-FE0F": (["bed"], ["床"]),
    "1F302": (["closed umbrella"], []),
    "1F525": (["fire", "campfire"], ["火", "篝火"]),
    "26FA": (["tent"], ["帐篷"]),
    "1F409": (["dragon"], ["龙"]),
    "1F984": (["unicorn"], ["独角兽"]),
    "1F995": (["dinosaur"], ["恐龙"]),
    "1F308": (["rainbow"], ["彩虹"]),
}
LEFT_OUT_WORDS = {  # they are said of other things more often, or are what a scene is made of
    *(
        "sun",
        "moon",
        "star",
        "night",
        "rain",
        "snow",
        "cloud",
        "fog",
        "water",
        "mountain",
        "beach",
        "fire engine",
    ),
    *("light", "key", "time", "up", "wave", "leaf", "can", "link", "label", "pill", "bar", "match", "park"),
    *(
        "晚",
        "日",
        "月",
        "山",
        "雨",
        "雪",
        "云",
        "水",
        "星",
        "天",
        "太阳",
        "月亮",
        "星星",
        "雾",
        "海滩",
        "沙滩",
        "城市",
    ),
}
LEFT_OUT_PARTS = {"face", "clock", "o’clock", "thirty", "button", "moon", "sun"}
HUGE = [
    "castle",
    "house",
    "school",
    "hospital",
    "church",
    "ship",
    "train",
    "stadium",
    "ferris",
    "wheel",
    "hotel",
    "office",
    "building",
    "factory",
]
LARGE = [
    "elephant",
    "giraffe",
    "whale",
    "horse",
    "dinosaur",
    "dragon",
    "tree",
    "palm",
    "car",
    "bus",
    "sailboat",
    "rocket",
    "unicorn",
    "camel",
    "tent",
    "cow",
    "ox",
    "bear",
]
SMALL = [
    "apple",
    "cake",
    "cup",
    "book",
    "ball",
    "flower",
    "bird",
    "fish",
    "rabbit",
    "mouse",
    "hedgehog",
    "teapot",
    "coffee",
    "gift",
    "umbrella",
    "pizza",
    "rose",
    "tulip",
]
TINY = ["bee", "butterfly", "ladybug", "ant", "snail", "cherry", "strawberry", "coin", "ring", "candle"]
IN_THE_SKY = [
    "balloon",
    "airplane",
    "plane",
    "rocket",
    "ufo",
    "bird",
    "eagle",
    "parrot",
    "dove",
    "owl",
    "butterfly",
    "bee",
    "kite",
    "helicopter",
    "rainbow",
]
ON_WATER = [
    "sailboat",
    "ship",
    "boat",
    "whale",
    "dolphin",
    "fish",
    "shark",
    "duck",
    "swan",
    "octopus",
    "crab",
    "canoe",
    "mermaid",
]


def words_of(entry: dict, language: str) -> list[str]:
    label = entry["label"].lower().replace("“", "").replace("”", "")
    words = [label]
    for ending in (" face",) if language == "en" else ():
        if label.endswith(ending):
            return []
    return [word for word in words if word not in LEFT_OUT_WORDS and len(word.split()) <= 3]


def pick(names: list[str], kinds: list[str]) -> bool:
    return any(kind == name or kind in name.split() for name in names for kind in kinds)


def main() -> None:
    source = Path(sys.argv[1])
    art = source / "fluent" / "assets"
    english = json.loads((source / "emojibase/en/data.json").read_text("utf-8"))
    chinese = {
        row["hexcode"]: row for row in json.loads((source / "emojibase/zh/data.json").read_text("utf-8"))
    }
    things: dict[str, tuple[list[str], list[str]]] = dict(PEOPLE)
    for row in english:
        code = row["hexcode"]
        if row.get("group") not in GROUPS or "-200D-" in code or code in things:
            continue
        if LEFT_OUT_PARTS & set(row["label"].lower().split()):
            continue
        en, zh = words_of(row, "en"), words_of(chinese.get(code, {"label": ""}), "zh")
        more = MORE.get(code, ([], []))
        things[code] = (  # what people say comes first: pictures are told by it
            list(dict.fromkeys([*more[0], *en])),
            [w for w in dict.fromkeys([*more[1], *zh]) if w],
        )
    rows, taken = [], set()
    with zipfile.ZipFile(TARGET / "art.zip", "w", zipfile.ZIP_STORED) as archive:
        for code, (english_words, chinese_words) in things.items():
            path = next(
                (p for p in (art / f"{code.lower()}.webp", art / f"{code.lower()}-fe0f.webp") if p.exists()),
                None,
            )
            if path is None:
                continue
            named = PEOPLE.get(code) or MORE.get(code, ([], []))
            preferred = {*named[0], *named[1]}
            en = [w for w in english_words if w in preferred or w not in taken]
            zh = [
                w
                for w in chinese_words
                if (w in preferred or w not in taken) and (len(w) > 1 or w in preferred)
            ]
            taken |= {*en, *zh}
            if not en and not zh:
                continue
            size = (
                "huge"
                if pick(en, HUGE)
                else "large"
                if pick(en, LARGE)
                else "small"
                if pick(en, SMALL)
                else "tiny"
                if pick(en, TINY)
                else "medium"
            )
            place = "sky" if pick(en, IN_THE_SKY) else "water" if pick(en, ON_WATER) else "ground"
            rows.append({"art": code.lower(), "en": en, "zh": zh, "size": size, "place": place})
            info = zipfile.ZipInfo(f"{code.lower()}.webp")  # without a date: the same input, the same file
            archive.writestr(info, path.read_bytes())
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (TARGET / "things.json").write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
