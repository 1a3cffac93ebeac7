"""Amounts, durations and names in the words that people read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ultrai.cli.render.safety import one_line
from ultrai.domain.money import NANOS_PER_USD, format_usd
from ultrai.domain.outcome import Cost, CostState, Failure

FIRST_REFUSAL = 400
"""The least HTTP status that says no."""

_CENT = NANOS_PER_USD // 100
_SECOND_MS = 1000
_MINUTE_MS = 60 * _SECOND_MS
_SIGNIFICANT = 3
_BRIEF = 160


def money(nanos: int | None) -> str:
    """`$0.0104`: two to four places, three figures below a cent; `unknown` is never `$0`."""
    if nanos is None:
        return "unknown"
    if nanos == 0:
        return "$0"
    if abs(nanos) >= _CENT:
        whole, _, places = f"{Decimal(nanos) / NANOS_PER_USD:,.4f}".partition(".")
        return f"${whole}.{places.rstrip('0').ljust(2, '0')}"
    cut = max(0, len(str(abs(nanos))) - _SIGNIFICANT)
    return f"${format_usd(round(nanos, -cut))}"


def cost_words(cost: Cost) -> str:
    """An amount with how well it is known: `~` stands before an estimate."""
    if cost.state is CostState.UNKNOWN_BILLED:
        return "unknown" if cost.nanos is None else f"≥ {money(cost.nanos)}"
    if cost.state is CostState.ESTIMATED and cost.nanos is not None:
        return f"~{money(cost.nanos)}"
    return money(cost.nanos)


def bracket(low: int | None, high: int | None) -> str:
    """`$0.031–$0.058`, one amount where both agree, words where none is known."""
    if high is None:
        return "no price known" if low is None else f"at least {money(low)}"
    if low is None or low == high:
        return money(high)
    return f"{money(low)}–{money(high)}"


def stake(low: int | None, high: int | None, *, expected: int | None) -> str:
    """`expected ~$0.03, held $0.20 (worst case)`; the bracket where no price is known or one is."""
    if high is None or expected is None or expected == high:
        return bracket(low, high)
    return f"expected ~{money(expected)}, held {money(high)} (worst case)"


def duration(ms: int | None) -> str:
    """`412 ms`, `1.1 s`, `2 min 05 s`; a dash where it is not known."""
    if ms is None:
        return "–"
    if ms < _SECOND_MS:
        return f"{ms} ms"
    if ms < _MINUTE_MS:
        return f"{ms / _SECOND_MS:.1f} s"
    minutes, rest = divmod(round(ms / _SECOND_MS), 60)
    return f"{minutes} min {rest:02d} s"


def clock(ms: int) -> str:
    """`00:07`: minutes and seconds since the start."""
    minutes, seconds = divmod(ms // _SECOND_MS, 60)
    return f"{minutes:02d}:{seconds:02d}"


def count(number: int, noun: str) -> str:
    """`1 answer`, `2 answers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short_names(ids: Sequence[str]) -> dict[str, str]:
    """What stands after the slash, for each id; the whole id where that would be ambiguous."""
    tails = [model.partition("/")[2] or model for model in dict.fromkeys(ids)]
    return {
        model: tail if tails.count(tail) == 1 else model
        for model, tail in zip(dict.fromkeys(ids), tails, strict=True)
    }


def failure_cause(failure: Failure) -> str:
    """`rate limited (429)`: the kind in words, and the status where that was a refusal."""
    words = failure.kind.value.replace("_", " ")
    is_refusal = failure.status is not None and failure.status >= FIRST_REFUSAL
    return f"{words} ({failure.status})" if is_refusal else words


def failure_line(failure: Failure) -> str:
    """Cause, the upstream's own words, and at the end the advice for a person."""
    return _failure_words(failure, one_line(failure.message))


def brief_failure_line(failure: Failure) -> str:
    """The same with the first of the upstream's words, for who reads many such lines in a row."""
    return _failure_words(failure, shorten(one_line(failure.message)))


def shorten(text: str, *, limit: int = _BRIEF) -> str:
    """At most `limit` characters of `text`, cut between words with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    whole_words = head.rpartition(" ")[0].rstrip(" ,;:(-")
    return f"{whole_words if len(whole_words) * 2 > limit else head[:-1]}…"


def _failure_words(failure: Failure, message: str) -> str:
    line = f"{failure_cause(failure)}: {message}".rstrip(": ")
    return f"{line} — {one_line(failure.advice)}" if failure.advice else line
