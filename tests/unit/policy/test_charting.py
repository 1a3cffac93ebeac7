"""Sums arranged for pictures: no day is skipped, nothing is lost, unknown is not 0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ultrai.domain.budget import Budget, BudgetState, Period, Scope
from ultrai.domain.drift import DailySpending
from ultrai.policy.charting import OTHERS, burn_of, chart_of, share_left, sparkline

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def row(day: int, model: str, cost: int, *, unsure: int = 0, answers: int = 1):
    return DailySpending(f"2026-11-{day:02}", model, cost, unsure, answers=answers)


def test_days_without_a_cost_are_there_and_models_are_stacked_the_dearest_first():
    chart = chart_of([row(1, "a", 10), row(3, "a", 20), row(3, "b", 50), row(1, "b", 1)])
    assert chart.days == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert list(chart.models.items()) == [("b", [1, 0, 50]), ("a", [10, 0, 20])]
    assert chart.costs == [11, 0, 70]


def test_models_beyond_the_most_are_put_together_and_nothing_is_lost():
    daily = [row(1, f"m{n}", n) for n in range(1, 11)]
    chart = chart_of(daily, most_models=7)
    assert list(chart.models) == ["m10", "m9", "m8", "m7", "m6", "m5", "m4", OTHERS]
    assert chart.models[OTHERS] == [6]
    assert sum(chart.costs) == 55


def test_what_an_answer_cost_is_unknown_where_a_cost_is_or_nobody_answered():
    daily = [row(1, "a", 9, answers=2), row(2, "a", 9, unsure=1), row(3, "a", 9, answers=0)]
    assert chart_of(daily).per_answer == [4, None, None]


@pytest.mark.parametrize(
    ("costs", "bars"),
    [
        ([8, 0, 1, 4], "█·▁▄"),
        ([10**9, 0, 1], "█·▁"),  # the least cost is still a bar
        ([0, 0], "··"),
        ([1] * 3, "███"),
    ],
)
def test_a_sparkline_has_a_bar_for_each_day_that_cost_something(costs, bars):
    chart = chart_of([row(day, "a", cost) for day, cost in enumerate(costs, start=1)])
    drawn, days, top = sparkline(chart, most_days=60)
    assert (drawn, len(days), top) == (bars, len(costs), max(costs))


def test_a_sparkline_counts_the_unknown_and_shows_the_last_days():
    chart = chart_of([row(1, "a", 99), row(2, "a", 1), row(3, "a", 1, unsure=1)])
    drawn, days, top = sparkline(chart, most_days=2)
    assert (drawn, days, top) == ("▄█", ["2026-11-02", "2026-11-03"], 2)


def state(period: Period, limit: int, posted: int, *, since: str = "2026-11-26T00:00:00.000Z"):
    return BudgetState(Budget("b", Scope.GLOBAL, "", period, limit), posted, 0, 0, since)


def test_a_budget_is_used_up_at_the_pace_of_its_period_so_far():
    spent = [("2026-11-26T10:30", 200), ("2026-11-26T02:00", 400)]
    burn = burn_of(state(Period.DAY, 1000, 600), spent, now=NOW)
    assert burn.points == [(NOW.replace(hour=2), 400), (NOW.replace(hour=10, minute=30), 600)]
    assert burn.out_at == NOW + timedelta(hours=8)  # 600 in 12 hours, and 400 are left
    assert burn.ends == NOW.replace(day=27, hour=0)
    assert burn.is_too_fast
    slower = burn_of(state(Period.DAY, 2000, 600), spent, now=NOW)
    assert slower.out_at == NOW + timedelta(hours=28)
    assert not slower.is_too_fast


@pytest.mark.parametrize(
    ("limit", "spent", "out_at"),
    [
        (1000, [], None),
        (500, [("2026-11-26T10:00", 600)], NOW),  # beyond it already
        (10**9, [("2026-11-26T10:00", 1)], None),  # in thousands of years
    ],
)
def test_a_budget_that_is_unused_overdrawn_or_hardly_used(limit, spent, out_at):
    assert burn_of(state(Period.DAY, limit, 0), spent, now=NOW).out_at == out_at


def test_a_total_begins_with_its_first_day_and_never_ends():
    spent = [("2026-11-16", 500), ("2026-11-20", 500)]
    burn = burn_of(state(Period.TOTAL, 2000, 1000, since=""), spent, now=NOW)
    assert burn.began == datetime(2026, 11, 16, tzinfo=UTC)
    assert burn.ends is None
    assert burn.out_at == NOW + (NOW - burn.began)
    assert burn.is_too_fast


def test_the_most_pressing_budget_comes_first():
    burns = [burn_of(state(Period.DAY, limit, 90), [], now=NOW) for limit in (1000, 100, 0)]
    assert [burn.state.budget.limit_nanos for burn in sorted(burns, key=share_left)] == [
        0,
        100,
        1000,
    ]
