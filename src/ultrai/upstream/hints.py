"""When to come back and what can be afforded, as an upstream's headers and metadata say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ultrai.domain.outcome import Phase
from ultrai.domain.value import value
from ultrai.upstream.complaint import Complaint
from ultrai.upstream.lenient import integer, items, mapping, number, text

_AFFORDABLE: Final = re.compile(r"can only afford (\d{1,12})\b")
_EARLIEST_SECONDS: Final = 1_000_000_000  # below: not an epoch but a duration, which we leave
_EARLIEST_MILLISECONDS: Final = 100_000_000_000
_LATEST_MILLISECONDS: Final = 10_000_000_000_000
_NO_HEADERS: Final[Mapping[str, str]] = {}


@value
class Circumstances:
    """What else is known when a Complaint is judged.

    `headers` has any spelling of case that its own lookup tolerates; `now` is aware, None when
    unknown; `price_capped`: the request carried a price cap; `in_stream`: it was said by an event
    of a stream, so after the upstream itself had let the request through.
    """

    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    now: datetime | None = None
    phase: Phase = Phase.BEFORE_STREAM
    price_capped: bool = False
    in_stream: bool = False


def retry_after_s(complaint: Complaint, around: Circumstances) -> float | None:
    """Seconds to wait: the header, then the metadata, then the headers that the metadata quotes.

    A date in the past is 0; a figure that is no duration is passed over.
    """
    metadata = complaint.metadata
    quoted = _lowered(metadata.get("headers"))
    candidates = (
        _seconds(around.headers.get("Retry-After"), around.now),
        _milliseconds(around.headers.get("retry-after-ms")),
        _seconds(metadata.get("retry_after_seconds"), around.now),
        _seconds(quoted.get("retry-after"), around.now),
        _milliseconds(quoted.get("retry-after-ms")),
    )
    return next((seconds for seconds in candidates if seconds is not None), None)


def resets_at_ms(complaint: Complaint, around: Circumstances) -> int | None:
    """Epoch milliseconds at which a limit resets, where the upstream says so."""
    quoted = _lowered(complaint.metadata.get("headers"))
    for stamp in (around.headers.get("X-RateLimit-Reset"), quoted.get("x-ratelimit-reset")):
        moment = _epoch_ms(stamp)
        if moment is not None:
            return moment
    return _iso_ms(complaint.metadata.get("resets_at"))


def affordable_tokens(complaint: Complaint) -> int | None:
    """The M of "can only afford M"."""
    match = _AFFORDABLE.search(complaint.message.replace(",", ""))
    return int(match[1]) if match else None


def failed_step(complaint: Complaint) -> str:
    """The routing step that left no provider, in lower case, or nothing."""
    named = complaint.fact("failed_routing_step")
    if named:
        return named
    for entry in items(complaint.metadata.get("routing_funnel")):
        if integer(mapping(entry).get("endpoint_count")) == 0:
            return (text(mapping(entry).get("step")) or "").lower()
    return ""


def _lowered(value: object) -> Mapping[str, object]:
    return {name.lower(): entry for name, entry in mapping(value).items()}


def _seconds(value: object, now: datetime | None) -> float | None:
    seconds = number(value)
    if seconds is not None:
        return seconds if seconds >= 0 else None
    if not isinstance(value, str) or now is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _milliseconds(value: object) -> float | None:
    figure = number(value)
    return figure / 1000 if figure is not None and figure >= 0 else None


def _epoch_ms(value: object) -> int | None:
    figure = number(value)
    if figure is None or figure < _EARLIEST_SECONDS:
        return None
    milliseconds = figure if figure >= _EARLIEST_MILLISECONDS else figure * 1000
    return int(milliseconds) if milliseconds < _LATEST_MILLISECONDS else None


def _iso_ms(value: object) -> int | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
