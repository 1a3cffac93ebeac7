"""PDF to text, page by page, by PDFium. Runs in the child process (`worker_main`)."""

from __future__ import annotations

import re
from typing import Any

from ultrai.reading.reading import Limits, Trouble
from ultrai.reading.refusal import Refusal

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
# How PDFium writes a hyphen at the end of a line: the word goes on in the next one.
_HYPHEN = re.compile("[\x02\ufffe]\n?")
_CONTROLS = re.compile("[\0\x01\x03-\x08\x0b\x0e-\x1f\ud800-\udfff]")
_NAMED = 5


def pdf_to_text(data: bytes, limits: Limits) -> tuple[str, str]:
    """The text with a line `[page N]` before each page, and a remark. Raises Refusal."""
    try:
        import pypdfium2
    except ImportError as error:
        raise Refusal(
            Trouble.NO_READER,
            "is a PDF, and what reads it is not installed",
            hint="pip install 'ultrai[documents]'",
        ) from error
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            raise Refusal(
                Trouble.ENCRYPTED,
                "is encrypted: it opens only with a password",
                hint="decrypt it first",
            ) from error
        raise Refusal(
            Trouble.DAMAGED,
            "is a damaged PDF that cannot be opened",
            hint="repair or export it anew",
        ) from error
    return _text_of(document, limits, damaged=pypdfium2.PdfiumError)


def _text_of(document: Any, limits: Limits, *, damaged: type[Exception]) -> tuple[str, str]:
    count = len(document)
    if count > limits.pages:
        message = f"has {count:,} pages; the most is {limits.pages:,}"
        raise Refusal(Trouble.TOO_LARGE, message, hint="give a part of it")
    parts: list[str] = []
    silent: list[int] = []
    size = 0
    for number in range(1, count + 1):
        try:
            text = _page_text(document, number - 1)
        except damaged:
            text = ""
        if not text:
            silent.append(number)
        size += len(text.encode())
        if size > limits.text_bytes:
            raise Refusal.too_much_text(limits)
        parts.append(f"[page {number}]\n{text}\n")
    if len(silent) == count:
        raise Refusal(
            Trouble.NO_TEXT,
            "holds no text: it is scanned, or made of images",
            hint="run it through text recognition (OCR) first",
        )
    return "\n".join(parts), _remark(silent, count)


def _page_text(document: Any, index: int) -> str:
    page = document[index]
    try:
        text_page = page.get_textpage()
        try:
            text = text_page.get_text_bounded(errors="replace")
        finally:
            text_page.close()
    finally:
        page.close()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _HYPHEN.sub("", text)).strip()


def _remark(silent: list[int], count: int) -> str:
    if not silent:
        return ""
    named = ", ".join(map(str, silent[:_NAMED])) + (", …" if len(silent) > _NAMED else "")
    return f"{len(silent)} of {count} pages hold no text: {named}"
