"""Compares the upstream's figures with the ledger's, and finds what explains each difference.

The ledger allows for a range: what it knows, less what is so new that the upstream may not have
counted it, up to what unknown costs and requests under way may come to. A figure in the range is
explained. The upstream's sums are of exact costs and the ledger's of costs in whole nanodollars:
half a nanodollar for each request is rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ultrai.domain.attempt import Account
from ultrai.domain.drift import Activity, Cause, DailySpending, Difference

_DAYS_TOLD = 30
_VIRTUAL = ("nitro", "floor", "exacto", "online")


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger has of one key, since ever.

    `recent_nanos` was spent in the last minutes; `in_flight_nanos` bounds requests under way.
    """

    days: Sequence[DailySpending] = ()
    recent_nanos: int = 0
    in_flight_nanos: int = 0

    @property
    def begins(self) -> str | None:
        """The first day of which the ledger knows something."""
        return min((each.day for each in self.days), default=None)


def compare_spans(
    account: Account, kept: Kept, *, now: datetime, created: str | None = None
) -> list[Difference]:
    """What `/key` says of today, this week, this month and ever.

    `created` is the day on which the key was made, if that is known. A span that began before the
    ledger knew the key cannot be told from spending elsewhere: the cause is `before_ledger`.
    """
    today = now.date()
    spans: list[tuple[str, int | None, str]] = [
        ("today", account.usage_day_nanos, today.isoformat()),
        ("week", account.usage_week_nanos, (today - timedelta(today.weekday())).isoformat()),
        ("month", account.usage_month_nanos, today.replace(day=1).isoformat()),
        ("ever", account.usage_nanos, ""),
    ]
    rows = []
    for name, said, since in spans:
        if said is None:
            continue
        mine = [each for each in kept.days if each.day >= since]
        row = _judge(name, said, days=mine, slack=(kept.recent_nanos, kept.in_flight_nanos))
        if row.cause is Cause.OUTSIDE and _is_before(max(since, created or ""), kept):
            row = replace(row, cause=Cause.BEFORE_LEDGER, unexplained_nanos=0)
        rows.append(row)
    return _across_spans(rows)


def compare_days(
    activity: Sequence[Activity], kept: Kept, *, now: datetime, days: int = _DAYS_TOLD
) -> list[Difference]:
    """Each completed day (UTC) and model of the last `days`, as `/activity` tells them."""
    since = (now.date() - timedelta(days)).isoformat()
    until = now.date().isoformat()
    said: dict[tuple[str, str], list[Activity]] = {}
    for each in activity:
        if since <= each.day < until:
            said.setdefault((each.day, _asked_as(each.model)), []).append(each)
    mine: dict[tuple[str, str], list[DailySpending]] = {}
    for spent in kept.days:
        if since <= spent.day < until:
            mine.setdefault((spent.day, _asked_as(spent.model)), []).append(spent)
    rows = []
    for day, model in sorted(said.keys() | mine.keys()):
        told, known = said.get((day, model), []), mine.get((day, model), [])
        row = _judge(day, sum(each.usage_nanos for each in told), days=known)
        if row.cause is Cause.OUTSIDE and _is_before(day, kept):
            row = replace(row, cause=Cause.BEFORE_LEDGER, unexplained_nanos=0)
        requests = sum(each.requests for each in told)
        rows.append(replace(row, model=model, upstream_requests=requests))
    return _across_midnight([row for row in rows if _says_something(row)])


def _judge(
    span: str, said: int, *, days: Sequence[DailySpending], slack: tuple[int, int] = (0, 0)
) -> Difference:
    """`slack`: what of it is recent, and what requests under way may add."""
    recent, in_flight = slack
    known = sum(each.cost_nanos for each in days)
    unsure = sum(each.unsure_nanos for each in days)
    billed = sum(each.billed for each in days)
    rounding = billed // 2 + 1
    least = known - recent
    most = known + unsure + in_flight
    row = Difference(span, None, said, known, unsure, Cause.AGREES, ledger_requests=billed)
    if abs(said - known) <= rounding:
        return row
    if said > most + rounding:
        return replace(row, cause=Cause.OUTSIDE, unexplained_nanos=said - most)
    if said < least - rounding:
        return replace(row, cause=Cause.MISSING, unexplained_nanos=said - least)
    if said < known:
        return replace(row, cause=Cause.LAG)
    is_unknown = said <= known + unsure + rounding
    return replace(row, cause=Cause.UNKNOWN_COST if is_unknown else Cause.IN_FLIGHT)


def _across_spans(rows: list[Difference]) -> list[Difference]:
    """Where all that there ever was agrees, only the moment differs for which each counts.

    A shorter span then differs by what was under way as it began.
    """
    if not any(row.span == "ever" and row.cause is Cause.AGREES for row in rows):
        return rows
    return [_excused(row) if row.unexplained_nanos else row for row in rows]


def _across_midnight(rows: list[Difference]) -> list[Difference]:
    """What is too much on one day and too little on the next was under way at midnight."""
    places: Mapping[tuple[str, str | None], int] = {
        (row.span, row.model): place for place, row in enumerate(rows)
    }
    found = list(rows)
    for row in rows:
        after = (datetime.fromisoformat(row.span) + timedelta(1)).date().isoformat()
        here, there = places[row.span, row.model], places.get((after, row.model))
        if there is None:
            continue
        pair = found[here], found[there]
        rounding = sum((each.ledger_requests or 0) // 2 + 1 for each in pair)
        offset = abs(sum(each.unexplained_nanos for each in pair))
        if all(each.unexplained_nanos for each in pair) and offset <= rounding:
            found[here], found[there] = map(_excused, pair)
    return found


def _excused(row: Difference) -> Difference:
    return replace(row, cause=Cause.MIDNIGHT, unexplained_nanos=0)


def _is_before(since: str, kept: Kept) -> bool:
    return kept.begins is None or since < kept.begins


def _asked_as(model: str) -> str:
    """The id without what only steers the choice of a provider."""
    base, colon, suffix = model.rpartition(":")
    return base if colon and suffix in _VIRTUAL else model


def _says_something(row: Difference) -> bool:
    return bool(row.upstream_nanos or row.ledger_nanos or row.unsure_nanos or row.upstream_requests)
