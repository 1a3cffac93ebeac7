"""DOCX to Markdown: headings, paragraphs, lists, tables, notes. Runs in the child process.

A DOCX file is a ZIP archive of XML. Both may be bombs: what is unpacked is read in pieces and
counted, and a document type, which only an attack needs, is refused before it defines anything.
Left out, as in a printed draft without its margins: headers, footers, comments, deleted text.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from xml.parsers import expat

from ultrai.reading.docx_parts import DocumentPart, NumberedNotes, Part, StyleNames
from ultrai.reading.reading import Limits, Trouble
from ultrai.reading.refusal import Refusal

_PIECE = 65_536
_MARKUP_FACTOR = 8  # bytes of XML that a byte of text may take
_NAMESPACE_END = "}"
_BLANK_LINES = re.compile(r"\n{3,}")
_BODY = "word/document.xml"
_OTHERS = (
    ("xl/workbook.xml", "is a spreadsheet (XLSX)", "export it as CSV"),
    ("ppt/presentation.xml", "is a presentation (PPTX)", "export it as PDF"),
    ("mimetype", "is an EPUB or OpenDocument file", "convert it to DOCX, HTML or PDF"),
)


def docx_to_text(data: bytes, limits: Limits) -> str:
    """The text of the body, then of foot- and endnotes. Raises Refusal."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _text_of(archive, limits)
    except RuntimeError as error:  # what zipfile raises for a file that wants a password
        message = "is encrypted: it opens only with a password"
        raise Refusal(Trouble.ENCRYPTED, message, hint="decrypt it first") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        EOFError,
        NotImplementedError,
        ValueError,
        OSError,
    ) as error:
        raise _damaged() from error


def _text_of(archive: zipfile.ZipFile, limits: Limits) -> str:
    names = set(archive.namelist())
    if _BODY not in names:
        for name, message, hint in _OTHERS:
            if name in names:
                raise Refusal(Trouble.BINARY, message, hint=hint)
        raise Refusal(Trouble.BINARY, "is a ZIP archive, not a document", hint="unpack it first")
    styles = StyleNames()
    if "word/styles.xml" in names:
        _parse(archive, "word/styles.xml", part=styles, limits=limits)
    body = DocumentPart(styles.heading_levels)
    _parse(archive, _BODY, part=body, limits=limits)
    parts = [body.text]
    for kind in ("footnote", "endnote"):
        if f"word/{kind}s.xml" in names:
            notes = NumberedNotes(kind)
            _parse(archive, f"word/{kind}s.xml", part=notes, limits=limits)
            parts.append(notes.text)
    text = _BLANK_LINES.sub("\n\n", "\n\n".join(filter(None, parts))).strip()
    if len(text.encode()) > limits.text_bytes:
        raise Refusal.too_much_text(limits)
    if not text:
        raise Refusal(Trouble.NO_TEXT, "holds no text", hint="give a document that holds text")
    return f"{text}\n"


def _parse(archive: zipfile.ZipFile, name: str, *, part: Part, limits: Limits) -> None:
    """Hand each element of one XML file to `part`, by its name without the namespace."""
    parser = expat.ParserCreate(namespace_separator=_NAMESPACE_END)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = lambda tag, attributes: part.start(
        _local(tag), {_local(key): value for key, value in attributes.items()}
    )
    parser.EndElementHandler = lambda tag: part.end(_local(tag))
    parser.CharacterDataHandler = part.data
    for piece in _pieces(archive, name, limits=limits):
        parser.Parse(piece, False)  # noqa: FBT003 - the module's own signature
    parser.Parse(b"", True)  # noqa: FBT003 - the same


def _pieces(archive: zipfile.ZipFile, name: str, *, limits: Limits) -> Iterator[bytes]:
    size = 0
    with archive.open(name) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > limits.text_bytes * _MARKUP_FACTOR:
                raise Refusal.too_much_text(limits)
            yield piece


def _refuse_doctype(*_: object) -> None:
    raise _damaged()


def _local(name: str) -> str:
    return name.rpartition(_NAMESPACE_END)[2]


def _damaged() -> Refusal:
    hint = "open it in an editor and save it anew"
    return Refusal(Trouble.DAMAGED, "is a damaged DOCX file", hint=hint)
