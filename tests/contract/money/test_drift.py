"""`ultrai cost drift` against the simulator's own bill, over days that the clocks are put back."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.money.command import ultrai
from tests.contract.sim.talking import ask, with_simulator

import ultrai as product
from ultrai.assembly.clock import SystemClock
from ultrai.settings.load import load
from ultrai_sim import World
from ultrai_sim.scenario import load_scenario

A, B = "openai/gpt-4o-mini", "deepseek/deepseek-v4-flash"
DAY_S = 86_400


class Earlier(SystemClock):
    """The machine's clock, put back by whole days."""

    def __init__(self, days: int) -> None:
        self._back = timedelta(days=days)

    def now(self) -> datetime:
        return super().now() - self._back


async def live(sim, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on each of the last days, by both clocks."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ULTRAI_HOME", str(home / "state"))
    monkeypatch.setenv("OPENROUTER_BASE_URL", sim.base_url)
    monkeypatch.setenv("OPENROUTER_API_KEY", sim.api_key)
    for days in (2, 1, 0):
        sim.world.clock.source = lambda days=days: time.time() - days * DAY_S
        async with product.open(load(), clock=Earlier(days)) as session:
            report = await session.ask("hello there", models=[A, B])
        assert report.status == "complete"


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a story after those days, in a world whose key has spent nothing before."""

    def run(then, world: World | None = None):
        async def whole(sim):
            await live(sim, tmp_path, monkeypatch)
            return await then(sim)

        return with_simulator(world or World(), whole)

    return run


def test_the_ledger_and_the_upstream_agree_to_the_nanodollar(tmp_path, story):
    async def then(sim):
        whole = await ultrai(sim, tmp_path, "cost", "drift", "--json")
        short = await ultrai(sim, tmp_path, "cost", "drift", "--json", "--days", "1")
        return whole, short, await ultrai(sim, tmp_path, "cost", "drift")

    whole, short, shown = story(then)
    found = json.loads(whole[1])
    assert whole[0] == 0
    assert found["explained"]
    assert found["passes"]
    assert found["problem"] is None
    assert [row["span"] for row in found["spans"]] == ["today", "week", "month", "ever"]
    rows = [*found["spans"], *found["days"]]
    assert {row["cause"] for row in rows} == {"agrees"}
    assert len(found["days"]) == 4, "two models on two completed days"
    assert all(row["upstream_requests"] == row["ledger_requests"] for row in found["days"])
    assert len(json.loads(short[1])["days"]) == 2
    assert (shown[0], shown[2]) == (0, "")
    assert "✓ the ledger and the upstream agree" in shown[1]


def test_what_others_spend_with_the_key_is_found_and_named(tmp_path, story):
    async def then(sim):
        sim.world.clock.source = lambda: time.time() - DAY_S
        await ask(sim, "openai/gpt-4o")
        sim.world.clock.source = time.time
        found = await ultrai(sim, tmp_path, "cost", "drift", "--json")
        shown = await ultrai(sim, tmp_path, "cost", "drift")
        return found, shown, await ultrai(sim, tmp_path, "cost", "drift", "--within", "0.5")

    found, shown, allowed = story(then)
    assert (found[0], shown[0], allowed[0]) == (4, 4, 0)
    wrong = [row for row in json.loads(found[1])["days"] if row["cause"] == "outside"]
    assert [(row["model"], row["upstream_requests"]) for row in wrong] == [("openai/gpt-4o", 1)]
    assert wrong[0]["ledger_usd"] == "0"
    assert wrong[0]["difference_usd"] == wrong[0]["upstream_usd"] == wrong[0]["unexplained_usd"]
    assert "spent elsewhere" in shown[1]
    assert "no larger than --within" in allowed[1]


def test_a_cost_that_is_not_known_explains_a_difference_until_it_is_reconciled(tmp_path):
    world = load_scenario(Path("cut-streams"))

    async def story(sim):
        for _ in range(3):
            await ultrai(sim, tmp_path, "ask", "-m", A, "-m", B, "hello there")
        before = await ultrai(sim, tmp_path, "cost", "drift", "--json")
        shown = await ultrai(sim, tmp_path, "cost", "drift")
        await ultrai(sim, tmp_path, "reconcile")
        return before, shown, await ultrai(sim, tmp_path, "cost", "drift", "--json")

    before, shown, after = with_simulator(world, story)
    assert (before[0], shown[0], after[0]) == (0, 0, 0)
    causes = [{row["cause"] for row in json.loads(out)["spans"]} for _, out, _ in (before, after)]
    assert causes == [{"unknown_cost"}, {"agrees"}]
    assert "✓ no difference is unexplained" in shown[1]
    assert "'ultrai reconcile' asks for those that the upstream may still tell" in shown[1]


@pytest.mark.parametrize(
    ("management_key", "told"),
    [
        ("", "no management key is set — set OPENROUTER_MANAGEMENT_KEY, or management_key"),
        ("sk-or-v1-nobody", "the management key is refused: "),
        (None, "the management key is refused: openrouter: Only management keys can"),
    ],
)
def test_without_a_management_key_only_days_and_models_are_missing(
    tmp_path, story, management_key, told
):
    async def then(sim):
        key = sim.api_key if management_key is None else management_key
        arguments = ("cost", "drift")
        found = await ultrai(sim, tmp_path, *arguments, "--json", OPENROUTER_MANAGEMENT_KEY=key)
        return found, await ultrai(sim, tmp_path, *arguments, OPENROUTER_MANAGEMENT_KEY=key)

    found, shown = story(then)
    assert (found[0], shown[0]) == (0, 0)
    body = json.loads(found[1])
    assert body["days"] is None
    assert body["problem"].startswith(told)
    assert [row["cause"] for row in body["spans"]] == ["agrees"] * 4
    assert "days and models were not compared" in shown[1]


def test_without_a_key_or_with_a_strange_amount_it_is_one_line(tmp_path):
    async def story(sim):
        strange = await ultrai(sim, tmp_path, "cost", "drift", "--within", "much")
        none = await ultrai(sim, tmp_path, "cost", "drift", OPENROUTER_API_KEY="")
        return strange, none

    strange, none = with_simulator(World(), story)
    assert (strange[0], none[0]) == (2, 6)
    for _, out, error in (strange, none):
        assert out == ""
        assert error.count("\n") == 1
