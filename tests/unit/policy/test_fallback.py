"""The table of remedies is total, and every decision keeps its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.outcome import Failure, FailureKind, Phase, Remedy
from ultrai.policy.backoff import Backoff
from ultrai.policy.fallback import RULES, Situation, advice_for, decide


def test_every_kind_of_failure_has_one_row_with_advice() -> None:
    assert set(RULES) == set(FailureKind)
    assert all(advice_for(kind) for kind in FailureKind)


situations = st.builds(
    Situation,
    attempts=st.integers(1, 6),
    max_attempts=st.integers(1, 5),
    others_left=st.booleans(),
    time_left_s=st.floats(0, 300),
    max_wait_s=st.floats(0, 60),
    chance=st.floats(0, 0.999),
    may_retry=st.booleans(),
    changed=st.booleans(),
    attempt_s=st.floats(0, 100),
    max_tokens_floor=st.integers(1, 100),
    raised_tokens=st.none() | st.integers(2, 10_000),
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=st.just("x"),
    phase=st.sampled_from(Phase),
    retry_after_s=st.none() | st.floats(0, 100),
    affordable_tokens=st.none() | st.integers(0, 2000),
)


@given(failures, situations)
def test_no_decision_breaks_a_bound(failure: Failure, situation: Situation) -> None:
    decision = decide(failure, situation, backoff=Backoff())
    if decision.remedy is Remedy.RETRY:
        assert situation.attempts < situation.max_attempts
        assert decision.wait_s < situation.time_left_s or decision.wait_s == 0
        if failure.retry_after_s is not None and decision.wait_s:
            assert failure.retry_after_s <= decision.wait_s
            assert failure.retry_after_s <= situation.max_wait_s
        if failure.phase is Phase.MID_STREAM and RULES[failure.kind].then is Remedy.NEXT_CANDIDATE:
            assert not situation.others_left
    if decision.remedy is Remedy.NEXT_CANDIDATE:
        assert situation.others_left


@given(failures, situations)
def test_an_empty_answer_is_never_retried_with_the_same_max_tokens(
    failure: Failure, situation: Situation
) -> None:
    if failure.kind is not FailureKind.EMPTY_ANSWER:
        return
    decision = decide(failure, situation, backoff=Backoff())
    assert decision.remedy is not Remedy.RETRY or decision.max_tokens is not None


@given(st.integers(1, 50), st.floats(0, 0.999))
def test_full_jitter_stays_between_nothing_and_the_bound(
    failures_in_row: int, chance: float
) -> None:
    backoff = Backoff(base_s=0.5, cap_s=8)
    wait_s = backoff.wait_s(failures_in_row, chance=chance)
    assert 0 <= wait_s <= backoff.bound_s(failures_in_row) <= 8
