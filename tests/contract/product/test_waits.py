"""Retry-After in all its forms, never undercut; and other answers to "not now"."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.contract.product.asking import A, B, C, ask, codes_of, failures_of, kinds_of, opened
from tests.contract.product.command import until
from tests.contract.product.upstream import Upstream, refusal, says

SHARED_POOL = {
    "raw": f"{A} is temporarily rate-limited upstream. Please retry shortly",
    "provider_name": "Acme",
    "is_byok": False,
    "limit_source": "upstream_provider_shared_pool",
}
FORMS = {
    "seconds": (("Retry-After: 1",), {}),
    "fraction": (("Retry-After: 1.0",), {}),
    "milliseconds": (("retry-after-ms: 1000",), {}),
    "metadata": ((), {"retry_after_seconds": 1, "retry_after_seconds_raw": 0.7}),
    "metadata text": ((), {"retry_after_seconds": "1"}),
    "metadata headers": ((), {"headers": {"Retry-After": "1"}}),
    "metadata headers, other case": ((), {"headers": {"retry-after": 1}}),
    "the header wins": (("Retry-After: 1",), {"retry_after_seconds": 300}),
}


@pytest.mark.parametrize("status", [429, 503])
def test_every_form_of_retry_after_is_waited_for_and_never_undercut(status, tmp_path):
    """All forms at once, each in a slot of its own: they wait together."""
    upstream = Upstream()
    models = {form: f"acme/{number}" for number, form in enumerate(FORMS)}
    upstream.listed(*models.values())
    for form, (headers, metadata) in FORMS.items():
        no = refusal(status, "slow", *headers, metadata={**SHARED_POOL, **metadata})
        upstream.plays[models[form]] = [no, says("later")]
    report, code = ask(upstream, tmp_path, models=list(models.values()))
    waits = {form: upstream.gaps_of(model)[0] for form, model in models.items()}
    assert {form: wait for form, wait in waits.items() if wait < 1.0} == {}
    for slot in report["slots"]:
        assert [failure["retry_after_s"] for failure in failures_of(slot)] == [1.0]
        assert failures_of(slot)[0]["remedy"] == "retry"
    assert max(waits.values()) < 8
    assert code == 0


@pytest.mark.parametrize("own_clock_s", [None, 3600], ids=["without Date", "with Date"])
def test_a_date_is_waited_for_by_the_upstreams_own_clock(own_clock_s, tmp_path):
    """Dates have whole seconds, so 2.x s ahead is at least 2 s less the fraction."""
    upstream = Upstream()
    before = datetime.now(UTC)
    shift = timedelta(seconds=own_clock_s or 0)
    when = before.replace(microsecond=0) + timedelta(seconds=2) + shift
    headers = [f"Retry-After: {format_datetime(when, usegmt=True)}"]
    if own_clock_s is not None:
        headers.append(f"Date: {format_datetime(before + shift, usegmt=True)}")
    upstream.plays[A] = [refusal(429, "slow", *headers), says("later")]
    report, code = ask(upstream, tmp_path, models=[A])
    second = upstream.calls[1].at - time.monotonic() + time.time()
    if own_clock_s is None:
        assert second >= when.timestamp() - 0.01
    else:
        assert upstream.gaps_of(A)[0] >= 2.0
    assert (len(upstream.calls), code) == (2, 0)
    assert 0 < failures_of(report["slots"][0])[0]["retry_after_s"] <= 2


def test_a_date_in_the_past_is_no_wait(tmp_path):
    past = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    upstream = Upstream({A: [refusal(429, "slow", f"Retry-After: {past}"), says()]})
    report, code = ask(upstream, tmp_path, models=[A])
    assert failures_of(report["slots"][0])[0]["retry_after_s"] == 0
    assert code == 0


@pytest.mark.parametrize("nonsense", ["soon", "-5", "NaN", "inf", "1e999", ""])
def test_a_retry_after_that_is_none_is_passed_over(nonsense, tmp_path):
    upstream = Upstream({A: [refusal(429, "slow", f"Retry-After: {nonsense}"), says()]})
    report, code = ask(upstream, tmp_path, models=[A], deadline_s=30)
    assert failures_of(report["slots"][0])[0]["retry_after_s"] is None
    assert (upstream.asked[A], code) == (2, 0)


@pytest.mark.parametrize(
    ("wishes", "settings"),
    [({}, {"max_wait_s": 2.0}), ({"deadline_s": 3.0}, {})],
    ids=["longer than max_wait_s", "longer than the deadline"],
)
def test_a_wait_that_is_too_long_goes_to_the_next_candidate_at_once(wishes, settings, tmp_path):
    upstream = Upstream({A: [refusal(429, "slow", "Retry-After: 10")]})
    report, code = ask(upstream, tmp_path, settings, models=[A], backups={A: [B]}, **wishes)
    slot = report["slots"][0]
    assert upstream.asked == {A: 1, B: 1}
    assert failures_of(slot)[0]["remedy"] == "next_candidate"
    assert failures_of(slot)[0]["retry_after_s"] == 10
    assert report["elapsed_ms"] < 9000
    assert (slot["answered_by"], code) == (B, 0)


def test_a_429_pauses_its_model_for_everyone_in_the_process(tmp_path):
    upstream = Upstream({A: [refusal(429, "slow", "Retry-After: 1"), says()]})

    async def run():
        async with opened(upstream, tmp_path) as product, asyncio.TaskGroup() as group:
            group.create_task(product.ask("first", models=[A]))
            await until(lambda: upstream.calls)
            await asyncio.sleep(0.2)
            group.create_task(product.ask("second", models=[A]))

    asyncio.run(run())
    first, *others = (call.at for call in upstream.calls)
    assert len(others) == 2
    assert min(others) - first >= 1.0


def test_the_daily_quota_of_free_models_is_waited_for_until_its_reset_in_milliseconds(tmp_path):
    reset_ms = int((time.time() + 3600) * 1000)
    free = "acme/gratis:free"
    quota = {
        "limit_source": "openrouter_free_tier_daily",
        "headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Reset": str(reset_ms)},
    }
    words = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model"
    no = refusal(429, words, f"X-RateLimit-Reset: {reset_ms}", metadata=quota)
    upstream = Upstream({free: [no]})
    upstream.listed(free, B, C)

    async def run():
        async with opened(upstream, tmp_path) as product:
            reports = [
                await product.ask("ping", models=[free], backups={free: [B]}) for _ in range(2)
            ]
            return [report.to_dict() for report in reports]

    first, second = asyncio.run(run())
    assert kinds_of(first["slots"][0]) == ["quota_exhausted"]
    assert failures_of(first["slots"][0])[0]["remedy"] == "next_candidate"
    assert upstream.asked == {free: 1, B: 2}
    assert "model_not_ready" in codes_of(second)


def test_the_daily_count_of_the_key_is_honoured_before_anything_is_sent(tmp_path):
    free = "acme/gratis:free"
    count = {"used": 50, "limit": 50, "remaining": 0}
    upstream = Upstream(key={"free_model_daily_requests": count})
    upstream.listed(free, B)
    report, _ = ask(upstream, tmp_path, models=[free], backups={free: [B]})
    assert upstream.asked == {B: 1}
    assert "model_not_ready" in codes_of(report)
    assert any(call.path.endswith("/key") for call in upstream.lookups)


def test_two_requests_left_of_the_daily_count_are_two_requests(tmp_path):
    """The upstream's own count lags: what was started since it was read counts on top."""
    free = "acme/gratis:free"
    count = {"used": 48, "limit": 50, "remaining": 2}
    upstream = Upstream(key={"free_model_daily_requests": count})
    upstream.listed(free, B)

    async def run():
        async with opened(upstream, tmp_path) as product:
            for _ in range(4):
                await product.ask("ping", models=[free], backups={free: [B]})

    asyncio.run(run())
    assert upstream.asked[free] == 2
