"""401, 402 and limits of the key: nothing more is started, and what arrived is kept."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.contract.product.asking import (
    A,
    B,
    C,
    D,
    E,
    ask,
    codes_of,
    failures_of,
    kinds_of,
    opened,
    settings_for,
)
from tests.contract.product.upstream import (
    Upstream,
    ending,
    frame,
    refusal,
    running,
    says,
    streamed,
    whole,
)

import ultrai
from ultrai.settings.model import UpstreamSettings

CREDIT = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
AFFORD = (
    "This request requires more credits, or fewer max_tokens. You requested up to 1000 tokens, "
    "but can only afford {}. To increase, visit https://openrouter.ai/settings/credits"
)
KEY_LIMIT = "Key limit exceeded (daily limit). Manage it using https://openrouter.ai/settings/keys"
WORKSPACE = {"limit_source": "openrouter_workspace_budget", "resets_at": "2026-12-01T00:00:00Z"}
FATAL = {
    "401": (refusal(401, "User not found."), "auth", 401),
    "402": (refusal(402, CREDIT), "insufficient_credit", 402),
    "403 key limit": (refusal(403, KEY_LIMIT), "key_limit", 403),
    "402 key limit": (
        refusal(402, "no", metadata={"limit_source": "openrouter_key_limit"}),
        "key_limit",
        402,
    ),
    "403 workspace": (
        refusal(403, "Budget limit exceeded", metadata=WORKSPACE),
        "key_limit",
        403,
    ),
    "402 can afford too little": (refusal(402, AFFORD.format(12)), "insufficient_credit", 402),
}


@pytest.mark.parametrize("name", FATAL)
def test_nothing_more_is_started_and_the_exit_code_is_6(name, tmp_path):
    """A is refused at once; B retries, C falls, D waits for its turn: none of them goes on."""
    play, kind, status = FATAL[name]
    upstream = Upstream(
        {
            A: [play],
            B: [refusal(502)],
            C: [refusal(429, "slow", "Retry-After: 1"), says("too late")],
            D: [streamed(0.4, frame("no text yet"), *ending())],
        }
    )
    report, code = ask(
        upstream,
        tmp_path,
        {"backoff_base_s": 60.0, "backoff_cap_s": 60.0, "max_wait_s": 60.0},
        models=[A, B, C],
        backups={A: [D], B: [E], C: [E]},
        deadline_s=30,
    )
    assert upstream.asked == {A: 1, B: 1, C: 1}
    refused = failures_of(report["slots"][0])[0]
    assert (refused["kind"], refused["status"]) == (kind, status)
    assert refused["remedy"] == "stop_upstream"
    assert report["slots"][0]["attempts"][0]["cost_state"] == "not_billed"
    assert codes_of(report).count("upstream_stopped") == 1
    assert (report["status"], code) == ("failed", 6)
    assert report["elapsed_ms"] < 10_000


@pytest.mark.parametrize("name", ["401", "402"])
def test_an_attempt_whose_text_has_begun_may_finish(name, tmp_path):
    play, _, _ = FATAL[name]

    async def refused_late(wire, call):
        await asyncio.sleep(0.2)
        await play(wire, call)

    upstream = Upstream(
        {A: [refused_late], B: [streamed(frame("Hel"), 0.8, frame("lo"), *ending())]}
    )
    report, code = ask(upstream, tmp_path, models=[A, B])
    assert report["slots"][1]["answer"]["text"] == "Hello"
    assert (report["status"], code) == ("degraded", 6)


def test_an_attempt_without_text_does_not_outlast_the_refusal_for_long(tmp_path):
    upstream = Upstream({A: [refusal(401, "no")], B: [streamed(30.0, *ending())]})
    report, code = ask(upstream, tmp_path, models=[A, B])
    assert report["elapsed_ms"] < 10_000
    assert code == 6


def test_a_wrong_key_is_refused_by_every_slot_and_each_says_so(tmp_path):
    upstream = Upstream(otherwise=refusal(401, "User not found."))
    report, code = ask(upstream, tmp_path, models=[A, B, C])
    assert set(upstream.asked.values()) == {1}
    assert [slot["failure"]["kind"] for slot in report["slots"]] == ["auth"] * 3
    assert code == 6


def test_as_many_tokens_as_the_credit_affords_are_asked_for_once_with_a_notice(tmp_path):
    upstream = Upstream({A: [refusal(402, AFFORD.format(333)), says("short")]})
    report, code = ask(upstream, tmp_path, models=[A])
    assert [call.body["max_tokens"] for call in upstream.calls] == [1000, 333]
    assert "max_tokens_reduced" in codes_of(report)
    assert report["slots"][0]["answer"]["text"] == "short"
    assert code == 0


def test_the_second_such_refusal_stops_the_upstream(tmp_path):
    upstream = Upstream({A: [refusal(402, AFFORD.format(333)), refusal(402, AFFORD.format(200))]})
    report, code = ask(upstream, tmp_path, models=[A], backups={A: [B]})
    assert upstream.asked == {A: 2}
    assert kinds_of(report["slots"][0]) == ["insufficient_credit"] * 2
    assert code == 6


def test_a_401_that_is_the_whole_body_of_a_200_stops_the_upstream_too(tmp_path):
    error = {"error": {"code": 401, "message": "User not found."}}
    upstream = Upstream({A: [whole("200 OK", json.dumps(error).encode())]})
    report, code = ask(upstream, tmp_path, models=[A], backups={A: [B]})
    assert upstream.asked == {A: 1}
    assert (kinds_of(report["slots"][0]), code) == (["auth"], 6)


@pytest.mark.parametrize("said", [(), (frame("Hel"),)], ids=["first event", "after text"])
@pytest.mark.parametrize("status", [401, 402, 429])
def test_a_4xx_code_inside_a_stream_is_a_providers_and_only_moves_on(said, status, tmp_path):
    error = frame(choices=[], error={"code": status, "message": "a provider's own key"})
    upstream = Upstream({A: [streamed(*said, error)]})
    report, code = ask(upstream, tmp_path, models=[A], backups={A: [B]})
    assert upstream.asked == {A: 1, B: 1}
    assert (kinds_of(report["slots"][0]), code) == (["bad_request"], 0)
    assert "upstream_stopped" not in codes_of(report)


def test_the_next_run_may_ask_again(tmp_path):
    upstream = Upstream({A: [refusal(401, "no"), says("renewed")]})

    async def run():
        async with opened(upstream, tmp_path) as product:
            return [await product.ask("ping", models=[A]) for _ in range(2)]

    first, second = asyncio.run(run())
    assert (first.exit_code, second.exit_code) == (6, 0)


def test_a_failure_that_comes_after_the_stop_is_not_waited_on(tmp_path):
    async def fails_late(wire, call):
        await asyncio.sleep(0.3)
        await refusal(502)(wire, call)

    upstream = Upstream({A: [refusal(401, "no")], B: [fails_late]})
    backoff = {"backoff_base_s": 3600.0, "backoff_cap_s": 3600.0}
    report, code = ask(upstream, tmp_path, backoff, models=[A, B], deadline_s=60)
    assert upstream.asked == {A: 1, B: 1}
    assert report["elapsed_ms"] < 10_000
    assert code == 6


def test_a_slot_that_waits_for_its_pace_does_not_outlast_the_stop(tmp_path):
    upstream = Upstream({A: [refusal(401, "no")], B: [says("one"), says("two")]})
    pace = {"pace_per_minute": {B: 2}}
    report, code = ask(upstream, tmp_path, pace, models=[A, B, B], deadline_s=100)
    assert upstream.asked == {A: 1, B: 1}
    assert report["elapsed_ms"] < 10_000
    assert (report["status"], code) == ("degraded", 6)


def test_a_slot_whose_backup_is_on_another_upstream_goes_there(tmp_path):
    """A is refused, C is silent on the same upstream: both have a backup that is elsewhere."""

    async def run():
        first = Upstream({A: [refusal(401, "no")], C: [streamed(30.0, *ending())]})
        second = Upstream(otherwise=says("from the box"))
        first.listed(A, C)
        second.listed("tiny", "small")
        async with running(first), running(second):
            box = UpstreamSettings(prefix="box", base_url=second.url, free=True)
            settings = settings_for(first, tmp_path, upstreams={"box": box})
            async with ultrai.open(settings) as product:
                backups = {A: ["box/tiny"], C: ["box/small"]}
                return await product.ask("ping", models=[A, C], backups=backups, deadline_s=20)

    report = asyncio.run(run())
    assert [slot.answered_by for slot in report.slots] == ["box/tiny", "box/small"]
