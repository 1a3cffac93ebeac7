"""Bytes to text: UTF-8, with or without a mark; UTF-16 and UTF-32; nothing is guessed beyond that.

A guess at an old encoding would be wrong silently, and a wrong letter in a name or a sum is worse
than a refusal that says how to convert the file.
"""

from __future__ import annotations

import codecs
import re

from ultrai.reading.reading import Trouble, Unreadable
from ultrai.reading.sniffing import binary_kind

_LOOKED_AT = 65_536
_CONTROL_SHARE = 0.1
_ZERO_SHARE = 0.5  # of every second byte, in UTF-16 of a script that is mostly Latin
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MARKS = (  # the longer first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes, name: str) -> str:
    """The text, with plain line ends. Raises Unreadable for what is binary, empty or undecodable.

    `name` is how messages call it.
    """
    if not data:
        raise Unreadable(
            f"{name} is empty", trouble=Trouble.EMPTY, hint="give a file that holds text"
        )
    kind = binary_kind(data)
    if kind is not None:
        raise _binary(f"{name} is {kind}, not text")
    encoding, rest = _encoding_of(data)
    try:
        text = rest.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(name, data, error=error) from error
    head = text[:_LOOKED_AT]
    if "\0" in text or len(_CONTROLS.findall(head)) > len(head) * _CONTROL_SHARE:
        raise _binary(f"{name} is binary, not text")
    if not text.strip():
        raise Unreadable(
            f"{name} holds only blanks", trouble=Trouble.EMPTY, hint="give a file that holds text"
        )
    return text.replace("\r\n", "\n")


def _encoding_of(data: bytes) -> tuple[str, bytes]:
    """The encoding, and the bytes without its mark."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, data[len(mark) :]
    head = data[:_LOOKED_AT]
    if len(data) % 2 == 0 and b"\0" in head:
        first, second = head[::2], head[1::2]
        for zeros, others, encoding in (
            (second, first, "utf-16-le"),
            (first, second, "utf-16-be"),
        ):
            if zeros.count(0) > len(zeros) * _ZERO_SHARE and others.count(0) == 0:
                return encoding, data
    return "utf-8", data


def _undecodable(name: str, data: bytes, *, error: UnicodeDecodeError) -> Unreadable:
    if b"\0" in data[:_LOOKED_AT]:
        return _binary(f"{name} is binary, not text")
    line = data.count(b"\n", 0, error.start) + 1
    return Unreadable(
        f"{name} is not UTF-8 text: byte 0x{data[error.start]:02X} in line {line}",
        trouble=Trouble.ENCODING,
        hint="convert it first, for example: iconv -f WINDOWS-1252 -t UTF-8",
    )


def _binary(message: str) -> Unreadable:
    return Unreadable(
        message, trouble=Trouble.BINARY, hint="text, code, HTML, PDF and DOCX can be read"
    )
