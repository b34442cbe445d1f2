"""Chinese text → the phonemes that Kokoro-82M was trained on.

Kokoro's Chinese voices read IPA with arrows for the tones. The tables follow the pinyin-to-IPA
correspondence of that model's own training (see Wikipedia, "Standard Chinese phonology", for the IPA).
"""

from __future__ import annotations

import re

_INITIALS = {
    "b": "p",
    "p": "pʰ",
    "m": "m",
    "f": "f",
    "d": "t",
    "t": "tʰ",
    "n": "n",
    "l": "l",
    "g": "k",
    "k": "kʰ",
    "h": "x",
    "j": "ʨ",
    "q": "ʨʰ",
    "x": "ɕ",
    "zh": "ꭧ",
    "ch": "ꭧʰ",
    "sh": "ʂ",
    "r": "ɻ",
    "z": "ʦ",
    "c": "ʦʰ",
    "s": "s",
}
_SIBILANTS = frozenset({"zh", "ch", "sh", "r", "z", "c", "s"})

# A final is a vowel, after which the tone is written, and what closes the syllable.
_FINALS = {
    "a": ("a", ""),
    "o": ("wo", ""),
    "e": ("ɤ", ""),
    "er": ("ɚ", ""),
    "ê": ("ɛ", ""),
    "ai": ("ai", ""),
    "ei": ("ei", ""),
    "ao": ("au", ""),
    "ou": ("ou", ""),
    "an": ("a", "n"),
    "en": ("ə", "n"),
    "ang": ("a", "ŋ"),
    "eng": ("ə", "ŋ"),
    "ong": ("ʊ", "ŋ"),
    "i": ("i", ""),
    "ia": ("ja", ""),
    "ie": ("je", ""),
    "iao": ("jau", ""),
    "io": ("jɔ", ""),
    "iu": ("jou", ""),
    "iou": ("jou", ""),
    "ian": ("jɛ", "n"),
    "in": ("i", "n"),
    "iang": ("ja", "ŋ"),
    "ing": ("i", "ŋ"),
    "iong": ("jʊ", "ŋ"),
    "u": ("u", ""),
    "ua": ("wa", ""),
    "uo": ("wo", ""),
    "uai": ("wai", ""),
    "ui": ("wei", ""),
    "uei": ("wei", ""),
    "uan": ("wa", "n"),
    "un": ("wə", "n"),
    "uen": ("wə", "n"),
    "uang": ("wa", "ŋ"),
    "ueng": ("wə", "ŋ"),
    "v": ("y", ""),
    "ve": ("ɥe", ""),
    "van": ("ɥɛ", "n"),
    "vn": ("y", "n"),
    "m": ("m", ""),
    "n": ("n", ""),
    "ng": ("ŋ", ""),
}
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}

_PUNCTUATION = str.maketrans(
    {
        "，": ", ",
        "、": ", ",
        "。": ". ",
        "！": "! ",
        "？": "? ",
        "：": ": ",
        "；": "; ",
        "（": " (",
        "）": ") ",
        "《": " “",
        "》": "” ",
    }
)
_PRICE = re.compile(r"[¥￥]\s?(\d+(?:\.\d+)?)")
_HANZI = re.compile(r"[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+")


def phonemes(text: str) -> str:
    """How a Chinese text is read: numbers, dates and percentages in words, words by their context."""
    import cn2an
    from pypinyin.seg.mmseg import seg

    amounts = _PRICE.sub(r"\1元", text)
    spoken = cn2an.transform(amounts, "an2cn").translate(_PUNCTUATION)
    parts = []
    for run in _HANZI.findall(spoken):
        is_chinese = "\u4e00" <= run[0] <= "\u9fff"
        parts.append(" ".join(_word(word) for word in seg.cut(run)) if is_chinese else run)
    return re.sub(r" +", " ", "".join(parts)).strip()


def _word(word: str) -> str:
    from pypinyin import Style, lazy_pinyin

    initials = lazy_pinyin(word, style=Style.INITIALS, strict=True, errors="ignore")
    finals = lazy_pinyin(
        word, style=Style.FINALS_TONE3, strict=True, neutral_tone_with_five=True, errors="ignore"
    )
    return "".join(_syllable(*each) for each in zip(initials, finals, strict=True))


def _syllable(initial: str, final: str) -> str:
    tone = final[-1] if final[-1:].isdigit() else "5"
    name = final.rstrip("12345")
    if name == "i" and initial in _SIBILANTS:
        vowel, coda = "ɨ", ""
    elif name == "o" and not initial:
        vowel, coda = "ɔ", ""
    else:
        vowel, coda = _FINALS.get(name, ("", ""))
    return _INITIALS.get(initial, "") + vowel + _TONES[tone] + coda
