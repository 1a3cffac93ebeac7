"""Which Budgets hold for a Run, and from when to when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from ultrai.domain.budget import Budget, Payer, Period
from ultrai.domain.ledger import RefusalReason, Shortage
from ultrai.domain.stamp import stamp

_FOREVER = ""
_FIGURES = 3


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


def shortage_of(used: Iterable[tuple[Budget, int]], nanos: int | None) -> Shortage | None:
    """The tightest hard Budget that does not allow so much more to be held; None: all do.

    `used`: what each has spent and holds already. `nanos` None: no price is known.
    """
    tightest: Shortage | None = None
    for budget, used_nanos in used:
        if not budget.hard:
            continue
        left = max(0, budget.limit_nanos - used_nanos)
        if budget.closed:
            return Shortage(budget, RefusalReason.CLOSED, nanos or 0, 0, used_nanos)
        if nanos is None:
            return Shortage(budget, RefusalReason.PRICE_UNKNOWN, 0, left, used_nanos)
        if nanos > left and (tightest is None or left < tightest.left_nanos):
            tightest = Shortage(budget, RefusalReason.SPENT, nanos, left, used_nanos)
    return tightest


def sufficient_limit_nanos(shortage: Shortage) -> int:
    """A ceiling that would do, rounded up to three figures."""
    wanted = shortage.used_nanos + shortage.needed_nanos
    step: int = 10 ** max(0, len(str(wanted)) - _FIGURES)
    return -(-wanted // step) * step
