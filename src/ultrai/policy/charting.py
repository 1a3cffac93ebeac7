"""Arranges the ledger's sums for pictures. Pure; amounts stay whole nanodollars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from ultrai.domain.budget import BudgetState
from ultrai.domain.chart import Burn, DayChart
from ultrai.domain.drift import DailySpending
from ultrai.policy.budgeting import period_end

OTHERS = "others"
_LEVELS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"
_LONGEST = timedelta(days=366)


def chart_of(daily: Sequence[DailySpending], *, most_models: int = 7) -> DayChart:
    """By day, stacked by model; `daily` holds at least one row."""
    days = _days(daily)
    place = {day: index for index, day in enumerate(days)}
    models: dict[str, list[int]] = {}
    unsure, answers = [0] * len(days), [0] * len(days)
    for row in daily:
        here = place[row.day]
        models.setdefault(row.model, [0] * len(days))[here] += row.cost_nanos
        unsure[here] += row.unsure_nanos
        answers[here] += row.answers
    order = sorted(models, key=lambda model: (-sum(models[model]), model))
    shown = {model: models[model] for model in order[:most_models]}
    rest = [models[model] for model in order[most_models:]]
    if rest:
        shown[OTHERS] = [sum(day) for day in zip(*rest, strict=True)]
    return DayChart(days, shown, unsure, answers)


def sparkline(chart: DayChart, *, most_days: int) -> tuple[str, Sequence[str], int]:
    """One character for each of the last days, which days, and what the tallest stands for.

    What is not known counts at the most it may be. A day without cost is a dot, and the least
    cost is still a bar.
    """
    days = chart.days[-most_days:]
    sums = [a + b for a, b in zip(chart.costs, chart.unsure, strict=True)][-most_days:]
    top = max(sums)
    bars = [_LEVELS[-(-each * len(_LEVELS) // top) - 1] if each else _NOTHING for each in sums]
    return "".join(bars), days, top


def burn_of(state: BudgetState, spent: Sequence[tuple[str, int]], *, now: datetime) -> Burn:
    """How a Budget is used up: `spent` are stamps, or beginnings of some, with nanodollars."""
    moments = sorted((_moment(text), nanos) for text, nanos in spent)
    ends = period_end(state.budget.period, now)
    first = moments[0][0] if moments else now
    began = datetime.fromisoformat(state.since) if state.since else first
    points, posted = [], 0
    for moment, nanos in moments:
        posted += nanos
        points.append((moment, posted))
    elapsed_s = int((now - began).total_seconds())
    out_at = None
    if posted > 0 and elapsed_s > 0:
        to_go = max(0, state.budget.limit_nanos - posted)
        wait_s = to_go * elapsed_s // posted
        # What is further off than a year says nothing.
        out_at = now + timedelta(seconds=wait_s) if wait_s < _LONGEST.total_seconds() else None
    return Burn(state, began, now, ends, points, out_at)


def share_left(burn: Burn) -> Fraction:
    """How much of the Budget is left, to put the most pressing first; 0 where it allows nothing."""
    limit = burn.state.budget.limit_nanos
    return Fraction(burn.state.left_nanos, limit) if limit else Fraction(0)


def _days(daily: Sequence[DailySpending]) -> list[str]:
    first = date.fromisoformat(min(row.day for row in daily))
    last = date.fromisoformat(max(row.day for row in daily))
    return [(first + timedelta(n)).isoformat() for n in range((last - first).days + 1)]


def _moment(text: str) -> datetime:
    """`2026-11-26`, `2026-11-26T10` or `2026-11-26T10:30`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
