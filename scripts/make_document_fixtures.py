"""Write the documents that tests read, from tests/fixtures/questions.json.

    pip install reportlab; python scripts/make_document_fixtures.py

The results are committed: reportlab is needed for this only.
"""

from __future__ import annotations

import json
from pathlib import Path

import docx
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
PASSAGES = json.loads((FIXTURES / "questions.json").read_text("utf-8"))["passages"]
ON_A_PAGE = 4


def pdf(path: Path) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    style = ParagraphStyle("body", fontName="STSong-Light", fontSize=12, leading=20, wordWrap="CJK")
    story = []
    for number, passage in enumerate(PASSAGES):
        story.append(Paragraph(passage["zh"], style))
        if number % ON_A_PAGE == ON_A_PAGE - 1:
            story.append(PageBreak())
    SimpleDocTemplate(str(path), invariant=1).build(story)


def word(path: Path) -> None:
    document = docx.Document()
    document.add_heading("Handbook", 1)
    for passage in PASSAGES:
        document.add_heading(passage["id"].capitalize(), 2)
        document.add_paragraph(passage["en"])
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "City", "Office"
    for city, office in (("Beijing", "Chaoyang Road 12"), ("London", "Strand 7")):
        cells = table.add_row().cells
        cells[0].text, cells[1].text = city, office
    document.save(str(path))


if __name__ == "__main__":
    (FIXTURES / "documents").mkdir(exist_ok=True)
    pdf(FIXTURES / "documents" / "手册.pdf")
    word(FIXTURES / "documents" / "handbook.docx")
