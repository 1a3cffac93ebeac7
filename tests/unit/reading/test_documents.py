"""HTML, PDF and DOCX through the child process: what comes out, and what hostile files meet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.reading.makers import (
    WORD,
    make_docx,
    make_pdf,
    make_pdf_bomb,
    make_zip,
    paragraph,
)

from ultrai.reading.converter import Converter
from ultrai.reading.reader import Reader
from ultrai.reading.reading import Format, Limits, Reading, Trouble, Unreadable


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as opened:
        yield opened


def refusal(reader: Reader, data: bytes, name: str) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        reader.interpret(data, name=name)
    assert str(caught.value).startswith(f"{name} ")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def outcome(reader: Reader, data: bytes) -> Trouble | None:
    try:
        reader.interpret(data, name="slow.html")
    except Unreadable as error:
        return error.trouble
    return None


# --- PDF


def test_each_page_of_a_pdf_has_its_mark(reader: Reader) -> None:
    reading = reader.interpret(make_pdf(["one\nhello world", "two"]), name="book.pdf")
    assert reading == Reading("[page 1]\none\nhello world\n\n[page 2]\ntwo\n", Format.PDF)


def test_a_pdf_is_known_without_its_suffix(reader: Reader) -> None:
    assert reader.interpret(make_pdf(["x"]), name="download").format is Format.PDF


def test_pages_without_text_are_remarked(reader: Reader) -> None:
    reading = reader.interpret(make_pdf(["one", "", "three", ""]), name="a.pdf")
    assert reading.remark == "2 of 4 pages hold no text: 2, 4"


def test_a_scanned_pdf_is_refused(reader: Reader) -> None:
    error = refusal(reader, make_pdf(["", ""]), "scan.pdf")
    assert error.trouble is Trouble.NO_TEXT
    assert "OCR" in error.hint


def test_an_encrypted_pdf_is_refused(reader: Reader) -> None:
    error = refusal(reader, make_pdf(["secret"], encrypted=True), "locked.pdf")
    assert error.trouble is Trouble.ENCRYPTED
    assert "password" in str(error)


@pytest.mark.parametrize("length", [9, 60, 400])
def test_a_pdf_cut_short_is_refused_or_read_but_never_worse(reader: Reader, length: int) -> None:
    data = make_pdf(["one", "two"])[:length]
    assert refusal(reader, data, "cut.pdf").trouble in (Trouble.DAMAGED, Trouble.NO_TEXT)


def test_a_pdf_of_noise_is_refused(reader: Reader) -> None:
    data = b"%PDF-1.7\n" + bytes(range(256)) * 400
    assert refusal(reader, data, "noise.pdf").trouble is Trouble.DAMAGED


def test_a_pdf_of_too_many_pages_is_refused() -> None:
    with Reader(Limits(pages=3)) as reader:
        error = refusal(reader, make_pdf(["x"] * 4), "thick.pdf")
    assert error.trouble is Trouble.TOO_LARGE
    assert "has 4 pages; the most is 3" in str(error)


def test_a_pdf_bomb_ends_at_a_bound() -> None:
    bomb = make_pdf_bomb(120)
    assert len(bomb) < 1_000_000
    with Reader(Limits(text_bytes=1_000_000, memory_bytes=700_000_000, deadline_s=20)) as reader:
        error = refusal(reader, bomb, "bomb.pdf")
        assert error.trouble in (Trouble.TOO_LARGE, Trouble.TOO_SLOW, Trouble.DAMAGED)
        # Whatever became of the child: the next file is read.
        assert reader.interpret(make_pdf(["fine"]), name="fine.pdf").text == "[page 1]\nfine\n"


def test_without_the_extra_the_line_names_it() -> None:
    program = (
        "import sys; sys.modules['pypdfium2'] = None\n"
        "from ultrai.reading.pdf_text import pdf_to_text\n"
        "from ultrai.reading.reading import Limits\n"
        "from ultrai.reading.refusal import Refusal\n"
        "try: pdf_to_text(b'%PDF-', Limits())\n"
        "except Refusal as error: print(error.message, error.hint)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "not installed" in run.stdout
    assert "ultrai[documents]" in run.stdout


# --- HTML


PAGE = """<!DOCTYPE html><html><head><title>A page</title><meta charset="utf-8">
<script>var hidden = "<p>no</p>";</script><style>p { color: red }</style></head>
<body><h1>Big &amp; bold</h1><p>First   para
graph with a <a href="x">link</a>.</p><ul><li>one<li>two</ul>
<pre>def f():
    return 1</pre><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
<p>Last<br>line</p></body></html>"""


def test_a_page_becomes_markdown(reader: Reader) -> None:
    reading = reader.interpret(PAGE.encode(), name="page.html")
    assert reading.format is Format.HTML
    assert reading.text == (
        "# A page\n\n# Big & bold\n\nFirst para graph with a link.\n\n- one\n- two\n\n"
        "```\ndef f():\n    return 1\n```\n\na | b\n\n1 | 2\n\nLast\nline\n"
    )


def test_a_page_is_decoded_as_it_says(reader: Reader) -> None:
    data = '<html><meta charset="iso-8859-1"><p>caf\u00e9 \u20ac</p></html>'.encode("cp1252")
    assert "café €" in reader.interpret(data, name="old").text


def test_a_page_that_is_not_what_it_says_is_refused(reader: Reader) -> None:
    data = b'<html><meta charset="utf-8"><p>caf\xe9</p></html>'
    assert refusal(reader, data, "wrong.html").trouble is Trouble.ENCODING


def test_a_page_without_text_is_refused(reader: Reader) -> None:
    data = b"<!doctype html><html><body><script>run()</script></body></html>"
    assert refusal(reader, data, "app.html").trouble is Trouble.NO_TEXT


@pytest.mark.parametrize("piece", ["<!--", "<a ", "<![CDATA[", "&#", "<div>" * 5, "</", "<p "])
def test_a_page_made_to_be_slow_ends_at_the_deadline_or_before(piece: str) -> None:
    data = b"<!doctype html><html>" + (piece * (300_000 // len(piece))).encode()
    with Reader(Limits(deadline_s=2)) as reader:
        assert outcome(reader, data) in (None, Trouble.TOO_SLOW, Trouble.NO_TEXT)
        assert reader.interpret(b"<html><p>next", name="next.html").text == "next\n"


# --- DOCX


def test_a_document_becomes_markdown(reader: Reader) -> None:
    styles = (
        f'<w:styles xmlns:w="{WORD}"><w:style w:styleId="berschrift2">'
        '<w:name w:val="heading 2"/></w:style></w:styles>'
    )
    notes = (
        f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="1">{paragraph("Proof.")}</w:footnote>'
        "</w:footnotes>"
    )
    cell = "<w:tc>{}</w:tc>".format
    body = (
        paragraph("Report", "Title")
        + paragraph("Kapitel", "berschrift2")
        + paragraph("One", is_item=True)
        + paragraph("Two", is_item=True)
        + "<w:p><w:r><w:t>Claim</w:t><w:footnoteReference w:id='1'/></w:r>"
        + "<w:del><w:r><w:t>gone</w:t></w:r></w:del><w:r><w:br/><w:t>below</w:t></w:r></w:p>"
        + f"<w:tbl><w:tr>{cell(paragraph('a'))}{cell(paragraph('b'))}</w:tr>"
        + f"<w:tr>{cell(paragraph('1'))}{cell('<w:p/>')}</w:tr></w:tbl>"
        + paragraph("End")
    )
    reading = reader.interpret(make_docx(body, styles=styles, footnotes=notes), name="a.docx")
    assert reading.format is Format.DOCX
    assert reading.text == (
        "# Report\n\n## Kapitel\n\n- One\n- Two\n\nClaim[footnote 1]\nbelow\n\n"
        "| a | b |\n| 1 |  |\n\nEnd\n\n[footnote 1] Proof.\n"
    )


def test_a_zip_bomb_ends_at_a_bound() -> None:
    bomb = make_zip({"word/document.xml": b"<a>" + b" " * 60_000_000})
    assert len(bomb) < 100_000
    with Reader(Limits(text_bytes=1_000_000)) as reader:
        assert refusal(reader, bomb, "bomb.docx").trouble is Trouble.TOO_LARGE


def test_a_document_type_is_refused(reader: Reader) -> None:
    laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>"
    data = make_zip({"word/document.xml": laughs.encode()})
    assert refusal(reader, data, "laughs.docx").trouble is Trouble.DAMAGED


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"xl/workbook.xml": b"x"}, "spreadsheet"),
        ({"ppt/presentation.xml": b"x"}, "presentation"),
        ({"readme.txt": b"x"}, "ZIP archive"),
        ({"mimetype": b"application/epub+zip"}, "EPUB"),
    ],
)
def test_another_archive_is_named(reader: Reader, files: dict[str, bytes], words: str) -> None:
    error = refusal(reader, make_zip(files), "other.docx")
    assert error.trouble is Trouble.BINARY
    assert words in str(error)


def test_a_damaged_archive_is_refused(reader: Reader) -> None:
    whole = make_docx(paragraph("x" * 5000))
    for data in (whole[:200], b"PK\x03\x04", whole.replace(b"word/document", b"word/documenT", 1)):
        assert refusal(reader, data, "torn.docx").trouble in (Trouble.DAMAGED, Trouble.BINARY)


def test_a_document_without_text_is_refused(reader: Reader) -> None:
    assert refusal(reader, make_docx("<w:p/>"), "blank.docx").trouble is Trouble.NO_TEXT


# --- the child process


def _converter(tmp_path: Path, program: str, deadline_s: float = 20.0) -> Converter:
    script = tmp_path / "child.py"
    script.write_text(program)
    return Converter(Limits(deadline_s=deadline_s), script=script)


def test_a_child_that_crashes_is_one_line_and_the_next_file_gets_a_new_one(tmp_path: Path) -> None:
    converter = _converter(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"^a\.pdf is damaged, or needs .* SIGSEGV$") as caught:
            converter.convert(b"x", Format.PDF, name="a.pdf")
        assert caught.value.trouble is Trouble.DAMAGED


def test_a_child_that_does_not_end_is_ended(tmp_path: Path) -> None:
    converter = _converter(tmp_path, "import time; time.sleep(60)", deadline_s=0.3)
    with pytest.raises(Unreadable, match=r"could not be read in 0\.3 s") as caught:
        converter.convert(b"x" * 1_000_000, Format.PDF, name="a.pdf")
    assert caught.value.trouble is Trouble.TOO_SLOW


def test_a_child_that_answers_nonsense_is_ended(tmp_path: Path) -> None:
    converter = _converter(tmp_path, "print('hello', flush=True)")
    with pytest.raises(Unreadable, match="damaged"):
        converter.convert(b"x", Format.PDF, name="a.pdf")
