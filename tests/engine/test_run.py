"""A Run as a whole: slots in parallel, deadline, quorum, stopping, diversity, money, Events."""

from __future__ import annotations

import asyncio

import pytest
from tests.engine.bar import PROMPT, Bar, broken, cocktail, codes, cut, model

from ultrai.domain.ask import Ask
from ultrai.domain.errors import BudgetRefusal, UsageError
from ultrai.domain.event import Event, EventType
from ultrai.domain.fold import ReportFold
from ultrai.domain.outcome import FailureKind
from ultrai.domain.report import RunStatus
from ultrai.engine.handle import RunHandle
from ultrai.engine.tuning import Tuning
from ultrai.policy.corrections import Corrections
from ultrai.policy.succession import Successions
from ultrai.testing import Script, run_in_virtual_time

FIVE = [cocktail("X", *[[f"m/{n}"] for n in range(5)])]
ASK = Ask(cocktail="X")


def test_five_slots_of_one_second_take_one_second() -> None:
    bar = Bar(cocktails=FIVE, scripts={f"m/{n}": [Script(head_s=1.0)] for n in range(5)})
    report = bar.ask(ASK)
    assert report.status is RunStatus.COMPLETE
    assert report.elapsed_ms == 1000
    assert bar.upstream.most_active == 5


def test_concurrency_is_bounded_by_the_semaphore() -> None:
    bar = Bar(
        cocktails=FIVE,
        scripts={f"m/{n}": [Script(head_s=1.0)] for n in range(5)},
        tuning=Tuning(concurrency=2),
    )
    report = bar.ask(ASK)
    assert bar.upstream.most_active == 2
    assert report.elapsed_ms == 3000


def test_free_models_start_at_most_twenty_times_in_any_minute() -> None:
    bar = Bar(models=[model("f/f:free")])
    reports = bar.asks(*[Ask(models=("f/f:free*5",), deadline_s=600)] * 9)
    assert all(report.status is RunStatus.COMPLETE for report in reports)
    times = bar.upstream.times_s
    assert len(times) == 45
    for position, start in enumerate(times):
        within = [other for other in times[position:] if other < start + 60]
        assert len(within) <= 20


def test_the_deadline_bounds_the_run_and_names_itself() -> None:
    bar = Bar(cocktails=FIVE, scripts={"m/0": [Script(head_s=500)]})
    report = bar.ask(Ask(cocktail="X", deadline_s=7))
    assert report.elapsed_ms == 7000
    assert report.status is RunStatus.DEGRADED
    assert report.exit_code == 3
    slot = report.slots[0]
    assert slot.failure is not None
    assert slot.failure.kind is FailureKind.DEADLINE
    assert slot.attempts[-1].failure is not None
    assert slot.attempts[-1].failure.kind is FailureKind.DEADLINE
    assert slot.attempts[-1].cost.state.value == "estimated"


def test_every_model_dead_exits_4_within_the_deadline_and_names_each_failure() -> None:
    scripts = {f"m/{n}": [broken(FailureKind.NETWORK, None)] for n in range(5)}
    report = Bar(cocktails=FIVE, scripts=scripts).ask(Ask(cocktail="X", deadline_s=30))
    assert report.exit_code == 4
    assert (report.elapsed_ms or 0) <= 30_000
    assert all(slot.failure and slot.failure.message for slot in report.slots)


def test_a_quorum_is_what_was_asked_and_cancels_the_rest() -> None:
    bar = Bar(cocktails=FIVE, scripts={f"m/{n}": [Script(head_s=float(n))] for n in range(5)})
    report = bar.ask(Ask(cocktail="X", quorum=2))
    assert report.status is RunStatus.COMPLETE
    assert report.exit_code == 0
    states = [slot.state.value for slot in report.slots]
    assert states == ["answered", "answered", "cancelled", "cancelled", "cancelled"]
    assert "quorum_reached" in codes(report)
    assert report.elapsed_ms == 1000


def test_a_missed_quorum_is_noted_and_degrades() -> None:
    scripts = {f"m/{n}": [broken(FailureKind.BAD_REQUEST, 400)] for n in range(4)}
    report = Bar(cocktails=FIVE, scripts=scripts).ask(Ask(cocktail="X", quorum=3))
    assert report.exit_code == 3
    assert "quorum_missed" in codes(report)


def test_a_quorum_larger_than_the_cocktail_is_refused_before_anything_is_sent() -> None:
    bar = Bar(cocktails=FIVE)
    with pytest.raises(UsageError, match="quorum of 9"):
        bar.ask(Ask(cocktail="X", quorum=9))
    assert bar.upstream.requests == []


def test_stopping_to_wait_keeps_what_is_there() -> None:
    def stop(handle: RunHandle, event: Event) -> None:
        if event.type is EventType.SLOT_ANSWERED:
            handle.stop_waiting()

    bar = Bar(cocktails=FIVE, scripts={f"m/{n}": [Script(head_s=1.0 + n)] for n in range(5)})
    report, _ = bar.watch(ASK, stop)
    assert report.status is RunStatus.DEGRADED
    assert len(report.answers) == 1
    assert report.exit_code == 3


def test_cancelling_interrupts_and_settles_every_attempt() -> None:
    def stop(handle: RunHandle, event: Event) -> None:
        if event.type is EventType.SLOT_ANSWERED:
            handle.cancel()

    bar = Bar(cocktails=FIVE, scripts={f"m/{n}": [Script(head_s=1.0 + n)] for n in range(5)})
    report, events = bar.watch(ASK, stop)
    assert report.status is RunStatus.INTERRUPTED
    assert report.exit_code == 130
    assert [slot.state.value for slot in report.slots].count("cancelled") == 4
    outcomes = [a.outcome for slot in report.slots for a in slot.attempts]
    assert outcomes == ["answer", *["cancelled"] * 4]
    assert events[-1].type is EventType.REPORT
    assert bar.upstream.active == 0


def test_a_run_cancelled_before_any_slot_began_still_says_how_each_ended() -> None:
    bar = Bar(cocktails=FIVE)
    report, _ = bar.watch(ASK, lambda handle, _: handle.cancel())
    assert all(slot.state.value in ("cancelled", "answered") for slot in report.slots)


def test_an_ask_that_is_cancelled_from_outside_is_settled_and_stored() -> None:
    bar = Bar(cocktails=FIVE, scripts={f"m/{n}": [Script(head_s=100)] for n in range(5)})

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await bar.desk().ask(Ask(messages=PROMPT, cocktail="X"))

    run_in_virtual_time(main())
    fold = ReportFold()
    for event in bar.history.events:
        fold.apply(event)
    report = fold.report()
    assert report.status is RunStatus.INTERRUPTED
    assert all(a.outcome == "cancelled" for slot in report.slots for a in slot.attempts)


def test_no_model_answers_twice_while_another_candidate_is_left() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "z/z", "b/b"], ["c/c", "z/z", "d/d"])],
        scripts={m: [broken(FailureKind.BAD_REQUEST, 400)] for m in ("a/a", "c/c")},
    )
    report = bar.ask(ASK)
    answered = [slot.answered_by for slot in report.slots]
    assert sorted(map(str, answered)) in (["b/b", "z/z"], ["d/d", "z/z"])


def test_a_backup_passed_over_for_diversity_keeps_its_turn() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b"], ["b/b"])],
        scripts={"a/a": [broken(FailureKind.BAD_REQUEST, 400)]},
    )
    report = bar.ask(ASK)
    assert [slot.answered_by for slot in report.slots] == ["b/b", "b/b"]
    assert "diversity_lost" in codes(report)


def test_the_same_model_can_be_seated_three_times() -> None:
    bar = Bar(scripts={"a/a": [Script()]})
    report = bar.ask(Ask(models=("a/a*3",)))
    assert [slot.answered_by for slot in report.slots] == ["a/a"] * 3
    assert report.cocktail is None


def test_retired_ids_are_succeeded_and_noted() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["old/one", "b/b"], ["new/one"])],
        models=[model("new/one"), model("new/two"), model("b/b")],
        successions=Successions("2026-11-10", {"old/one": ("new/one", "new/two")}),
    )
    report = bar.ask(ASK)
    assert [slot.answered_by for slot in report.slots] == ["new/two", "new/one"]
    assert [slot.primary for slot in report.slots] == ["old/one", "new/one"]
    assert not report.slots[0].fallback
    assert "model_superseded" in codes(report)


def test_corrections_are_applied_and_noted() -> None:
    bar = Bar(scripts={"x-ai/grok": [Script()]}, corrections=Corrections({"xai/": "x-ai/"}))
    report = bar.ask(Ask(models=("xai/grok",)))
    assert report.slots[0].primary == "x-ai/grok"
    assert "model_corrected" in codes(report)


def test_an_unknown_model_named_by_the_user_is_refused_with_the_nearest() -> None:
    bar = Bar(models=[model("openai/gpt-4o")])
    with pytest.raises(UsageError) as caught:
        bar.ask(Ask(models=("openai/gpt-4p",)))
    assert "openai/gpt-4o" in caught.value.hint
    assert bar.upstream.requests == []


def test_without_a_catalogue_ids_are_asked_as_they_stand() -> None:
    bar = Bar(cocktails=FIVE)
    bar.upstream._models = None
    report = bar.ask(ASK)
    assert report.status is RunStatus.COMPLETE
    assert "catalogue_missing" in codes(report)


def test_without_a_catalogue_a_cost_cap_cannot_be_kept_and_is_refused() -> None:
    bar = Bar(cocktails=FIVE)
    bar.upstream._models = None
    with pytest.raises(BudgetRefusal):
        bar.ask(Ask(cocktail="X", max_cost_nanos=10**9))
    assert bar.upstream.requests == []


def test_a_cap_below_the_worst_case_is_refused_with_the_sum_that_would_do() -> None:
    bar = Bar(cocktails=FIVE)
    with pytest.raises(BudgetRefusal) as caught:
        bar.ask(Ask(cocktail="X", max_cost_nanos=2_000_000))
    assert "allow --max-cost" in caught.value.hint
    assert bar.upstream.requests == []


def test_a_retry_that_could_pass_the_cap_is_refused_by_the_budget() -> None:
    bar = Bar(scripts={"a/a": [cut()]})
    one_attempt = 1_295_000  # 36 bytes of prompt and template + 1000 tokens at 1e-6 $, plus 25 %
    report = bar.ask(Ask(models=("a/a",), max_cost_nanos=one_attempt + 100_000))
    assert len(bar.upstream.requests) == 1
    last = report.slots[0].attempts[-1]
    assert last.failure is not None
    assert last.failure.kind is FailureKind.REFUSED_BY_BUDGET
    assert report.exit_code == 5


def test_costs_are_the_upstreams_own_figures_to_the_nearest_nano() -> None:
    scripts = {f"m/{n}": [Script(cost_raw="5.500000000000001e-05")] for n in range(5)}
    report = Bar(cocktails=FIVE, scripts=scripts).ask(ASK)
    assert report.cost_nanos == 5 * 55_000
    assert report.cost_known


def test_a_missing_cost_is_estimated_from_the_catalogue_and_marked() -> None:
    scripts = {f"m/{n}": [Script(cost_raw=None)] for n in range(5)}
    report = Bar(cocktails=FIVE, scripts=scripts).ask(ASK)
    assert report.cost_nanos == 5 * 15_000
    assert not report.cost_known
    assert "cost_estimated" in codes(report)


def test_events_are_gapless_ordered_and_fold_into_the_report() -> None:
    bar = Bar(
        cocktails=FIVE,
        scripts={
            "m/0": [broken(FailureKind.UPSTREAM_ERROR)],
            "m/1": [Script(gap_s=0.1, text="a b c")],
        },
    )
    report, events = bar.watch(ASK)
    assert [event.seq for event in events] == list(range(len(events)))
    assert [e.t_ms for e in events] == sorted(e.t_ms for e in events)
    fold = ReportFold()
    for event in bar.history.events:
        fold.apply(event)
    assert fold.report() == report


def test_an_answer_is_committed_before_anybody_is_told() -> None:
    told: list[int] = []
    bar = Bar(cocktails=FIVE)

    def look(_: RunHandle, event: Event) -> None:
        if event.type is EventType.SLOT_ANSWERED:
            told.append(event.seq)
            assert bar.history.flushed > event.seq

    bar.watch(ASK, look)
    assert len(told) == 5


def test_the_same_seed_gives_the_same_trace() -> None:
    def trace() -> list[dict[str, object]]:
        bar = Bar(cocktails=FIVE, scripts={"m/0": [broken(FailureKind.UPSTREAM_ERROR)]})
        _, events = bar.watch(ASK)
        return [event.to_dict() for event in events]

    assert trace() == trace()


def test_unsupported_parameters_are_dropped_with_a_notice() -> None:
    from dataclasses import replace

    from ultrai.domain.query import Sampling

    plain = replace(model("a/a"), supported_parameters=frozenset({"max_tokens"}))
    bar = Bar(models=[plain])
    report = bar.ask(Ask(models=("a/a",), sampling=Sampling(temperature=0.5)))
    assert bar.upstream.requests[0].sampling.temperature is None
    assert "parameter_dropped" in codes(report)


def test_a_model_that_reasons_gets_headroom_with_a_notice() -> None:
    from dataclasses import replace

    from ultrai.domain.catalog import Reasoning

    thinker = replace(model("a/a"), reasoning=Reasoning(mandatory=True))
    bar = Bar(models=[thinker])
    report = bar.ask(Ask(models=("a/a",)))
    assert bar.upstream.requests[0].sampling.max_tokens == 5000
    assert "reasoning_headroom" in codes(report)


def test_strict_refuses_a_plan_with_notices_before_spending() -> None:
    bar = Bar(cocktails=[cocktail("X", ["gone/gone", "b/b"])], models=[model("b/b")])
    with pytest.raises(UsageError, match="--strict"):
        bar.ask(Ask(cocktail="X", strict=True))
    assert bar.upstream.requests == []


def test_a_cap_that_no_candidate_fits_is_refused_with_what_the_cheapest_would_need() -> None:
    bar = Bar(cocktails=FIVE)
    with pytest.raises(BudgetRefusal) as caught:
        bar.ask(Ask(cocktail="X", max_cost_nanos=1_000))
    assert "allow --max-cost 0.00" in caught.value.hint
    assert bar.upstream.requests == []


def test_a_charge_above_the_bound_is_recorded_as_it_is_and_noted() -> None:
    bar = Bar(scripts={"a/a": [Script(cost_raw="0.5")]})
    report = bar.ask(Ask(models=("a/a",), max_cost_nanos=10_000_000))
    assert report.cost_nanos == 500_000_000
    assert "cost_above_bound" in codes(report)


def test_a_model_of_unknown_price_is_asked_only_when_named_and_that_is_noted() -> None:
    from dataclasses import replace

    router = replace(model("r/auto"), prices=None)
    bar = Bar(cocktails=[cocktail("X", ["r/auto", "b/b"])], models=[router, model("b/b")])
    named = bar.ask(Ask(models=("r/auto",)))
    assert "price_unknown" in codes(named)
    seated = bar.ask(Ask(cocktail="X"))
    assert seated.slots[0].answered_by == "b/b"
    with pytest.raises(BudgetRefusal):
        bar.ask(Ask(models=("r/auto",), max_cost_nanos=10**9))
