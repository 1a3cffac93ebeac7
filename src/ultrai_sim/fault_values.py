"""What the values of a fault may be: their types, their bounds, and how to say what is wrong.

A value that passes here can be carried out: no number overflows a clock, no text breaks a head.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ultrai_sim.aim import ROUTES
from ultrai_sim.reading import short

Complaint = str | None
MOST_SECONDS = 1e9  # some thirty years: farther than any clock of a test, nearer than any overflow
MOST_BYTES = 1_000_000_000
MOST_RETRY_AFTER = 1e300
MOST_CODE = 2**63
# RFC 9110: the code points of a field name, and no line ends or other controls in a value.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
FRAMING = frozenset({"content-length", "transfer-encoding"})
BODILESS = frozenset({204, 205, 304})


def wrong_value(name: str, value: Any) -> Complaint:
    """What is wrong with one option's value, in one line; None: nothing."""
    check = CHECKS.get(name)
    complaint = None if check is None else check(value)
    return None if complaint is None else f"{name!r} {complaint}, not {short(value)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(least: int, most: int) -> Callable[[Any], Complaint]:
    def check(value: Any) -> Complaint:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be a whole number"
        return None if least <= value <= most else f"must be from {least} to {most:,}"

    return check


def _seconds(value: Any) -> Complaint:
    if not _is_number(value):
        return "must be a number of seconds"
    return None if 0 <= value <= MOST_SECONDS else "must be a number of seconds, 0 to 1,000,000,000"


def _some_seconds(value: Any) -> Complaint:
    return _seconds(value) or (None if value > 0 else "must be more than 0 seconds")


def _seconds_either_way(value: Any) -> Complaint:
    if not _is_number(value):
        return "must be a number of seconds"
    return None if abs(value) <= MOST_SECONDS else "must lie within 1,000,000,000 seconds of now"


def _share(value: Any) -> Complaint:
    if not _is_number(value):
        return "must be a number from 0 to 1"
    return None if 0 <= value <= 1 else "lies between 0 and 1"


def _text(value: Any) -> Complaint:
    return None if isinstance(value, str) else "must be a text"


def _header_text(value: Any) -> Complaint:
    if not isinstance(value, str):
        return "must be a text"
    return "must be one line, as it stands in a header" if _CONTROL.search(value) else None


def _retry_after(value: Any) -> Complaint:
    if isinstance(value, str):
        return _header_text(value)
    if not _is_number(value):
        return "must be a number of seconds or a header's text"
    # Absurd on purpose is allowed: it only becomes a text. What is no number at all is not.
    return (
        None if abs(value) <= MOST_RETRY_AFTER else "must be a number of seconds or a header's text"
    )


def _headers(value: Any) -> Complaint:
    if not isinstance(value, Mapping):
        return "must be a table of headers"
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(str(name)):
            return f"has a header called {name!r}, which no header can be"
        if str(name).lower() in FRAMING:
            return f"cannot have {name!r}, which follows from the body"
        if _header_text(text) is not None:
            return f"must have a text of one line for {name!r}"
    return None


def _attempts(value: Any) -> Complaint:
    numbers = value if isinstance(value, list | tuple) else [value]
    fine = [isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in numbers]
    return None if fine and all(fine) else "must be whole numbers from 1, at least one of them"


def _status(value: Any) -> Complaint:
    complaint = _whole(200, 599)(value)
    if complaint is None and value in BODILESS:
        complaint = "must be a status that has a body"
    return complaint


def _code(value: Any) -> Complaint:
    if isinstance(value, str):
        return None
    return None if _whole(-MOST_CODE, MOST_CODE)(value) is None else "must be a number or a text"


def _table(value: Any) -> Complaint:
    return None if isinstance(value, Mapping) else "must be a table"


def _flag(value: Any) -> Complaint:
    return None if isinstance(value, bool) else "must be true or false"


def _one_of(*choices: str) -> Callable[[Any], Complaint]:
    named = ", ".join(repr(choice) for choice in choices)
    return lambda value: None if value in choices else f"is one of {named}"


CHECKS: Mapping[str, Callable[[Any], Complaint]] = {
    **dict.fromkeys(("kind", "model", "provider", "key", "message", "text"), _text),
    **dict.fromkeys(("location", "content_type"), _header_text),
    **dict.fromkeys(("from_s", "until_s", "off_s", "seconds"), _seconds),
    **dict.fromkeys(("head_s", "first_token_s", "per_token_s", "every_s"), _seconds),
    "on_s": _some_seconds,
    "retry_after_date_s": _seconds_either_way,
    "retry_after": _retry_after,
    "attempts": _attempts,
    "probability": _share,
    "times": _whole(1, MOST_BYTES),
    "status": _status,
    "code": _code,
    "tokens": _whole(0, MOST_BYTES),
    "after": _whole(0, MOST_BYTES),
    "size": _whole(1, MOST_BYTES),
    "metadata": _table,
    "availability": _table,
    "headers": _headers,
    "comments": _flag,
    "how": _one_of("clean", "incomplete"),
    "dialect": _one_of("2025", "2026"),
    "route": _one_of(*ROUTES),
    "at": _one_of("head", "start", "usage", "done"),
}
"""Every key of a fault, and what its value must be."""
