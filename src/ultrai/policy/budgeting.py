"""Which Budgets hold for a Run, and from when to when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from ultrai.domain.budget import Budget, Payer, Period
from ultrai.domain.stamp import stamp

_FOREVER = ""


def period_start(period: Period, moment: datetime, *, run_id: str = "") -> str:
    """What tells this period from the next: its first moment as a stamp.

    A `total` has none, and a `run` is told from the next by its id.
    """
    if period is Period.TOTAL:
        return _FOREVER
    if period is Period.RUN:
        return run_id
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if period is Period.HOUR:
        return stamp(hour)
    day = hour.replace(hour=0)
    if period is Period.WEEK:
        day -= timedelta(days=day.weekday())
    elif period is Period.MONTH:
        day = day.replace(day=1)
    return stamp(day)


def period_end(period: Period, moment: datetime) -> datetime | None:
    """When the period that holds this moment ends; None where it never does."""
    if period in (Period.TOTAL, Period.RUN):
        return None
    start = datetime.fromisoformat(period_start(period, moment))
    if period is Period.HOUR:
        return start + timedelta(hours=1)
    if period is Period.DAY:
        return start + timedelta(days=1)
    if period is Period.WEEK:
        return start + timedelta(days=7)
    return (start + timedelta(days=32)).replace(day=1)


def budgets_of(payer: Payer, budgets: Iterable[Budget]) -> Mapping[str, str]:
    """The names of the Budgets that hold for a Run, each with the period it counts in."""
    began = datetime.fromisoformat(payer.began_at)
    return {
        budget.name: period_start(budget.period, began, run_id=payer.run_id)
        for budget in budgets
        if budget.subject in payer.subjects(budget.scope)
    }
