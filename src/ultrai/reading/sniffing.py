"""Which format a file has: by what it begins with, and for HTML also by its name."""

from __future__ import annotations

import re
from pathlib import PurePath

from ultrai.reading.reading import Format

_HEAD = 1024
_HTML_SUFFIXES = frozenset({".html", ".htm", ".xhtml"})
# Possessive throughout: what fails must not be tried in other ways.
_HTML_START = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+)*+<(?:!doctype html|html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"RIFF", "an image, sound or film"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xfe\xed\xfa", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old or encrypted Office file"),
    (b"{\\rtf", "a rich text file"),
)


def format_of(name: str, data: bytes) -> Format:
    """The format. A ZIP archive counts as DOCX: its reader tells what else it is."""
    head = data[:_HEAD]
    if b"%PDF-" in head and head.lstrip(b"\0\t\n\f\r \xef\xbb\xbf").startswith(b"%PDF-"):
        return Format.PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Format.DOCX
    if PurePath(name).suffix.lower() in _HTML_SUFFIXES or _HTML_START.match(head):
        return Format.HTML
    return Format.TEXT


def binary_kind(data: bytes) -> str | None:
    """What a binary file is, in words; None where its beginning is not known."""
    return next((words for start, words in _SIGNATURES if data.startswith(start)), None)
