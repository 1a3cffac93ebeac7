"""What the doctor says before others depend on a machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ultrai.domain.attempt import Account
from ultrai.domain.budget import Budget, Period, Scope
from ultrai.policy.production import Facts, examine

DOLLAR = 1_000_000_000
DAILY = Budget("daily", Scope.GLOBAL, "", Period.DAY, DOLLAR)
WELL = Facts(
    has_key=True,
    account=Account(limit_nanos=10 * DOLLAR, limit_remaining_nanos=9 * DOLLAR),
    account_problem=None,
    budgets=[DAILY],
    concurrency=50,
    is_home_private=True,
    home="/somewhere",
    ledger_problems=[],
    open_attempts=0,
    sinks=1,
)


def severities(facts):
    return {check.name: check.severity for check in examine(facts)}


def test_all_is_well_where_nothing_is_wrong() -> None:
    assert set(severities(WELL).values()) == {"ok"}
    assert all(check.advice is None for check in examine(WELL))


@pytest.mark.parametrize(
    ("changes", "name", "severity", "words"),
    [
        ({"has_key": False}, "key", "error", "no key is set"),
        ({"key_problem": "X is not set", "account": None}, "key", "error", "X is not set"),
        ({"account": None, "account_problem": "HTTP 500"}, "key's ceiling", "warning", "HTTP 500"),
        ({"account": Account()}, "key's ceiling", "warning", "may spend all credits"),
        (
            {"account": Account(limit_nanos=DOLLAR, limit_remaining_nanos=0)},
            "key's ceiling",
            "error",
            "nothing is left of $1",
        ),
        (
            {"account": Account(limit_nanos=DOLLAR, limit_remaining_nanos=DOLLAR // 20)},
            "key's ceiling",
            "warning",
            "$0.05 are left",
        ),
        ({"budgets": []}, "budgets", "warning", "has no end"),
        ({"budgets": [replace(DAILY, hard=False)]}, "budgets", "warning", "has no end"),
        ({"budgets": [replace(DAILY, period=Period.RUN)]}, "budgets", "warning", "has no end"),
        ({"budgets": [replace(DAILY, closed=True)]}, "budgets", "error", "daily is closed"),
        ({"sinks": None}, "alerts", "warning", "nobody is told"),
        ({"sinks": 0}, "alerts", "warning", "reads the log"),
        ({"concurrency": 101}, "requests at once", "warning", "101"),
        ({"is_home_private": False}, "home", "warning", "/somewhere"),
        ({"ledger_problems": ["an entry is gone", "x"]}, "ledger", "error", "and 1 problems more"),
        ({"open_attempts": 3}, "costs", "warning", "3 attempts wait"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(changes, name, severity, words) -> None:
    found = [check for check in examine(replace(WELL, **changes)) if check.severity != "ok"]
    (check,) = found
    assert (check.name, check.severity) == (name, severity)
    assert words in check.message
    assert check.advice


def test_a_system_that_does_not_say_who_can_look_is_not_blamed() -> None:
    assert severities(replace(WELL, is_home_private=None))["home"] == "ok"
