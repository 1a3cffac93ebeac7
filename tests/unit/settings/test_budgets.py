"""Budgets in the settings file."""

from __future__ import annotations

import pytest

from ultrai.domain.budget import Budget, Period, Scope
from ultrai.domain.errors import SettingsError


def test_a_budget_stands_in_a_table_of_its_own(loaded) -> None:
    toml = (
        "[budgets.day]\nlimit_usd = 2.5\nper = 'day'\n[budgets.team]\nlimit_usd = '20'\nsoft = true"
    )
    toml += "\nscope = 'tag:team=x'\nper = 'month'"
    assert loaded(toml).budgets == (
        Budget("day", Scope.GLOBAL, "", Period.DAY, 2_500_000_000),
        Budget("team", Scope.TAG, "team=x", Period.MONTH, 20_000_000_000, hard=False),
    )


def test_a_profile_has_budgets_of_its_own(loaded) -> None:
    toml = "[profiles.dev]\n[profiles.prod.budgets.all]\nlimit_usd = 1\nscope = 'environment'"
    (budget,) = loaded(toml, {"ULTRAI_ENV": "prod"}).budgets
    assert (budget.name, budget.subject) == ("all@prod", "prod")
    assert loaded(toml, {"ULTRAI_ENV": "dev"}).budgets == ()


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[budgets.a]\nper = 'day'", "has no limit_usd"),
        ("[budgets.a]\nlimit_usd = 'much'", "amount in USD"),
        ("[budgets.a]\nlimit_usd = -1", "amount in USD"),
        ("[budgets.a]\nlimit_usd = true", "amount in USD"),
        ("[budgets.a]\nlimit_usd = 1\nper = 'year'", "must be one of run, hour, day"),
        ("[budgets.a]\nlimit_usd = 1\nscope = 'planet'", "is no scope"),
        ("[budgets.a]\nlimit_usd = 1\nscope = 'user'", "write user:NAME"),
        ("[budgets.a]\nlimit_usd = 1\nscope = 'tag:x'", "is no tag"),
        ("[budgets.a]\nlimit_usd = 1\nsoft = 'very'", "true or false"),
        ("[budgets.'a b']\nlimit_usd = 1", "the name"),
        ("[budgets.a]\nlimit = 1", "limit_usd"),
        ("budgets = 5", "must be a table"),
    ],
)
def test_a_wrong_budget_is_named(loaded, toml: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(toml)
    assert told in f"{caught.value} {caught.value.hint}"
