"""Documents: read whatever they are, in a child that can be killed; cut where sentences end."""

from __future__ import annotations

import asyncio
import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from nexus_server.documents import Chunk, Document, Limits, Page, chunk, parse
from nexus_server.documents.reading import decode, read
from nexus_server.errors import InvalidRequest

FIXTURES = Path(__file__).parents[1] / "fixtures"
PASSAGES = json.loads((FIXTURES / "questions.json").read_text("utf-8"))["passages"]
CHINESE = "这是一份说明书。第一章介绍产品的基本用法，第二章介绍保修政策。"


def run(path: Path, filename: str | None = None, limits: Limits = Limits()) -> Document:  # noqa: B008
    return asyncio.run(parse(path, filename or path.name, limits))


def test_a_chinese_pdf() -> None:
    """Every passage on its page, its lines put together again."""
    document = run(FIXTURES / "documents" / "手册.pdf")
    assert document.file_type == "pdf"
    assert [page.number for page in document.pages] == [1, 2, 3]
    for number, passage in enumerate(PASSAGES):
        assert passage["zh"] in document.pages[number // 4].text


def test_an_english_docx() -> None:
    """Paragraphs, headings, and tables whose rows say what they are about."""
    text = run(FIXTURES / "documents" / "handbook.docx").text
    for passage in PASSAGES:
        assert f"## {passage['id'].capitalize()}\n\n{passage['en']}" in text
    assert "City: London; Office: Strand 7" in text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk", "gb18030", "big5", "shift_jis", "cp1252"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """Whichever it is, the text is the same."""
    text = {
        "big5": "這是一份說明書，第一章介紹產品的基本用法，第二章介紹保固政策。",
        "shift_jis": "これは製品の取扱説明書です。最初の章では基本的な使い方を説明します。",
        "cp1252": "Das Gerät läuft zwölf Stunden; für Schäden durch Wasser gilt die Garantie nicht.",
    }.get(encoding, CHINESE)
    path = tmp_path / "text.txt"
    path.write_bytes((text * 3).encode(encoding))
    assert run(path).text == text * 3


def test_html(tmp_path: Path) -> None:
    """What is read, and not what makes it look nice; in the encoding that it declares."""
    html = (
        "<html><head><meta charset='gb2312'><title>x</title><style>p{}</style></head><body>"
        "<script>alert(1)</script><h2>价格</h2><p>基础版<b>免费</b>。</p><ul><li>一</li><li>二</li></ul>"
        "<table><tr><th>城市</th><th>电话</th></tr><tr><td>北京</td><td>010</td></tr></table></body></html>"
    )
    path = tmp_path / "page.html"
    path.write_bytes(html.encode("gb2312"))
    text = run(path).text
    assert "## 价格" in text
    assert "基础版免费。" in text
    assert "城市: 北京; 电话: 010" in text
    assert "alert" not in text
    assert "p{}" not in text
    assert "一\n二" in text


def test_tables_of_text(tmp_path: Path) -> None:
    """Each row of a CSV says by itself what it is about; JSON is shown as it is."""
    (tmp_path / "a.csv").write_bytes("名称;价格\n茶;3\n咖啡;5\n".encode("gbk"))
    assert run(tmp_path / "a.csv").text == "名称: 茶; 价格: 3\n名称: 咖啡; 价格: 5"
    (tmp_path / "a.json").write_text('{"a": ["茶"]}', "utf-8")
    assert "茶" in run(tmp_path / "a.json").text


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.pdf", b"%PDF-1.7 not really", "damaged"),
        ("a.docx", b"PK\x03\x04 not really", "damaged"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "save it as"),
        ("a.json", b"{", "no JSON"),
        ("a.txt", b"  \n ", "no text"),
        ("a.html", b"<p></p>", "no text"),
        ("a.exe", b"MZ", "not read"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    """Each in a sentence that says what to do."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidRequest, match=why):
        run(tmp_path / name)


def test_a_bomb(tmp_path: Path) -> None:
    """What unpacks to gigabytes, and what needs more memory than it may have, ends as a sentence."""
    bomb = tmp_path / "bomb.docx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(
        "word/document.xml", "w", force_zip64=True
    ) as member:
        for _ in range(450):
            member.write(b"\0" * 1024 * 1024)
    with pytest.raises(InvalidRequest, match="400 MB"):
        run(bomb)
    large = tmp_path / "large.txt"
    large.write_bytes("中".encode() * 30_000_000)
    with pytest.raises(InvalidRequest, match="memory"):
        run(large, limits=Limits(memory=400 * 1024 * 1024))
    with pytest.raises(InvalidRequest, match="more than 1000 characters"):
        run(large, limits=Limits(text=1000))


def test_time(tmp_path: Path) -> None:
    """A child that takes too long is killed, and so is one whose document nobody wants any more."""
    path = tmp_path / "endless.txt"
    os.mkfifo(path)  # whoever reads it waits for ever
    with pytest.raises(InvalidRequest, match="within 0.5 seconds"):
        run(path, limits=Limits(seconds=0.5))

    async def give_up() -> float:
        task = asyncio.create_task(parse(path, path.name))
        await asyncio.sleep(0.3)  # into the child's work
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return time.monotonic() - began

    assert asyncio.run(give_up()) < 5


def whole(text: str) -> Document:
    return Document("txt", (Page(text),))


def test_sentences_stay_whole() -> None:
    """Passages end where sentences do, in both languages, and overlap by whole ones."""
    english = " ".join(f"Sentence number {n} says something about tea." for n in range(60))
    for passage in chunk(whole(english), size=300, overlap=60):
        assert passage.text.startswith("Sentence")
        assert passage.text.endswith("tea.")
        assert len(passage.text) <= 300
    chinese = "".join(f"第{n}句话讲的是喝茶的历史和方法。" for n in range(60))
    passages = chunk(whole(chinese), size=300, overlap=50)
    for passage in passages:
        assert passage.text.startswith("第")
        assert passage.text.endswith("。")
        assert len(passage.text) < 150, "Chinese says more in as many characters"
    assert [passage.index for passage in passages] == list(range(len(passages)))


def test_nothing_is_lost() -> None:
    """Without overlap the passages are the text."""
    text = "\n\n".join(passage["en"] + "\n" + passage["zh"] for passage in PASSAGES)
    together = "".join(passage.text for passage in chunk(whole(text), size=200, overlap=0))
    assert "".join(together.split()) == "".join(text.split())


def test_headings_stay_with_their_text() -> None:
    """A heading does not end a passage."""
    text = "\n\n".join(f"## Chapter {n}\n\n" + "Some words about it. " * 8 for n in range(8))
    for passage in chunk(whole(text), size=260, overlap=0):
        assert passage.text.startswith("## Chapter")


def test_pages_are_told() -> None:
    """A passage knows the page that it begins on."""
    document = Document("pdf", (Page("One. " * 100, 1), Page("Two. " * 100, 2)))
    passages = chunk(document, size=200, overlap=20)
    assert {passage.page for passage in passages if passage.text.startswith("One")} == {1}
    assert {passage.page for passage in passages if passage.text.startswith("Two")} == {2}
    assert chunk(whole("short"), size=100, overlap=10) == [Chunk("short", 0)]
    with pytest.raises(ValueError, match="less than size"):
        chunk(whole("x"), size=10, overlap=10)


def test_reading_in_the_same_process(tmp_path: Path) -> None:
    """Names without an ending are text, and what looks like nothing is read byte by byte."""
    (tmp_path / "README").write_text("hello", "utf-8")
    assert read(tmp_path / "README", "README") == Document("txt", (Page("hello"),))
    assert decode("Gerät läuft zwölf".encode("cp1252")) == "Gerät läuft zwölf"
