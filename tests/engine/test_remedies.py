"""Each row of the failure table, as a Run lives through it."""

from __future__ import annotations

import pytest
from tests.engine.bar import Bar, broken, cocktail, codes, cut, failure, kinds, model

from ultrai.domain.ask import Ask
from ultrai.domain.catalog import Endpoint, Rates
from ultrai.domain.outcome import Failure, FailureKind, Phase, Remedy
from ultrai.domain.query import Sampling
from ultrai.domain.report import RunStatus
from ultrai.engine.tuning import Tuning
from ultrai.policy.backoff import Backoff
from ultrai.testing import Script

X = [cocktail("X", ["a/a", "b/b", "c/c"])]
ASK = Ask(cocktail="X")
STEADY = Tuning(backoff=Backoff(base_s=1, cap_s=8))

BEFORE_THE_STREAM = [
    FailureKind.UPSTREAM_ERROR,
    FailureKind.OVERLOADED,
    FailureKind.TIMEOUT,
    FailureKind.NETWORK,
    FailureKind.BAD_RESPONSE,
]


@pytest.mark.parametrize("kind", BEFORE_THE_STREAM)
def test_a_failure_before_the_stream_is_retried_up_to_max_attempts_then_a_backup_answers(
    kind: FailureKind,
) -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(kind)]})
    report = bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "a/a", "a/a", "b/b"]
    assert kinds(report) == [kind.value] * 3
    remedies = [a.failure.remedy for a in report.slots[0].attempts if a.failure]
    assert remedies == [Remedy.RETRY, Remedy.RETRY, Remedy.NEXT_CANDIDATE]
    assert report.slots[0].answered_by == "b/b"
    assert report.slots[0].fallback
    assert report.status is RunStatus.COMPLETE
    assert "fallback_used" in codes(report)


def test_backoff_waits_are_drawn_below_the_doubling_bound() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(FailureKind.UPSTREAM_ERROR)]}, tuning=STEADY)
    bar.ask(ASK)
    first, second, third, _ = bar.upstream.times_s
    assert 0 <= second - first <= 1
    assert 0 <= third - second <= 2


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.BAD_REQUEST, 400),
        (FailureKind.CONTEXT_TOO_LONG, 400),
        (FailureKind.MODEL_UNAVAILABLE, 404),
        (FailureKind.MODERATED, 403),
        (FailureKind.FORBIDDEN, 403),
        (FailureKind.QUOTA_EXHAUSTED, 429),
    ],
)
def test_a_failure_of_the_request_goes_to_the_next_candidate_without_a_retry(
    kind: FailureKind, status: int
) -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(kind, status)]})
    report = bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "b/b"]
    assert kinds(report) == [kind.value]


def test_no_provider_is_retried_once() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(FailureKind.NO_PROVIDER, 503)]})
    bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "a/a", "b/b"]


def test_a_cut_stream_goes_to_the_next_candidate_at_once_and_keeps_what_arrived() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [cut()]})
    report, events = bar.watch(ASK)
    assert bar.upstream.asked() == ["a/a", "b/b"]
    attempt = report.slots[0].attempts[0]
    assert attempt.partial is not None
    assert attempt.partial.text == "half an"
    assert attempt.cost.state.value == "estimated"
    assert "attempt_withdrawn" in [event.type.value for event in events]
    assert not report.cost_known


def test_a_cut_stream_is_retried_once_when_no_other_candidate_is_left() -> None:
    bar = Bar(cocktails=[cocktail("X", ["a/a"])], scripts={"a/a": [cut()]})
    report = bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "a/a"]
    assert report.status is RunStatus.FAILED
    assert report.exit_code == 4


def test_retry_after_is_never_undercut() -> None:
    limited = broken(FailureKind.RATE_LIMITED, 429, retry_after_s=3.0)
    bar = Bar(cocktails=X, scripts={"a/a": [limited, Script()]})
    report = bar.ask(ASK)
    first, second = bar.upstream.times_s
    assert second - first >= 3.0
    assert report.slots[0].answered_by == "a/a"


def test_a_retry_after_beyond_max_wait_goes_to_the_next_candidate_at_once() -> None:
    limited = broken(FailureKind.RATE_LIMITED, 429, retry_after_s=60.0)
    bar = Bar(cocktails=X, scripts={"a/a": [limited]})
    report = bar.ask(ASK)
    assert bar.upstream.asked() == ["a/a", "b/b"]
    assert report.elapsed_ms == 0


def test_a_429_pauses_the_model_for_every_slot_of_the_process() -> None:
    limited = broken(FailureKind.RATE_LIMITED, 429, retry_after_s=5.0)
    bar = Bar(scripts={"a/a": [limited, Script()]})
    bar.asks(Ask(models=("a/a",)), Ask(models=("a/a",)))
    first, second, third = bar.upstream.times_s
    assert second - first >= 5.0
    assert third >= second

    bar = Bar(
        cocktails=X, scripts={"a/a": [broken(FailureKind.RATE_LIMITED, 429, retry_after_s=90.0)]}
    )
    reports = bar.asks(ASK, ASK)
    assert bar.upstream.asked() == ["a/a", "b/b", "b/b"], "the second run asks a/a nothing"
    assert kinds(reports[1]) == ["rate_limited"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.AUTH, 401),
        (FailureKind.INSUFFICIENT_CREDIT, 402),
        (FailureKind.KEY_LIMIT, 403),
    ],
)
def test_a_refused_key_stops_the_upstream_and_ends_with_exit_6(
    kind: FailureKind, status: int
) -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b"], ["c/c", "d/d"])],
        scripts={
            "a/a": [broken(kind, status)],
            "c/c": [Script(head_s=1, failure=failure(kind, status))],
        },
    )
    report = bar.ask(ASK)
    assert sorted(bar.upstream.asked()) == ["a/a", "c/c"], "no backup is asked"
    assert report.exit_code == 6
    assert report.slots[0].attempts[0].failure is not None
    assert report.slots[0].attempts[0].failure.remedy is Remedy.STOP_UPSTREAM
    assert "upstream_stopped" in codes(report)


def test_text_that_has_begun_may_finish_after_the_upstream_was_stopped() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a"], ["c/c"], ["d/d"])],
        scripts={
            "a/a": [Script(head_s=1, failure=failure(FailureKind.AUTH, 401))],
            "c/c": [Script(text="slow but there", first_s=0.5, gap_s=2)],
            "d/d": [Script(head_s=100)],
        },
    )
    report = bar.ask(ASK)
    states = [slot.state.value for slot in report.slots]
    assert states == ["failed", "answered", "failed"]
    assert report.status is RunStatus.DEGRADED
    assert report.exit_code == 6
    assert (report.elapsed_ms or 0) < 10_000, "the silent one is not waited for"


def test_credit_that_affords_fewer_tokens_is_tried_once_with_so_many() -> None:
    poor = broken(FailureKind.INSUFFICIENT_CREDIT, 402, affordable_tokens=400)
    bar = Bar(cocktails=X, scripts={"a/a": [poor, Script()]})
    report = bar.ask(ASK)
    assert [r.sampling.max_tokens for r in bar.upstream.requests] == [1000, 400]
    assert "max_tokens_reduced" in codes(report)
    assert report.exit_code == 0


def test_credit_below_the_users_floor_stops_the_upstream() -> None:
    poor = broken(FailureKind.INSUFFICIENT_CREDIT, 402, affordable_tokens=10)
    bar = Bar(cocktails=X, scripts={"a/a": [poor]})
    assert bar.ask(ASK).exit_code == 6
    assert bar.upstream.asked() == ["a/a"]


def test_in_flight_budget_is_retried_after_its_retry_after() -> None:
    busy = broken(FailureKind.IN_FLIGHT_BUDGET, 402, retry_after_s=2.0)
    bar = Bar(cocktails=X, scripts={"a/a": [busy, Script()]})
    report = bar.ask(ASK)
    first, second = bar.upstream.times_s
    assert second - first >= 2.0
    assert report.exit_code == 0


def test_an_empty_answer_is_never_retried_unchanged() -> None:
    empty = broken(FailureKind.EMPTY_ANSWER, 200)
    bar = Bar(cocktails=X, scripts={"a/a": [empty]})
    report = bar.ask(ASK)
    asked = [(r.model, r.sampling.max_tokens) for r in bar.upstream.requests]
    assert asked == [("a/a", 1000), ("a/a", 4000), ("b/b", 1000)]
    assert "max_tokens_raised" in codes(report)


def test_all_slots_ended_as_bad_requests_exit_2() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a"], ["b/b"])],
        scripts={m: [broken(FailureKind.BAD_REQUEST, 400)] for m in ("a/a", "b/b")},
    )
    report = bar.ask(ASK)
    assert report.status is RunStatus.FAILED
    assert report.exit_code == 2


def test_a_quota_that_returns_tomorrow_rests_the_model_in_the_next_run() -> None:
    # Noon on the fixed clock; the quota returns at the next midnight.
    used_up = broken(FailureKind.QUOTA_EXHAUSTED, 429, resets_at_ms=1_795_478_400_000)
    bar = Bar(cocktails=X, scripts={"a/a": [used_up]})
    reports = bar.asks(ASK, ASK)
    assert bar.upstream.asked() == ["a/a", "b/b", "b/b"]
    assert "model_not_ready" in codes(reports[1])


def test_an_unavailable_model_is_dropped_until_the_next_catalogue() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(FailureKind.MODEL_UNAVAILABLE, 404)]})
    reports = bar.asks(ASK, ASK)
    assert bar.upstream.asked() == ["a/a", "b/b", "b/b"]
    assert "model_not_ready" in codes(reports[1])


def test_a_slow_timeout_leaves_time_for_the_backups() -> None:
    slow = Script(head_s=60, failure=failure(FailureKind.TIMEOUT, None))
    bar = Bar(cocktails=X, scripts={"a/a": [slow]})
    report = bar.ask(Ask(cocktail="X", deadline_s=150))
    assert bar.upstream.asked() == ["a/a", "b/b"]
    assert report.exit_code == 0


def test_an_open_circuit_puts_the_model_behind_the_others_and_never_empties_a_slot() -> None:
    bar = Bar(
        cocktails=[cocktail("X", ["a/a", "b/b"])],
        scripts={m: [broken(FailureKind.UPSTREAM_ERROR)] for m in ("a/a", "b/b")},
    )
    reports = bar.asks(*[ASK] * 6)
    assert "circuit_open" not in codes(reports[4])
    last = reports[5]
    assert last.slots[0].attempts, "somebody was asked although both circuits are open"
    assert "circuit_open" in codes(last)


def test_the_retry_budget_bounds_what_an_outage_costs() -> None:
    bar = Bar(scripts={"a/a": [broken(FailureKind.NETWORK, None)]}, tuning=Tuning(concurrency=10))
    bar.asks(*[Ask(models=("a/a",))] * 300)
    assert len(bar.upstream.requests) <= 300 * 1.25 + 100


def test_a_price_cap_that_leaves_no_provider_is_raised_once_to_the_dearest_endpoint() -> None:
    capped = failure(FailureKind.MODEL_UNAVAILABLE, 404, price_capped=True)
    bar = Bar(cocktails=X, scripts={"a/a": [Script(failure=capped), Script()]})
    rates = Rates(
        prompt=model("x").prices.base.prompt * 3, completion=model("x").prices.base.completion * 3
    )  # type: ignore[union-attr]
    bar.upstream.endpoints = [Endpoint("Dear", rates, None, None, 0, None, None, None)]
    report = bar.ask(Ask(cocktail="X", max_cost_nanos=1_000_000_000))
    first, second = (request.price_cap for request in bar.upstream.requests)
    assert first is not None
    assert second is not None
    assert second.completion > first.completion
    assert "price_cap_raised" in codes(report)


def test_an_error_message_that_came_before_text_is_not_billed() -> None:
    early = Failure(FailureKind.UPSTREAM_ERROR, "died", Phase.BEFORE_STREAM, status=None)
    bar = Bar(cocktails=X, scripts={"a/a": [Script(failure=early), Script()]})
    report = bar.ask(ASK)
    assert report.slots[0].attempts[0].cost.state.value == "not_billed"


def test_strict_takes_no_backup_and_no_truncated_answer() -> None:
    bar = Bar(cocktails=X, scripts={"a/a": [broken(FailureKind.BAD_REQUEST, 400)]})
    report = bar.ask(Ask(cocktail="X", strict=True))
    assert bar.upstream.asked() == ["a/a"]
    assert report.answers == ()

    bar = Bar(cocktails=X, scripts={"a/a": [Script(finish_reason="length")]})
    report = bar.ask(Ask(cocktail="X", strict=True, sampling=Sampling(max_tokens=50)))
    assert report.answers == ()
    assert bar.upstream.asked() == ["a/a"]
