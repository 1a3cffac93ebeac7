"""When somebody is told: once per crossing, and again only after it was well in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ultrai.domain.alert import AlertKind, Mark
from ultrai.domain.attempt import Account
from ultrai.domain.budget import Budget, BudgetState, Period, Scope
from ultrai.domain.stamp import stamp
from ultrai.domain.upstream_key import UpstreamKey
from ultrai.policy.alerting import AlertRules, Readings, Spent, crossings, next_try, standings

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
USD = 1_000_000_000
BUDGET = Budget("day", Scope.GLOBAL, "", Period.DAY, 10 * USD)


def spent_of(dollars: str, *, since: str = "2026-11-27", budget: Budget = BUDGET) -> Readings:
    posted = int(Decimal(dollars) * USD)
    return Readings(budgets=[BudgetState(budget, posted, 0, 0, since)])


class Story:
    """Rounds one after another, with the marks that they leave."""

    def __init__(self, rules: AlertRules | None = None) -> None:
        self.rules = rules or AlertRules()
        self.marks: dict[str, Mark] = {}

    def told(self, readings: Readings, at: datetime = NOW) -> list[str]:
        found = standings(self.rules, readings, now=at)
        alerts, changed = crossings(found, self.marks, now=stamp(at))
        self.marks |= {mark.key: mark for mark in changed}
        return [alert.message for alert in alerts]


def kinds(readings: Readings, rules: AlertRules | None = None) -> dict[AlertKind, int]:
    return {each.kind: each.level for each in standings(rules or AlertRules(), readings, now=NOW)}


def test_each_threshold_is_told_once() -> None:
    story = Story()
    told = [story.told(spent_of(usd)) for usd in ("4.9", "5", "5.1", "8.5", "9.99", "10", "10")]
    assert [len(each) for each in told] == [0, 1, 0, 1, 0, 1, 0]
    assert told[3] == ["budget day has spent 85 % of $10 per day"]


def test_of_thresholds_that_are_passed_together_the_highest_is_told() -> None:
    story = Story()
    assert story.told(spent_of("9")) == ["budget day has spent 90 % of $10 per day"]
    assert story.told(spent_of("9")) == []


def test_what_has_fallen_is_told_again_when_it_rises() -> None:
    story = Story()
    rounds = ("8.5", "7", "8.5", "4", "6")
    assert [len(story.told(spent_of(usd))) for usd in rounds] == [1, 0, 1, 0, 1]


def test_a_new_period_is_told_anew_though_nobody_saw_it_begin() -> None:
    story = Story()
    assert len(story.told(spent_of("6", since="2026-11-26"))) == 1
    assert len(story.told(spent_of("6", since="2026-11-27"))) == 1


def test_two_alerts_have_two_ids_and_the_same_crossing_has_one() -> None:
    found = standings(AlertRules(), spent_of("6"), now=NOW)
    first, _ = crossings(found, {}, now=stamp(NOW))
    again, _ = crossings(found, {}, now=stamp(NOW))
    later, _ = crossings(found, {}, now=stamp(NOW + timedelta(hours=1)))
    assert first[0].id == again[0].id != later[0].id


def test_a_closed_budget_and_one_per_run() -> None:
    closed = replace(BUDGET, closed=True)
    assert kinds(spent_of("1", budget=closed))[AlertKind.BUDGET_CLOSED] == 1
    assert AlertKind.BUDGET not in kinds(spent_of("9", budget=replace(BUDGET, period=Period.RUN)))


@pytest.mark.parametrize(
    ("hour", "usual", "hours", "level"),
    [(3, "0.5", 10, 1), (2, "0.5", 10, 0), (3, "0.5", 2, 0), ("0.4", "0.01", 10, 0)],
)
def test_spending_is_fast_against_what_is_usual(hour, usual, hours, level) -> None:
    spent = Spent(int(Decimal(hour) * USD), int(Decimal(usual) * USD), hours)
    assert kinds(Readings(spent=spent))[AlertKind.SPEND_RATE] == level


def test_unknown_cost_accumulates() -> None:
    assert kinds(Readings(spent=Spent(unknown=3, unsure_nanos=USD)))[AlertKind.UNKNOWN_COST] == 1
    assert (
        kinds(Readings(spent=Spent(unknown=3, unsure_nanos=USD - 1)))[AlertKind.UNKNOWN_COST] == 0
    )
    off = AlertRules(unknown_nanos=None)
    assert AlertKind.UNKNOWN_COST not in kinds(Readings(spent=Spent(unknown=3)), off)


@pytest.mark.parametrize(
    ("said", "level"),
    [("5", 0), ("4", 0), ("3.7", 1), ("6.5", 0), ("6.7", 1)],
)
def test_the_ledger_drifts_where_the_upstream_says_what_it_cannot_explain(said, level) -> None:
    spent = Spent(
        day_nanos=5 * USD,
        day_unsure_nanos=USD,
        day_recent_nanos=USD,
        in_flight_nanos=USD // 2,
    )
    account = Account(usage_day_nanos=int(Decimal(said) * USD))
    found = kinds(Readings(spent=spent, account=account))
    assert found[AlertKind.LEDGER_DRIFT] == level


def test_a_key_nears_its_limit_its_end_and_its_age() -> None:
    account = Account(
        label="sk-…1",
        limit_nanos=10 * USD,
        limit_remaining_nanos=USD,
        expires_at="2026-12-01T00:00:00+00:00",
    )
    readings = Readings(account=account, spent=Spent(key_since="2026-01-01T00:00:00.000Z"))
    found = kinds(readings)
    assert found[AlertKind.KEY_LIMIT] == 80
    assert (found[AlertKind.KEY_EXPIRY], found[AlertKind.KEY_AGE]) == (1, 1)
    gone = replace(account, expires_at="2026-11-27T11:00:00Z")
    assert kinds(replace(readings, account=gone))[AlertKind.KEY_EXPIRY] == 2
    assert kinds(replace(readings, account=Account(label="x"), spent=Spent())).keys() >= {
        AlertKind.SPEND_RATE
    }
    assert AlertKind.KEY_LIMIT not in kinds(Readings(account=Account(label="x")))


def test_a_key_that_the_management_lists_is_not_told_twice() -> None:
    listed = UpstreamKey("h" * 20, "worker", label="sk-…1", limit_nanos=USD, remaining_nanos=0)
    account = Account(label="sk-…1", limit_nanos=USD, limit_remaining_nanos=0)
    found = standings(AlertRules(), Readings(keys=(listed,), account=account), now=NOW)
    assert [each.subject for each in found if each.kind is AlertKind.KEY_LIMIT] == ["worker"]
    off = Readings(keys=(replace(listed, disabled=True),), account=account)
    assert AlertKind.KEY_LIMIT not in kinds(off)


@pytest.mark.parametrize(("used", "level"), [(10, 0), (45, 1), (50, 2), (60, 2)])
def test_free_requests_run_low(used, level) -> None:
    account = Account(free_used=used, free_limit=50)
    assert kinds(Readings(account=account))[AlertKind.FREE_QUOTA] == level


def test_what_was_not_read_says_nothing() -> None:
    story = Story()
    account = Account(label="k", limit_nanos=USD, limit_remaining_nanos=0)
    assert len(story.told(Readings(account=account))) == 1
    assert story.told(Readings()) == []
    assert story.told(Readings(account=account)) == []


def test_tries_lie_further_and_further_apart_up_to_an_hour() -> None:
    waits = [(datetime.fromisoformat(next_try(n, NOW)) - NOW).total_seconds() for n in range(1, 10)]
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == 3600
