"""The circuit opens, cools down, probes, and closes; latencies follow the present."""

from __future__ import annotations

import pytest

from ultrai.domain.outcome import FailureKind
from ultrai.policy.health import (
    COOL_DOWN_CAP_S,
    COOL_DOWN_S,
    FAILURES_TO_OPEN,
    SAMPLES,
    ModelHealth,
    after_answer,
    after_count,
    after_failure,
    percentile,
)

DEAD = FailureKind.UPSTREAM_ERROR


def failing(times: int, now_s: float = 0.0) -> ModelHealth:
    health = ModelHealth()
    for _ in range(times):
        health = after_failure(health, DEAD, now_s=now_s)
    return health


def test_the_circuit_opens_after_failures_in_a_row_and_half_opens_when_cool() -> None:
    assert not failing(FAILURES_TO_OPEN - 1).is_open(0)
    health = failing(FAILURES_TO_OPEN)
    assert health.is_open(COOL_DOWN_S - 1)
    assert not health.is_open(COOL_DOWN_S)
    assert health.is_half_open(COOL_DOWN_S)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_cap() -> None:
    health, now_s, waits = failing(FAILURES_TO_OPEN), 0.0, []
    for _ in range(8):
        assert health.open_until_s is not None
        waits.append(health.open_until_s - now_s)
        now_s = health.open_until_s
        health = after_failure(health, DEAD, now_s=now_s)
    assert waits[:3] == [COOL_DOWN_S, 2 * COOL_DOWN_S, 4 * COOL_DOWN_S]
    assert max(waits) == COOL_DOWN_CAP_S


def test_an_answer_closes_it() -> None:
    health = after_answer(failing(9), first_token_ms=5, total_ms=9)
    assert health.open_until_s is None
    assert health.failures_in_row == 0


def test_what_a_model_counted_outlives_failures_and_answers() -> None:
    health = after_count(ModelHealth(), 300, estimate=200)
    health = after_failure(health, DEAD, now_s=0)
    health = after_answer(health, first_token_ms=5, total_ms=9)
    assert (health.tokens.native, health.tokens.estimated) == (300, 200)


@pytest.mark.parametrize("kind", [FailureKind.BAD_REQUEST, FailureKind.AUTH, FailureKind.NETWORK])
def test_a_failure_that_is_not_the_models_fault_changes_nothing(kind: FailureKind) -> None:
    health = ModelHealth()
    assert after_failure(health, kind, now_s=0) is health


def test_only_the_latest_samples_are_kept() -> None:
    health = ModelHealth()
    for number in range(SAMPLES + 10):
        health = after_answer(health, first_token_ms=number, total_ms=number)
    assert len(health.total_ms) == SAMPLES
    assert min(health.total_ms) == 10


def test_percentiles_are_nearest_rank() -> None:
    assert percentile([], 0.5) is None
    assert percentile([7], 0.95) == 7
    assert percentile(list(range(1, 101)), 0.5) == 50
    assert percentile(list(range(1, 101)), 0.95) == 95


def test_a_model_that_has_failed_thousands_of_times_rests_as_long_as_the_cap_says() -> None:
    health = ModelHealth(openings_in_row=5_000, failures_in_row=5_000, open_until_s=10.0)
    health = after_failure(health, DEAD, now_s=10.0)
    assert health.open_until_s == 10.0 + COOL_DOWN_CAP_S
    assert health.openings_in_row == 5_001
