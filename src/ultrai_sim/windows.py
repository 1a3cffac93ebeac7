"""Windows of time in UTC: days, weeks from Monday, calendar months, clock hours of price overrides.

Days are counted from 1970-01-01; all windows begin and end at 00:00 UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

Interval = Literal["daily", "weekly", "monthly"]
INTERVALS: tuple[Interval, ...] = ("daily", "weekly", "monthly")

DAY_S = 86_400.0
WEEK = 7
THURSDAY = 3
"""The weekday of day 0, counted from Monday."""
EPOCH = date(1970, 1, 1).toordinal()


def day_of(stamp: float) -> int:
    """The UTC day of a stamp."""
    return int(stamp // DAY_S)


def iso_day(day: int) -> str:
    """A day as YYYY-MM-DD."""
    return date.fromordinal(EPOCH + day).isoformat()


def first_day(interval: Interval, day: int) -> int:
    """The first day of the window that a day lies in."""
    if interval == "daily":
        return day
    if interval == "weekly":
        return day - (day + THURSDAY) % WEEK
    return day - date.fromordinal(EPOCH + day).day + 1


def reset_after(interval: Interval, day: int) -> float:
    """The stamp at which the window that a day lies in is over."""
    if interval == "daily":
        following = day + 1
    elif interval == "weekly":
        following = first_day("weekly", day) + WEEK
    else:
        longest_month = 31
        following = first_day("monthly", first_day("monthly", day) + longest_month)
    return following * DAY_S


def is_within(stamp: float, *, start: int, end: int, days: Collection[int | str] | None) -> bool:
    """Whether a moment lies in a daily window of HHMM clock numbers, on one of these days.

    The window is half-open and may wrap midnight; equal numbers are the whole day. Days are
    numbers from Sunday, as JavaScript counts them, or names like ``mon``.
    """
    moment = datetime.fromtimestamp(stamp, UTC)
    if days:
        name, number = f"{moment:%a}".lower(), moment.isoweekday() % WEEK
        if not any(day == number or str(day).lower()[:3] == name for day in days):
            return False
    if start == end:
        return True
    clock = moment.hour * 100 + moment.minute
    if start < end:
        return start <= clock < end
    return clock >= start or clock < end


@dataclass(slots=True)
class Spending:
    """What was spent, in USD: in all, and on each UTC day."""

    total: Decimal = Decimal(0)
    by_day: dict[int, Decimal] = field(default_factory=dict)

    def add(self, amount: Decimal, *, day: int) -> None:
        """Spend an amount on a day."""
        self.total += amount
        self.by_day[day] = self.by_day.get(day, Decimal(0)) + amount

    def within(self, interval: Interval | None, *, day: int) -> Decimal:
        """What was spent in the window of an interval that a day lies in; None is for ever."""
        if interval is None:
            return self.total
        if interval == "daily":
            return self.by_day.get(day, Decimal(0))
        first = first_day(interval, day)
        spent = (amount for on, amount in self.by_day.items() if first <= on <= day)
        return sum(spent, Decimal(0))
