"""What a 200's body is, judged by its first bytes; the content type only breaks ties."""

from __future__ import annotations

from enum import Enum
from typing import Final

_FIELDS: Final = (b":", b"data:", b"event:", b"id:", b"retry:")
_BOM: Final = b"\xef\xbb\xbf"


class BodyKind(Enum):
    """How a body is to be read."""

    STREAM = "stream"
    JSON = "JSON"
    HTML = "HTML"
    OTHER = "other"
    EMPTY = "empty"


def sniff(beginning: bytes, content_type: str, *, at_end: bool = False) -> BodyKind | None:
    """The kind of body that begins so; None while more bytes are needed to tell."""
    start = beginning.removeprefix(_BOM).lstrip()
    if not start:
        return BodyKind.EMPTY if at_end else None
    if start[:1] in b"{[":
        return BodyKind.JSON
    if start[:1] == b"<":
        return BodyKind.HTML
    if content_type == "text/event-stream" or start.startswith(_FIELDS):
        return BodyKind.STREAM
    if not at_end and any(field.startswith(start) for field in _FIELDS):
        return None
    return BodyKind.OTHER
