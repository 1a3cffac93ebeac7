"""What explains a difference between the upstream's figures and the ledger's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ultrai.domain.attempt import Account
from ultrai.domain.drift import Activity, Cause, DailySpending
from ultrai.policy.drifting import Kept, compare_days, compare_spans

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday
A = "openai/gpt-4o"


def spent(day: str, cost: int, *, unsure: int = 0, model: str = A, billed: int = 1):
    unknown = int(unsure > 0)
    return DailySpending(day, model, cost, unsure, unknown, attempts=billed, billed=billed)


def today_of(said: int, kept: Kept):
    account = Account(usage_day_nanos=said)
    (row,) = compare_spans(account, kept, now=NOW)
    return row


TODAY = (spent("2026-11-26", 1000, unsure=300, billed=4),)


@pytest.mark.parametrize(
    ("said", "cause", "unexplained"),
    [
        (1000, Cause.AGREES, 0),
        (1003, Cause.AGREES, 0),  # four requests, each rounded by half a nanodollar at most
        (1004, Cause.UNKNOWN_COST, 0),
        (1303, Cause.UNKNOWN_COST, 0),
        (1304, Cause.IN_FLIGHT, 0),
        (1503, Cause.IN_FLIGHT, 0),
        (1504, Cause.OUTSIDE, 4),
        (996, Cause.LAG, 0),
        (897, Cause.LAG, 0),
        (896, Cause.MISSING, -4),
    ],
)
def test_a_figure_is_explained_as_far_as_the_ledger_allows_for_it(said, cause, unexplained):
    row = today_of(said, Kept(TODAY, recent_nanos=100, in_flight_nanos=200))
    assert (row.cause, row.unexplained_nanos) == (cause, unexplained)
    assert row.nanos == said - 1000


def test_percent_is_of_the_upstreams_figure_and_unknown_of_nothing():
    assert str(today_of(2000, Kept(TODAY)).percent) == "50.00"
    assert today_of(0, Kept(TODAY)).percent is None


def test_spans_are_the_upstreams_days_weeks_and_months():
    kept = Kept(
        tuple(
            spent(day, 100)
            for day in ("2026-10-31", "2026-11-01", "2026-11-22", "2026-11-23", "2026-11-26")
        )
    )
    account = Account(
        usage_day_nanos=100, usage_week_nanos=200, usage_month_nanos=400, usage_nanos=500
    )
    rows = compare_spans(account, kept, now=NOW)
    assert [row.span for row in rows] == ["today", "week", "month", "ever"]
    assert {row.cause for row in rows} == {Cause.AGREES}
    assert [row.ledger_nanos for row in rows] == [100, 200, 400, 500]


def test_a_span_that_began_before_the_ledger_accuses_nobody_unless_the_key_is_younger():
    kept = Kept((spent("2026-11-25", 100),))
    account = Account(usage_day_nanos=0, usage_week_nanos=900, usage_nanos=900)
    older = compare_spans(account, kept, now=NOW)
    assert [row.cause for row in older] == [Cause.AGREES, *[Cause.BEFORE_LEDGER] * 2]
    assert not any(row.unexplained_nanos for row in older)
    younger = compare_spans(account, kept, now=NOW, created="2026-11-25")
    assert [row.cause for row in younger] == [Cause.AGREES, *[Cause.OUTSIDE] * 2]


def test_a_request_at_midnight_counts_for_either_day_where_everything_agrees():
    kept = Kept((spent("2026-11-25", 700), spent("2026-11-26", 100)))
    account = Account(usage_day_nanos=300, usage_nanos=800)
    assert [row.cause for row in compare_spans(account, kept, now=NOW)] == [
        Cause.MIDNIGHT,
        Cause.AGREES,
    ]
    account = Account(usage_day_nanos=300, usage_nanos=1000)
    assert compare_spans(account, kept, now=NOW)[0].cause is Cause.OUTSIDE


def days_of(activity, *days, count=30):
    return compare_days(activity, Kept(days), now=NOW, days=count)


def test_days_and_models_are_compared_over_all_who_serve_them():
    rows = days_of(
        [Activity("2026-11-25", A, 60, 1), Activity("2026-11-25", A, 40, 2)],
        spent("2026-11-25", 70, billed=2),
        spent("2026-11-25", 30, model=f"{A}:nitro"),
    )
    (row,) = rows
    assert (row.span, row.model, row.cause) == ("2026-11-25", A, Cause.AGREES)
    assert (row.upstream_requests, row.ledger_requests) == (3, 3)


def test_what_stands_on_one_side_only_is_named_by_whose_it_is():
    rows = days_of(
        [Activity("2026-11-20", A, 500, 1), Activity("2026-11-25", "other/model", 500, 1)],
        spent("2026-11-21", 400, model="a/b"),
    )
    assert [(row.model, row.cause) for row in rows] == [
        (A, Cause.BEFORE_LEDGER),
        ("a/b", Cause.MISSING),
        ("other/model", Cause.OUTSIDE),
    ]


def test_a_free_model_and_a_request_that_was_refused_are_no_differences():
    rows = days_of(
        [Activity("2026-11-25", f"{A}:free", 0, 3)],
        spent("2026-11-25", 0, model=f"{A}:free", billed=3),
        spent("2026-11-25", 0, model="refused/model", billed=0),
    )
    assert [(row.model, row.cause) for row in rows] == [(f"{A}:free", Cause.AGREES)]


@pytest.mark.parametrize(
    ("second", "causes"),
    [
        (150, [Cause.MIDNIGHT, Cause.MIDNIGHT]),
        (190, [Cause.MISSING, Cause.OUTSIDE]),
    ],
)
def test_too_little_on_one_day_and_as_much_too_much_on_the_next_was_under_way(second, causes):
    rows = days_of(
        [Activity("2026-11-24", A, 50, 1), Activity("2026-11-25", A, second, 2)],
        spent("2026-11-24", 100, billed=2),
        spent("2026-11-25", 100),
    )
    assert [row.cause for row in rows] == causes


def test_only_completed_days_of_the_span_that_was_asked_for_count():
    told = [Activity(f"2026-11-{day}", A, 100, 1) for day in (19, 20, 25, 26)]
    kept = [spent(f"2026-11-{day}", 100) for day in (19, 20, 25, 26)]
    rows = days_of(told, *kept, count=6)
    assert [row.span for row in rows] == ["2026-11-20", "2026-11-25"]
