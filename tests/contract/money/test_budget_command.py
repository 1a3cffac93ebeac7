"""`ultrai budget set`: what is not said about a budget that exists stays as it is."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.contract.money.command import ultrai
from tests.contract.sim.talking import with_simulator

from ultrai_sim import World

TEAM = ("budget", "set", "20", "--per", "month", "--tag", "team=x", "--soft")


def after(home: Path, *arguments: str):
    """The team's budget once one more command has changed it."""

    async def story(sim):
        assert (await ultrai(sim, home, *TEAM))[0] == 0
        code, out, error = await ultrai(sim, home, "budget", "set", *arguments, "--json")
        return code, json.loads(out) if code == 0 else error

    return with_simulator(World(), story)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("30",), ("30", "month", "tag:team=x", False)),
        (("30", "--hard"), ("30", "month", "tag:team=x", True)),
        (("30", "--per", "day"), ("30", "day", "tag:team=x", False)),
        (("30", "--scope", "global"), ("30", "month", "global", False)),
        (("30", "--tag", "team=y"), ("30", "month", "tag:team=y", False)),
    ],
)
def test_only_what_is_given_changes(tmp_path: Path, arguments, expected) -> None:
    code, row = after(tmp_path, "tag-team=x-month", *arguments)
    assert code == 0
    scope = row["scope"] if not row.get("subject") else f"{row['scope']}:{row['subject']}"
    assert (row["limit_usd"], row["period"], scope, row["hard"]) == expected


def test_a_new_name_is_a_new_budget_with_the_defaults(tmp_path: Path) -> None:
    code, row = after(tmp_path, "other", "5")
    assert code == 0
    assert (row["period"], row["scope"], row["hard"]) == ("total", "global", True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("budget", "set", "tag-team=x-month", "-1"),
        ("budget", "set", "-0.5"),
        ("budget", "set", "-$.5"),
        ("budget", "set", "--limit", "-1"),
        ("budget", "set", "x", "--", "-5"),
        ("keys", "limit", "worker", "-3"),
        ("keys", "create", "worker", "--limit", "-3"),
    ],
)
def test_an_amount_below_zero_is_no_unknown_flag(tmp_path: Path, arguments) -> None:
    async def story(sim):
        return await ultrai(sim, tmp_path, *arguments)

    code, out, error = with_simulator(World(), story)
    assert (code, out) == (2, "")
    assert "is no amount in USD: it must be positive" in error
    assert error.count("\n") == 1


def test_what_is_no_amount_changes_nothing(tmp_path: Path) -> None:
    code, error = after(tmp_path, "tag-team=x-month", "much")
    assert code == 2
    assert "much" in error
    assert error.count("\n") == 1


MODEL = ("-m", "openai/gpt-4o", "--max-tokens", "500", "hello")


def test_a_plan_looks_at_the_budgets_in_scope_and_its_hint_is_enough(tmp_path: Path) -> None:
    async def story(sim):
        await ultrai(sim, tmp_path, "budget", "set", "team", "0.0001", "--tag", "team=x")
        await ultrai(sim, tmp_path, "budget", "set", "all", "5", "--per", "day")
        free = await ultrai(sim, tmp_path, "plan", *MODEL, "--json")
        tight = await ultrai(sim, tmp_path, "plan", *MODEL, "--tag", "team=x", "--json")
        told = await ultrai(sim, tmp_path, "plan", *MODEL, "--tag", "team=x")
        refused = await ultrai(sim, tmp_path, "ask", *MODEL, "--tag", "team=x")
        command = shlex.split(refused[2].split("`")[1])
        raised = await ultrai(sim, tmp_path, *command[1:])
        asked = await ultrai(sim, tmp_path, "ask", *MODEL, "--tag", "team=x")
        return free, tight, told, refused, raised, asked

    free, tight, told, refused, raised, asked = with_simulator(World(), story)
    loose, strained = (json.loads(out)["prospect"] for _, out, _ in (free, tight))
    assert (loose["verdict"], strained["verdict"]) == ("fits", "refused")
    assert [each["name"] for each in loose["budgets"]] == ["all"]
    assert {each["name"]: each["left_usd"] for each in strained["budgets"]} == {
        "all": "5",
        "team": "0.0001",
    }
    assert "budget team: $0.0001 left of $0.0001 in all" in told[1]
    assert "'ask' would refuse this run (exit 5): this run may cost" in told[1]
    assert (refused[0], raised[0], asked[0]) == (5, 0, 0)
    assert strained["message"] in refused[2]
