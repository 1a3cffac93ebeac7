"""Reads JSON that strict readers refuse, and takes usable values out of any shape.

`parse_json` accepts what has been seen on the wire: NaN, control characters in strings, lone
surrogates, bytes that are no UTF-8, a byte order mark. Numbers with a fraction stay text. What it
cannot read at all is `UNREADABLE`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from ultrai.upstream.words import keepable

UNREADABLE: Final = object()
_LONGEST_INTEGER: Final = 40
_EMPTY: Final[Mapping[str, object]] = {}


def parse_json(payload: bytes) -> object:
    """The JSON value in `payload`, or UNREADABLE."""
    try:
        value: object = _DECODER.decode(payload.decode("utf-8-sig", "replace").strip())
    except (ValueError, RecursionError):
        return UNREADABLE
    return value


def write_json(value: object) -> bytes:
    """`value` back as JSON, in ASCII."""
    return json.dumps(value).encode()


def mapping(value: object) -> Mapping[str, object]:
    """`value` if it is an object, else an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else _EMPTY


def items(value: object) -> Sequence[object]:
    """`value` if it is an array, else an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def text(value: object) -> str | None:
    """`value` if it is text, fit to keep; else None."""
    return keepable(value) if isinstance(value, str) else None


def integer(value: object) -> int | None:
    """A whole number, also where it was written as text or with a fraction of zero; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if not isinstance(value, str) or len(value) > _LONGEST_INTEGER:
        return None
    digits = value.strip().removesuffix(".0")
    try:
        return int(digits)
    except ValueError:
        return None


def number(value: object) -> float | None:
    """A finite number, also where it was written as text; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        figure = float(value)
    except (ValueError, OverflowError):
        return None
    return figure if abs(figure) < float("inf") else None


def _whole(digits: str) -> object:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _no_number(name: str) -> None:
    """NaN and the infinities are as good as null."""


_DECODER: Final = json.JSONDecoder(
    strict=False, parse_float=str, parse_int=_whole, parse_constant=_no_number
)
