"""The catalogue: missing, stale, and what it says of ids that are written wrongly or retired."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.contract.product.asking import A, B, ask, codes_of, opened, settings_for
from tests.contract.product.upstream import (
    Upstream,
    ending,
    frame,
    refusal,
    row,
    running,
    says,
    streamed,
    whole,
)

import ultrai
from ultrai.domain.errors import BudgetRefusal, UsageError

NO_LISTING = {
    "404": refusal(404, "Not found"),
    "500": refusal(500, "broken"),
    "HTML": whole("200 OK", b"<html></html>", kind="text/html"),
    "empty": whole("200 OK", b'{"data": []}'),
    "no JSON": whole("200 OK", b"{"),
    "data is no list": whole("200 OK", b'{"data": {"a": 1}}'),
}


@pytest.mark.parametrize("name", NO_LISTING)
def test_without_a_catalogue_ids_are_asked_as_they_stand_with_a_notice(name, tmp_path):
    upstream = Upstream(listing=NO_LISTING[name])
    report, code = ask(upstream, tmp_path, models=["who/knows"], backups={"who/knows": [B]})
    assert upstream.asked == {"who/knows": 1}
    assert "catalogue_missing" in codes_of(report)
    assert (report["slots"][0]["answered_by"], code) == ("who/knows", 0)
    assert report["slots"][0]["cost_state"] == "reported"


def test_without_a_catalogue_a_cap_cannot_be_kept(tmp_path):
    upstream = Upstream(listing=NO_LISTING["404"])

    async def run():
        async with opened(upstream, tmp_path) as product:
            with pytest.raises(BudgetRefusal, match="nothing was sent"):
                await product.ask("ping", models=[A], max_cost_usd="5")

    asyncio.run(run())
    assert upstream.calls == []


def test_a_cost_that_nobody_can_estimate_is_null_and_not_nothing(tmp_path):
    upstream = Upstream({A: [streamed(frame("hi"), *ending(None))]}, listing=NO_LISTING["404"])
    report, code = ask(upstream, tmp_path, models=[A])
    assert report["slots"][0]["cost_usd"] is None
    assert report["slots"][0]["cost_state"] in {"estimated", "unknown_billed"}
    assert (report["cost_usd"], report["cost_known"], code) == (None, False, 0)


class Later:
    """A clock that can be put forward."""

    def __init__(self):
        self.ahead = timedelta()

    def now(self):
        return datetime.now(UTC) + self.ahead


def test_a_stale_catalogue_is_served_when_the_upstreams_own_dies(tmp_path):
    upstream = Upstream(rows=[row(A)])
    clock = Later()

    async def run():
        async with running(upstream):
            settings = settings_for(upstream, tmp_path)
            async with ultrai.open(settings, clock=clock) as product:
                first = await product.ask("ping", models=[A], max_cost_usd="1")
            upstream.listing = NO_LISTING["500"]
            clock.ahead = timedelta(days=3)
            async with ultrai.open(settings, clock=clock) as product:
                second = await product.ask("ping", models=[A], max_cost_usd="1")
        return first.to_dict(), second.to_dict()

    first, second = asyncio.run(run())
    assert codes_of(first) == []
    assert codes_of(second) == ["catalogue_stale"]
    assert second["status"] == "complete"


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("openai/gpt-4p", "openai/gpt-4o"), ("acme/modal-a", A), ("gpt-4o", "openai/gpt-4o")],
)
def test_an_unknown_id_is_refused_with_the_nearest_ones(written, nearest, tmp_path):
    upstream = Upstream()
    upstream.listed(A, B, "openai/gpt-4o")

    async def run():
        async with opened(upstream, tmp_path) as product:
            with pytest.raises(UsageError) as refused:
                await product.ask("ping", models=[written])
        return refused.value

    error = asyncio.run(run())
    assert nearest in f"{error} {error.hint}"
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("xai/grok-9", "x-ai/grok-9"),
        ("meta/llama-9", "meta-llama/llama-9"),
        ("mistralai/mixtral-8x7b", "mistralai/mixtral-8x7b-instruct"),
    ],
)
def test_a_correction_is_made_and_noted(written, meant, tmp_path):
    upstream = Upstream()
    upstream.listed(meant)
    report, code = ask(upstream, tmp_path, models=[written])
    assert upstream.asked == {meant: 1}
    assert "model_corrected" in codes_of(report)
    assert report["slots"][0]["primary"] == meant
    assert code == 0


def test_a_retired_model_is_succeeded_with_a_notice(tmp_path):
    upstream = Upstream()
    upstream.listed("x-ai/grok-4.7", "x-ai/grok-4.5", "x-ai/grok-4.3")
    report, code = ask(upstream, tmp_path, models=["x-ai/grok-4"])
    slot = report["slots"][0]
    assert "model_superseded" in codes_of(report)
    assert slot["primary"] == "x-ai/grok-4"
    assert slot["answered_by"].startswith("x-ai/grok-4.")
    assert slot["fallback"] is False
    assert code == 0


def test_a_listed_model_is_not_succeeded(tmp_path):
    upstream = Upstream()
    upstream.listed("x-ai/grok-4.7", "x-ai/grok-4")
    report, _ = ask(upstream, tmp_path, models=["x-ai/grok-4"])
    assert upstream.asked == {"x-ai/grok-4": 1}
    assert codes_of(report) == []


def test_one_id_may_be_asked_three_times(tmp_path):
    upstream = Upstream()
    report, code = ask(upstream, tmp_path, models=[f"{A}*3"])
    assert upstream.asked == {A: 3}
    assert [slot["primary"] for slot in report["slots"]] == [A] * 3
    assert (report["cocktail"], code) == (None, 0)


def test_parameters_that_a_model_lacks_are_dropped_with_a_notice(tmp_path):
    upstream = Upstream(rows=[row(A, supported_parameters=["max_tokens"])])
    report, _ = ask(upstream, tmp_path, models=[A], temperature=0.3, seed=1)
    assert not {"temperature", "seed"} & upstream.calls[0].body.keys()
    assert "parameter_dropped" in codes_of(report)


def test_a_model_that_reasons_gets_headroom_with_a_notice(tmp_path):
    upstream = Upstream(rows=[row(A, reasoning={"mandatory": True, "default_enabled": True})])
    report, _ = ask(upstream, tmp_path, models=[A], max_tokens=500)
    assert upstream.calls[0].body["max_tokens"] == 4500
    assert "reasoning_headroom" in codes_of(report)


def test_an_odd_catalogue_is_read_as_far_as_it_goes(tmp_path):
    odd = [
        row(
            A,
            context_length=None,
            top_provider=None,
            architecture=None,
            pricing={"prompt": "1e-7", "completion": "2E-7"},
        ),
        row("", name=None),
        {"id": 7},
        None,
        "x",
        row(B, pricing=None, supported_parameters="all", expiration_date="soon", reasoning=[]),
        row("acme/old", expiration_date="2020-01-01"),
    ]
    upstream = Upstream(listing=whole("200 OK", json.dumps({"data": odd, "x": 1}).encode()))
    report, code = ask(upstream, tmp_path, models=[A, B])
    assert (upstream.asked, code) == ({A: 1, B: 1}, 0)
    assert "catalogue_missing" not in codes_of(report)


def test_the_five_slots_of_a_cocktail_of_one_second_each_finish_together(tmp_path):
    """On a machine that others load too, one quick run of three shows that it can be done."""
    ids = ["openai/gpt-4o-mini", "x-ai/grok-4-fast", "anthropic/claude-3-haiku"]
    ids += ["mistralai/mistral-small", "deepseek/deepseek-chat"]
    for number in range(3):
        upstream = Upstream(otherwise=says("pong", after_s=1.0))
        upstream.listed(*ids)
        report, code = ask(upstream, tmp_path / str(number), cocktail="SPEEDY")
        assert upstream.asked == dict.fromkeys(ids, 1)
        assert upstream.most_at_once == 5
        assert (report["cocktail"], code) == ("SPEEDY", 0)
        assert report["elapsed_ms"] >= 1000
        if report["elapsed_ms"] < 1600:
            return
    pytest.fail(f"five slots of one second each took {report['elapsed_ms']} ms")
