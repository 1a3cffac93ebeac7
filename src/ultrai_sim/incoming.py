"""What comes from outside and may be anything: JSON of any depth, numbers of any length."""

from __future__ import annotations

import re
from typing import Any

import msgspec

MOST_DEEP = 200
"""Arrays and objects inside each other; nobody's request has more, and recursion ends there."""
MOST_DIGITS = 15
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class NotJSON(ValueError):
    """Bytes that are no JSON, or JSON that nobody writes; the text says which."""


def read_json(raw: bytes) -> Any:
    """The value that the bytes write."""
    if raw.count(b"[") + raw.count(b"{") > MOST_DEEP and _depth(raw) > MOST_DEEP:
        message = f"more than {MOST_DEEP} arrays and objects inside each other"
        raise NotJSON(message)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(str(error)) from None


def _depth(raw: bytes) -> int:
    """How many brackets are open at once, at most; those in texts do not count."""
    depth = deepest = 0
    for found in _BRACKET.finditer(_TEXT.sub(b"", raw)):
        depth += 1 if found[0] in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read_whole(text: str, *, least: int = 0, most: int = 10**MOST_DIGITS) -> int | None:
    """The whole number that a query or a header writes; None where it is none of that range."""
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        return None
    number = int(text)
    return number if least <= number <= most else None
