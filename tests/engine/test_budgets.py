"""Budgets in the engine: refused before anything is sent, made to fit, and always given back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail, codes, cut, model

from ultrai.domain.ask import Ask
from ultrai.domain.budget import Budget, BudgetState, Payer, Period, Scope
from ultrai.domain.errors import BudgetRefusal, StoreError, UsageError
from ultrai.domain.generation import Generation
from ultrai.domain.ledger import (
    Close,
    Correct,
    Defer,
    Grant,
    OpenAttempt,
    Place,
    RefusalReason,
    Reserve,
    Settle,
    Shortage,
    Start,
    Step,
)
from ultrai.domain.outcome import CostState, FailureKind, Usage
from ultrai.domain.prospect import Verdict
from ultrai.domain.query import Sampling
from ultrai.engine.affording import refusal
from ultrai.engine.reconciling import PATIENCE_S, Finding, Reconciler
from ultrai.engine.run import RunOrder
from ultrai.engine.tuning import Tuning
from ultrai.testing import (
    FixedClock,
    MemoryLedger,
    Script,
    ScriptedUpstream,
    run_in_virtual_time,
)

PAIR = [cocktail("X", ["a/a"], ["b/b"])]
ASK = Ask(messages=PROMPT, cocktail="X")
Granted = TypeVar("Granted")
BOUND = 1_295_000  # of one attempt in these tests: the prompt and 1000 tokens, times 1.25


def test_every_attempt_is_announced_before_it_is_sent_and_settled_once() -> None:
    bar = Bar(cocktails=PAIR, scripts={"a/a": [broken(FailureKind.UPSTREAM_ERROR, 502), Script()]})
    bar.ask(ASK)
    steps = bar.ledger.steps
    assert isinstance(steps[0], Reserve)
    assert isinstance(steps[-1], Close)
    started = [step.place for step in steps if isinstance(step, Start)]
    settled = [step.place for step in steps if isinstance(step, Settle)]
    assert len(started) == len(bar.upstream.requests) == 3
    assert sorted(map(repr, started)) == sorted(map(repr, settled))
    assert bar.ledger.held_nanos == 0


def test_a_run_that_does_not_fit_sends_nothing_and_says_what_it_needs() -> None:
    bar = Bar(cocktails=PAIR, ledger=MemoryLedger(2 * BOUND - 1))
    with pytest.raises(BudgetRefusal, match=r"may cost \$0.00259") as refused:
        bar.ask(ASK)
    assert refused.value.hint == "`ultrai budget set all 0.00259` is enough"
    assert bar.upstream.requests == []
    assert bar.ledger.steps == []


@pytest.mark.parametrize(
    ("limit", "wishes", "floor", "foreseen"),
    [
        (None, {}, None, Verdict.FITS),
        (2 * BOUND, {}, None, Verdict.FITS),
        (2 * BOUND - 1, {}, None, Verdict.REFUSED),
        (BOUND, {}, 100, Verdict.SHRUNK),
        (BOUND, {"quorum": 1}, None, Verdict.FEWER_SLOTS),
        (BOUND, {"quorum": 1, "strict": True}, 100, Verdict.REFUSED),
        (None, {"max_cost_nanos": BOUND}, None, Verdict.REFUSED),
        (None, {"max_cost_nanos": BOUND}, 100, Verdict.SHRUNK),
        (2 * BOUND, {"max_cost_nanos": 2 * BOUND}, None, Verdict.FITS),
    ],
)
def test_a_plan_foresees_what_becomes_of_the_run(
    limit: int | None, wishes: dict[str, Any], floor: int | None, foreseen: Verdict
) -> None:
    tuning = Tuning(shrink_floor_tokens=floor)
    bar = Bar(cocktails=PAIR, ledger=MemoryLedger(limit), tuning=tuning)
    ask = replace(ASK, **wishes)
    prospect = run_in_virtual_time(bar.desk().foresee(ask)).prospect
    assert prospect is not None
    assert prospect.verdict is foreseen
    assert [state.budget.limit_nanos for state in prospect.budgets] == ([limit] if limit else [])
    assert bar.ledger.steps == []
    if foreseen is Verdict.REFUSED:
        with pytest.raises(BudgetRefusal) as refused:
            bar.ask(ask)
        assert (prospect.message, prospect.hint) == (str(refused.value), refused.value.hint)
        return
    report = bar.ask(ask)
    first = bar.ledger.steps[0]
    assert isinstance(first, Reserve)
    reserved = sum(slot.wanted_nanos or 0 for slot in first.slots)
    assert prospect.held_nanos == reserved
    told = {each.message for each in report.notices}
    assert all(message in told for message in filter(None, prospect.message.split("; ")))


class Unreadable(MemoryLedger):
    """How Budgets stand cannot be read."""

    async def standing(self, payer: Payer) -> Sequence[BudgetState]:
        raise StoreError("the disk is gone")


def test_without_a_ledger_a_plan_foresees_a_refusal_only_where_a_budget_is_known() -> None:
    known = Bar(cocktails=PAIR, ledger=Unreadable(10 * BOUND))
    prospect = run_in_virtual_time(known.desk().foresee(ASK)).prospect
    assert prospect is not None
    assert prospect.verdict is Verdict.REFUSED
    assert "the disk is gone" in prospect.message
    none = run_in_virtual_time(Bar(cocktails=PAIR, ledger=Unreadable()).desk().foresee(ASK))
    assert none.prospect is not None
    assert none.prospect.verdict is Verdict.FITS


def budget(**terms: Any) -> Budget:
    return replace(Budget("b", Scope.GLOBAL, "", Period.DAY, 5_000_000_000), **terms)


@pytest.mark.parametrize(
    ("shortage", "declared", "hint"),
    [
        (
            Shortage(budget(), RefusalReason.SPENT, 200_300_001, 0, 6_000_000_000),
            (),
            "`ultrai budget set b 6.21` is enough; or wait for the next day",
        ),
        (
            Shortage(budget(period=Period.TOTAL), RefusalReason.SPENT, 1, 0, 4_999),
            (),
            "`ultrai budget set b 0.000005` is enough",
        ),
        (
            Shortage(budget(period=Period.RUN), RefusalReason.SPENT, 20_000_000, 0, 0),
            ("b",),
            "limit_usd = 0.02 under [budgets.b] in the settings is enough",
        ),
        (
            Shortage(budget(closed=True), RefusalReason.CLOSED, 1, 0, 0),
            (),
            "look into it, then open it again: `ultrai budget set b 5`",
        ),
        (
            Shortage(budget(), RefusalReason.PRICE_UNKNOWN, 0, 1, 0),
            (),
            "ask a model whose price is listed: `ultrai models`",
        ),
    ],
)
def test_a_refusal_hints_at_one_thing_that_is_enough(
    shortage: Shortage, declared: Sequence[str], hint: str
) -> None:
    bar = Bar(cocktails=PAIR)
    plan = run_in_virtual_time(bar.desk().plan(ASK))
    order = cast("RunOrder", SimpleNamespace(plan=plan))
    assert refusal(order, shortage, declared=declared).hint == hint


def test_a_run_that_just_fits_runs() -> None:
    bar = Bar(cocktails=PAIR, ledger=MemoryLedger(2 * BOUND))
    assert bar.ask(ASK).exit_code == 0
    assert bar.upstream.requests[0].price_cap is not None, "so that the bound is provable"


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({"user": "caf\udce9"}, r"the user 'caf\\udce9' is not printable"),
        ({"feature": "a\0b"}, "the feature .* is not printable"),
        ({"feature": "two\nlines"}, "the feature .* is not printable"),
        ({"user": ""}, "the user is empty"),
        ({"user": "x" * 501}, "has 501 characters"),
        ({"tags": {"team": "\udce9"}}, "the tag .* is not printable"),
        ({"tags": {"te=am": "x"}}, "no name of a tag"),
        ({"tags": {str(n): "x" for n in range(17)}}, "17 tags are too many"),
    ],
)
def test_an_account_that_no_ledger_can_keep_is_refused_at_once(
    account: dict[str, Any], told: str
) -> None:
    bar = Bar(cocktails=PAIR)
    with pytest.raises(UsageError, match=told):
        bar.ask(replace(ASK, **account))
    assert bar.upstream.requests == []
    assert bar.ledger.steps == []


class LateBudget(MemoryLedger):
    """Somebody sets a hard Budget while the first Attempt is under way."""

    async def start(self, step: Start) -> Grant | Shortage | None:
        if step.place.attempt == 2:
            self.limit_nanos = 10 * BOUND
        return await super().start(step)


def test_a_budget_that_is_set_in_mid_run_makes_the_next_bound_provable() -> None:
    scripts = {"a/a": [broken(FailureKind.UPSTREAM_ERROR, 502), Script()]}
    bar = Bar(cocktails=[cocktail("X", ["a/a"])], ledger=LateBudget(), scripts=scripts)
    assert bar.ask(ASK).exit_code == 0
    first, second = bar.upstream.requests
    assert first.price_cap is None
    assert second.price_cap is not None


class Unanswered(MemoryLedger):
    """It is written, and nobody hears of it."""

    def __init__(self, *, what: type[Step], limit_nanos: int | None) -> None:
        super().__init__(limit_nanos)
        self._what = what

    async def reserve(self, step: Reserve) -> Grant | Shortage:
        granted = await super().reserve(step)
        return self._lost(step, granted)

    async def start(self, step: Start) -> Grant | Shortage | None:
        granted = await super().start(step)
        return self._lost(step, granted)

    def _lost(self, step: Step, granted: Granted) -> Granted:
        if isinstance(step, self._what):
            message = "the answer was lost"
            raise StoreError(message)
        return granted


@pytest.mark.parametrize("limit_nanos", [None, 10 * BOUND])
def test_what_may_have_been_reserved_unheard_is_given_back(limit_nanos: int | None) -> None:
    ledger = Unanswered(what=Reserve, limit_nanos=limit_nanos)
    bar = Bar(cocktails=PAIR, ledger=ledger)
    if limit_nanos is None:
        assert bar.ask(ASK).exit_code == 0
    else:
        with pytest.raises(BudgetRefusal, match="lost"):
            bar.ask(ASK)
    assert [type(step) for step in ledger.steps] == [Reserve, Close]


@pytest.mark.parametrize("limit_nanos", [None, 10 * BOUND])
def test_an_attempt_that_may_have_been_announced_unheard_is_settled(
    limit_nanos: int | None,
) -> None:
    ledger = Unanswered(what=Start, limit_nanos=limit_nanos)
    bar = Bar(cocktails=[cocktail("X", ["a/a"])], ledger=ledger)
    bar.ask(ASK)
    started = [step.place for step in ledger.steps if isinstance(step, Start)]
    settled = [step.place for step in ledger.steps if isinstance(step, Settle)]
    assert set(started) == set(settled)
    assert len(settled) == 1
    assert len(bar.upstream.requests) == (limit_nanos is None)
    assert ledger.held_nanos == 0


def test_less_text_is_asked_for_where_the_user_allows_it() -> None:
    tuning = Tuning(shrink_floor_tokens=100)
    bar = Bar(cocktails=PAIR, ledger=MemoryLedger(BOUND), tuning=tuning)
    report = bar.ask(ASK)
    sent = {request.sampling.max_tokens for request in bar.upstream.requests}
    assert len(sent) == 1
    assert 100 <= sent.pop() < 1000
    assert "max_tokens_reduced" in codes(report)
    assert bar.ledger.held_nanos == 0


def test_the_last_slots_are_left_out_down_to_the_quorum() -> None:
    bar = Bar(cocktails=[cocktail("X", ["a/a"], ["b/b"], ["c/c"])], ledger=MemoryLedger(BOUND * 2))
    report = bar.ask(replace(ASK, quorum=1))
    assert "slots_dropped" in codes(report)
    assert [slot.primary for slot in report.slots] == ["a/a", "b/b"]


def test_a_cost_cap_shrinks_the_same_way() -> None:
    bar = Bar(cocktails=PAIR, tuning=Tuning(shrink_floor_tokens=100))
    report = bar.ask(replace(ASK, max_cost_nanos=BOUND))
    assert "max_tokens_reduced" in codes(report)


def test_when_slots_are_left_out_backups_must_fit_the_cap_all_the_same() -> None:
    """A dear backup of a slot that stays: its bound alone is more than the whole cap."""
    dear = model("d/d", price="1")
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "d/d"], ["b/b"], ["c/c"])],
        models=[model("a/a"), model("b/b"), model("c/c"), dear],
        scripts={"a/a": [broken(FailureKind.MODEL_UNAVAILABLE, 404)]},
    )
    report = bar.ask(replace(ASK, quorum=1, max_cost_nanos=BOUND))
    assert "slots_dropped" in codes(report)
    assert [request.model for request in bar.upstream.requests] == ["a/a"]
    assert codes(report).count("model_not_ready") == 1


def test_every_fitting_is_told_however_often_the_plan_is_made_anew() -> None:
    """First to fit the cap, with less text; then what the budget leaves, with fewer slots."""
    bar = Bar(
        cocktails=[cocktail("X", ["a/a"], ["b/b"], ["c/c"])],
        ledger=MemoryLedger(BOUND * 2 // 3),
        tuning=Tuning(shrink_floor_tokens=500),
    )
    report = bar.ask(replace(ASK, quorum=1, max_cost_nanos=2 * BOUND))
    assert [slot.primary for slot in report.slots] == ["a/a"]
    assert codes(report).count("max_tokens_reduced") == 2
    assert codes(report).count("slots_dropped") == 1


def test_under_strict_nothing_is_made_to_fit() -> None:
    bar = Bar(cocktails=PAIR, ledger=MemoryLedger(BOUND), tuning=Tuning(shrink_floor_tokens=100))
    with pytest.raises(BudgetRefusal):
        bar.ask(replace(ASK, strict=True))


def test_a_retry_that_no_budget_covers_ends_its_slot() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a"], ["b/b", "c/c"])],
        scripts={"a/a": [Script(head_s=1)], "b/b": [cut()]},
        ledger=MemoryLedger(BOUND * 2),
    )
    report = bar.ask(ASK)
    assert report.slots[0].answer is not None
    failure = report.slots[1].failure
    assert failure is not None
    assert failure.kind is FailureKind.REFUSED_BY_BUDGET
    assert "the budget all" in failure.message
    assert bar.ledger.posted_nanos <= BOUND * 2


def test_an_unknown_price_is_refused_under_a_budget() -> None:
    bar = Bar(
        cocktails=PAIR,
        models=[model("a/a"), replace(model("b/b"), prices=None)],
        ledger=MemoryLedger(10**9),
    )
    report = bar.ask(ASK)
    assert report.slots[1].answer is None, "nobody knows what it costs"


class FailingLedger(MemoryLedger):
    """A disk that cannot be written."""

    async def reserve(self, step: Reserve) -> object:  # type: ignore[override]
        raise StoreError("the disk is full", hint="Free some space.")


def test_a_ledger_that_fails_stops_only_runs_under_a_budget() -> None:
    bar = Bar(cocktails=PAIR, ledger=FailingLedger())
    report = bar.ask(ASK)
    assert report.exit_code == 0
    assert "ledger_failed" in codes(report)
    guarded = Bar(cocktails=PAIR, ledger=FailingLedger(10**9))
    with pytest.raises(BudgetRefusal, match="cannot be written"):
        guarded.ask(ASK)
    assert guarded.upstream.requests == []


@pytest.mark.parametrize("turn", range(1, 40, 2))
def test_a_run_that_is_cancelled_anywhere_holds_nothing_afterwards(turn: int) -> None:
    """Cancelled at every turn of the loop: in reserve, start, send and settle."""
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "c/c"], ["b/b"])],
        scripts={"a/a": [cut(), Script()], "b/b": [Script(head_s=0.2, first_s=0.1)]},
        ledger=SlowLedger(10**9),
    )

    async def main() -> None:
        task = asyncio.ensure_future(bar.desk().ask(ASK))
        for _ in range(turn):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(1)

    run_in_virtual_time(main())
    ledger = bar.ledger
    started = {repr(step.place) for step in ledger.steps if isinstance(step, Start)}
    settled = {repr(step.place) for step in ledger.steps if isinstance(step, Settle)}
    assert started <= settled
    reserved = any(isinstance(step, Reserve) for step in ledger.steps)
    assert any(isinstance(step, Close) for step in ledger.steps) or not reserved


class SlowLedger(MemoryLedger):
    """Every commit takes a few turns of the loop, and is made whether somebody waits or not."""

    async def reserve(self, step: Reserve) -> object:  # type: ignore[override]
        granted = await super().reserve(step)
        await asyncio.sleep(0.001)
        return granted

    async def start(self, step: Start) -> object:  # type: ignore[override]
        granted = await super().start(step)
        await asyncio.sleep(0.001)
        return granted


# --- reconciling --------------------------------------------------------------------------------


class OpenLedger(MemoryLedger):
    """Has one Attempt whose cost is not known."""

    def __init__(self, generation_id: str | None = "gen-1") -> None:
        super().__init__()
        self.attempts = [
            OpenAttempt(
                place=Place("run_1", 0, 1),
                model="a/a",
                upstream="openrouter",
                key=None,
                sent_at="2026-11-23T12:00:00.000Z",
                posted_nanos=1000,
                generation_id=generation_id,
            )
        ]

    async def open_attempts(self) -> list[OpenAttempt]:
        return list(self.attempts)

    def post(self, *steps: object) -> None:  # type: ignore[override]
        for step in steps:
            self.steps.append(step)  # type: ignore[arg-type]
            if isinstance(step, Correct):
                self.attempts.clear()
            elif isinstance(step, Defer):
                each = self.attempts[0]
                self.attempts[0] = replace(
                    each,
                    tries=each.tries + 1,
                    first_try_at=each.first_try_at or step.at,
                    next_try_at=step.next_try_at,
                )


def reconcile(ledger: OpenLedger, upstream: ScriptedUpstream | None) -> list[Finding]:
    async def main() -> list[Finding]:
        reconciler = Reconciler(ledger, lambda _: upstream, clock=FixedClock())
        return [each.finding async for each in reconciler.until_done()]

    return run_in_virtual_time(main())


def test_a_record_settles_the_cost_to_the_nanodollar() -> None:
    upstream = ScriptedUpstream()
    upstream.generations["gen-1"] = Generation("gen-1", "5.500000000000001e-05", native=Usage(9, 4))
    ledger = OpenLedger()
    assert reconcile(ledger, upstream) == [Finding.RECONCILED]
    step = ledger.steps[-1]
    assert isinstance(step, Correct)
    assert (step.cost.nanos, step.cost.state) == (55_000, CostState.RECONCILED)
    assert step.cost.raw == "5.500000000000001e-05"


def test_what_has_no_record_is_asked_for_ten_minutes_and_then_unknown() -> None:
    ledger = OpenLedger()
    findings = reconcile(ledger, ScriptedUpstream())
    assert set(findings[:-1]) == {Finding.NOT_YET}
    assert findings[-1] is Finding.UNKNOWN_BILLED
    defers = [step for step in ledger.steps if isinstance(step, Defer)]
    first, last = defers[0].at, ledger.steps[-1].at  # type: ignore[union-attr]
    waited = FixedClock().now().fromisoformat(last) - FixedClock().now().fromisoformat(first)
    assert waited.total_seconds() >= PATIENCE_S
    assert len(defers) < 20, "it backs off"


def test_what_has_no_id_is_unknown_at_once() -> None:
    assert reconcile(OpenLedger(None), ScriptedUpstream()) == [Finding.UNKNOWN_BILLED]


def test_a_figure_that_is_none_means_not_yet() -> None:
    upstream = ScriptedUpstream()
    upstream.generations["gen-1"] = Generation("gen-1", "NaN")
    assert reconcile(OpenLedger(), upstream)[0] is Finding.NOT_YET


def test_an_upstream_that_is_gone_means_not_yet() -> None:
    assert reconcile(OpenLedger(), None)[0] is Finding.NOT_YET


def test_sampling_is_unchanged_by_what_is_left() -> None:
    """A budget with room changes nothing about a run."""
    rich = Bar(cocktails=PAIR, ledger=MemoryLedger(10**12))
    poor = Bar(cocktails=PAIR)
    ask = replace(ASK, sampling=Sampling(500, 0.5, 3))
    rich.ask(ask)
    poor.ask(ask)
    assert [r.sampling for r in rich.upstream.requests] == [
        r.sampling for r in poor.upstream.requests
    ]
