"""Events as bytes: JSON lines of `Event.to_dict()`, without the Report of the last one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ultrai.domain.codec import event_from_dict
from ultrai.domain.event import Event

_ENCODER = msgspec.json.Encoder(enc_hook=str)
_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def encode_events(events: Sequence[Event]) -> bytes:
    """One line each. Text that UTF-8 cannot hold (lone surrogates) is replaced, never refused."""
    shapes = [_shape(event) for event in events]
    try:
        return _ENCODER.encode_lines(shapes)
    except UnicodeEncodeError:
        return "".join(_cleaned(shape) for shape in shapes).encode()


def decode_events(payload: bytes) -> Iterator[Event]:
    """The Events of one row. Raises DecodeError, KeyError, TypeError or ValueError if damaged."""
    return map(event_from_dict, _DECODER.decode_lines(payload))


def clean(text: str) -> str:
    """Text that every database takes: neither lone surrogates nor NUL."""
    if text.isascii() and "\0" not in text:
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def clean_or_none(text: str | None) -> str | None:
    """The same, where there is a text."""
    return None if text is None else clean(text)


def _shape(event: Event) -> dict[str, object]:
    if event.report is not None:
        event = replace(event, report=None)
    return event.to_dict()


def _cleaned(shape: dict[str, object]) -> str:
    line = json.dumps(shape, ensure_ascii=False, default=str)
    return clean(line) + "\n"
