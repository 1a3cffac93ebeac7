"""Estimates follow what a model counts; bounds do not."""

from __future__ import annotations

from dataclasses import replace

from tests.engine.bar import Bar, cut, model

from ultrai.domain.ask import Ask
from ultrai.domain.outcome import NO_USAGE, Usage
from ultrai.domain.query import Message
from ultrai.policy.tokens import estimate_tokens
from ultrai.testing import Script, run_in_virtual_time

A, B = "a/a", "b/b"
LONG = (Message("user", "word " * 2000),)
ESTIMATE = estimate_tokens(LONG, model(A).tokenizer)


def plan_of(bar: Bar):
    """What the first choice of each slot is expected to take, by model."""
    plan = run_in_virtual_time(bar.desk().plan(Ask(messages=LONG, models=(A, B))))
    return {slot.candidates[0].model: slot.candidates[0] for slot in plan.slots}


def test_what_answers_counted_corrects_the_next_plan_and_no_bound():
    bar = Bar(
        scripts={A: [Script(usage=Usage(2 * ESTIMATE, 5, 0, 0))], B: [Script(usage=NO_USAGE)]}
    )
    before = plan_of(bar)
    assert before[A].prompt_tokens == before[B].prompt_tokens == ESTIMATE
    bar.asks(*[Ask(messages=LONG, models=(A, B))] * 3)
    after = plan_of(bar)
    counted, estimated = 3 * 2 * ESTIMATE + 200, 3 * ESTIMATE + 200
    assert after[A].prompt_tokens == ESTIMATE * counted // estimated
    assert after[A].expected_nanos > before[A].expected_nanos
    assert after[A].bound_nanos == before[A].bound_nanos
    assert after[B].prompt_tokens == ESTIMATE, "without usage there is nothing to learn"


def test_the_estimate_that_is_learned_from_is_not_the_corrected_one():
    bar = Bar(scripts={A: [Script(usage=Usage(2 * ESTIMATE, 5, 0, 0))], B: [Script()]})
    bar.asks(*[Ask(messages=LONG, models=(A,))] * 10)
    tokens = bar.health[A].tokens
    assert (tokens.native, tokens.estimated) == (20 * ESTIMATE, 10 * ESTIMATE)


def test_an_attempt_that_failed_teaches_nothing():
    bar = Bar(scripts={A: [replace(cut(), usage=Usage(9000, 1, 0, 0))], B: [Script()]})
    bar.ask(Ask(messages=LONG, models=(A,)))
    assert bar.health[A].tokens.estimated == 0


def test_a_prompt_that_the_model_is_known_to_count_dearly_no_longer_fits_its_window():
    bar = Bar(models=[model(A, window=4000), model(B)])
    assert plan_of(bar)[A].not_ready is None
    bar.health.counted(A, 40_000, estimate=20_000)
    assert plan_of(bar)[A].not_ready is not None
