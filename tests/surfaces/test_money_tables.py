"""Tables about money: what they say, and that they fit a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ultrai.cli.render.budgets import budgets_table
from ultrai.cli.render.cells import cell_length
from ultrai.cli.render.keys import keys_table
from ultrai.cli.render.past import history_table
from ultrai.cli.render.phrases import stake
from ultrai.cli.render.plan_table import plan_lines
from ultrai.cli.render.reconciling import verdict_lines
from ultrai.cli.render.spending import spending_table
from ultrai.cli.render.table import Line
from ultrai.domain.budget import Budget, BudgetState, Period, Scope
from ultrai.domain.plan import Bracket, Plan, PlannedCandidate, PlannedSlot
from ultrai.domain.prospect import Prospect, Verdict
from ultrai.domain.report import RunStatus, RunSummary
from ultrai.domain.spending import Spending
from ultrai.domain.upstream_key import UpstreamKey
from ultrai.engine.reconciling import Finding

WIDTH = 80


def texts(lines: Sequence[Line]) -> list[str]:
    return ["".join(cell.text for cell in line) for line in lines]


def test_a_run_whose_cost_is_not_wholly_known_has_a_tilde_in_the_history() -> None:
    def run(cost_nanos: int | None, *, known: bool) -> RunSummary:
        at = "2026-11-27T10:00:00.000Z"
        return RunSummary("run_1", at, RunStatus.COMPLETE, "SPEEDY", cost_nanos, "why?", known)

    runs = [run(4_800, known=True), run(4_800, known=False), run(None, known=False)]
    costs = [line.split()[5] for line in texts(history_table(runs, width=WIDTH))[1:]]
    assert costs == ["$0.0000048", "~$0.0000048", "unknown"]
    assert [each.to_dict()["cost_known"] for each in runs] == [True, False, False]


NAMES = ("openai/gpt-4o", "meta-llama/llama-3.3-70b-instruct", "a-rather-long-provider/" + 36 * "m")


def spent(name: str, *, unknown: int = 0) -> Spending:
    return Spending(name, 123_456_789, 9_870_000 * unknown, unknown, 1234, 1200, 9_999_999, 999_999)


def tables(name: str) -> dict[str, list[Line]]:
    """Every table about money with one long name in it, on a terminal."""
    candidate = PlannedCandidate(
        name, "openrouter", "successor", 5000, None, 12_345, 9_400, 28_000_000, 62_600_000, 31_000
    )
    plan = Plan("PREMIUM", (PlannedSlot(0, name, (candidate,)),), Bracket(1, 2, 3), 31_000)
    budget = Budget(name, Scope.TAG, f"model={name}", Period.MONTH, 20_000_000_000)
    state = BudgetState(budget, 1_234_500_000, 200_600_000, 2, "2026-11-01T00:00:00.000Z")
    key = UpstreamKey(64 * "f", name, None, False, 5_000_000_000, 1, "monthly", 2, "2027-12-31")
    return {
        "cost": spending_table([spent(name), spent("b", unknown=3)], by="model", width=WIDTH),
        "budget": budgets_table([state], width=WIDTH),
        "plan": plan_lines(plan, cap_nanos=None, width=WIDTH),
        "keys": keys_table([key], width=WIDTH),
    }


@pytest.mark.parametrize("table", ["cost", "budget", "plan", "keys"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_not_cut_while_another_column_can_go(name: str, table: str) -> None:
    lines = texts(tables(name)[table])
    assert max(map(cell_length, lines)) <= WIDTH
    assert any(name in line for line in lines)


def test_bars_and_tokens_go_before_the_unknown_part_of_a_cost() -> None:
    title = texts(tables(NAMES[1])["cost"])[0]
    assert title.split() == ["model", "cost", "unknown", "answers"]


@pytest.mark.parametrize(
    ("lasting", "told"),
    [
        (0, "'ultrai reconcile' asks for it"),
        (1, "'ultrai reconcile' asks for 2, 1 stay unknown"),
        (3, "that stays so: the upstream did not tell, and asking again is no use"),
    ],
)
def test_reconciling_is_offered_only_for_what_it_can_change(lasting: int, told: str) -> None:
    rows = [spent("a"), Spending("b", 1, 9, 3, 4, 1, 0, 0, lasting)]
    note = texts(spending_table(rows, by="model", width=None))[-1]
    assert note.startswith("3 of 1,238 attempts: the cost is not known")
    assert note.endswith(told)


def test_reconciling_says_what_stays_unknown() -> None:
    lines = verdict_lines({Finding.NOT_YET: 2, Finding.UNKNOWN_BILLED: 1}, (4, 12_000), watch=False)
    told, stays = lines
    assert told == "2 not known yet, 1 unknown for good; 'ultrai reconcile --watch' goes on asking"
    assert stays.startswith("in all, 4 attempts stay unknown for good, at most $0.000012: counted")
    assert verdict_lines({}, (0, 0), watch=False) == ["nothing is left to ask for"]


def test_a_plan_says_what_is_held_what_is_left_and_what_comes_of_it() -> None:
    budget = Budget("all", Scope.GLOBAL, "", Period.DAY, 5_000_000_000)
    states = (BudgetState(budget, 35_400_000, 0, 0, ""),)
    soft = BudgetState(replace(budget, name="hint", hard=False), 0, 0, 0, "")

    def told(prospect: Prospect, cap_nanos: int | None = None) -> list[str]:
        plan = Plan("X", (), Bracket(1, 2, 3), None, prospect=prospect)
        return texts(plan_lines(plan, cap_nanos=cap_nanos, width=None))[6:-1]

    held = "held   $0.20 from the start, the worst case; what is not needed is given back"
    fits = Prospect(Verdict.FITS, 200_000_000, (*states, soft))
    assert told(fits, 300_000_000) == [
        held,
        "cap    $0.30",
        "budget all: $4.9646 left of $5.00 per day",
        "budget hint: $5.00 left of $5.00 per day (soft: only warns)",
        "'ask' would hold that and run",
    ]
    less = Prospect(Verdict.SHRUNK, 200_000_000, states, "max_tokens is 7 instead of 9")
    assert told(less)[-1] == "'ask' would ask for less: max_tokens is 7 instead of 9"
    no = Prospect(Verdict.REFUSED, None, states, "it may cost $9", "`ultrai budget set all 9`")
    assert told(no)[-1] == (
        "'ask' would refuse this run (exit 5): it may cost $9 — `ultrai budget set all 9`"
    )
    assert told(Prospect(Verdict.FITS, 200_000_000)) == [held]


def test_what_is_expected_is_told_from_what_is_held() -> None:
    assert (
        stake(1, 200_300_000, expected=28_700_000) == "expected ~$0.0287, held $0.2003 (worst case)"
    )
    assert stake(0, 0, expected=0) == "$0"
    assert stake(None, None, expected=None) == "no price known"
