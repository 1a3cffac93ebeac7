"""The cap of a run: refused with the sum that is needed, sent along as prices, never exceeded."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from tests.contract.product.asking import A, B, C, ask, codes_of, kinds_of, opened
from tests.contract.product.upstream import (
    USAGE,
    Act,
    Upstream,
    ending,
    frame,
    refusal,
    row,
    says,
    streamed,
    whole,
)

from ultrai.domain.errors import BudgetRefusal

HELLO = frame("Hello")


def needed_for(upstream, home, **wishes):
    """The sum that the refusal of a cap of almost nothing names."""

    async def run():
        async with opened(upstream, home) as product:
            with pytest.raises(BudgetRefusal) as refused:
                await product.ask("ping", max_cost_usd="0.000000001", **wishes)
        return str(refused.value), refused.value.hint

    message, hint = asyncio.run(run())
    assert upstream.calls == []
    assert "nothing was sent" in message
    return Decimal(hint.partition("--max-cost ")[2].split(",")[0].split(" ")[0])


def test_a_cap_below_the_worst_case_is_refused_with_the_sum_and_the_sum_is_enough(tmp_path):
    upstream = Upstream()
    wishes = {"models": [A, B, C]}
    needed = needed_for(upstream, tmp_path, **wishes)
    assert needed >= 3 * 1000 * Decimal("0.000002")
    report, code = ask(upstream, tmp_path, max_cost_usd=str(needed), **wishes)
    assert code == 0
    assert Decimal(report["cost_usd"]) <= needed


def test_a_capped_request_carries_the_prices_that_it_may_cost_at_most(tmp_path):
    upstream = Upstream()
    ask(upstream, tmp_path, models=[A], max_cost_usd="1")
    cap = upstream.calls[0].body["provider"]["max_price"]
    assert Decimal(str(cap["prompt"])) == Decimal("1.25")
    assert Decimal(str(cap["completion"])) == Decimal("2.5")
    ask(upstream, tmp_path, models=[A])
    assert "provider" not in upstream.calls[1].body


def test_what_failed_attempts_may_have_cost_stays_held_and_the_cap_is_never_passed(tmp_path):
    """Every attempt of A is cut: each may have cost its bound, and the cap covers just one."""
    cut = streamed(HELLO, Act.CLOSE)
    upstream = Upstream({A: [cut], B: [cut]})
    needed = needed_for(upstream, tmp_path, models=[A], backups={A: [B]})
    report, code = ask(
        upstream, tmp_path, models=[A], backups={A: [B, C]}, max_cost_usd=str(needed)
    )
    assert upstream.asked == {A: 1}
    assert kinds_of(report["slots"][0])[-1] == "refused_by_budget"
    assert Decimal(report["cost_usd"]) <= needed
    assert code in {4, 5}


def test_refused_attempts_cost_nothing_and_leave_the_cap_for_the_backup(tmp_path):
    upstream = Upstream({A: [refusal(404, "No endpoints found")]})
    needed = needed_for(upstream, tmp_path, models=[A], backups={A: [B]})
    report, code = ask(upstream, tmp_path, models=[A], backups={A: [B]}, max_cost_usd=str(needed))
    assert (report["slots"][0]["answered_by"], code) == (B, 0)


def test_with_a_cap_an_empty_answer_is_not_raised_beyond_it(tmp_path):
    empty = streamed(frame("", reasoning="Hm"), *ending(finish="length"))
    upstream = Upstream({A: [empty]})
    needed = needed_for(upstream, tmp_path, models=[A])
    report, _ = ask(upstream, tmp_path, models=[A], max_cost_usd=str(needed))
    asked = [call.body["max_tokens"] for call in upstream.calls]
    assert max(asked) <= 4000
    spent = Decimal(report["cost_usd"])
    assert spent <= needed


def test_a_404_caused_by_the_cap_is_asked_once_more_at_the_dearest_price(tmp_path):
    funnel = {"failed_routing_step": "Filter by Max Price", "routing_funnel": []}
    upstream = Upstream({A: [refusal(404, "No endpoints found", metadata=funnel), says("paid")]})
    upstream.listed(A)
    endpoints = {
        "data": {
            "endpoints": [
                {
                    "provider_name": "Cheap",
                    "pricing": {"prompt": "0.000001", "completion": "0.000002"},
                },
                {
                    "provider_name": "Dear",
                    "pricing": {"prompt": "0.000003", "completion": "0.000009"},
                },
            ]
        }
    }
    listing = whole("200 OK", json.dumps({"data": upstream.rows}).encode())
    serve = upstream._answer

    async def answer(wire, call):
        if call.path.endswith("/endpoints"):
            upstream.lookups.append(call)
            await whole("200 OK", json.dumps(endpoints).encode())(wire, call)
        else:
            await serve(wire, call)

    upstream._answer = answer
    upstream.listing = listing
    report, code = ask(upstream, tmp_path, models=[A], max_cost_usd="1")
    first, second = (call.body["provider"]["max_price"] for call in upstream.calls)
    assert Decimal(str(second["completion"])) == 9
    assert Decimal(str(first["completion"])) < 9
    assert "price_cap_raised" in codes_of(report)
    assert code == 0


def test_many_runs_under_a_cap_are_each_within_it(tmp_path):
    dear = {**USAGE, "cost": 0.0001, "completion_tokens": 40}
    upstream = Upstream(otherwise=streamed(HELLO, *ending(dear)))

    async def run():
        async with opened(upstream, tmp_path) as product, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    product.ask("ping", models=[A, B], max_cost_usd="0.0060", max_tokens=900)
                )
                for _ in range(20)
            ]
        return [task.result() for task in tasks]

    for report in asyncio.run(run()):
        assert report.cost_nanos == 200_000
        assert report.exit_code == 0


def test_a_price_that_is_not_known_is_asked_only_by_name_and_without_a_cap(tmp_path):
    router = "acme/router"
    upstream = Upstream(rows=[row(router, pricing={"prompt": "-1", "completion": "-1"}), row(B)])
    _, code = ask(upstream, tmp_path, models=[router])
    assert (upstream.asked[router], code) == (1, 0)

    async def run():
        async with opened(upstream, tmp_path) as product:
            with pytest.raises(BudgetRefusal):
                await product.ask("ping", models=[router], max_cost_usd="1")

    asyncio.run(run())
    assert upstream.asked[router] == 1


def test_a_cost_is_the_upstreams_to_the_nearest_nanodollar_and_sums_are_exact(tmp_path):
    costs = {A: "5.500000000000001e-05", B: "0.1", C: "0.2"}
    upstream = Upstream()
    for model, cost in costs.items():
        usage = json.dumps({**USAGE, "cost": 0}).replace('"cost": 0', f'"cost": {cost}').encode()
        last = frame(finish="stop").replace(b'"choices"', b'"usage": ' + usage + b', "choices"')
        upstream.plays[model] = [streamed(HELLO, last)]
    report, _ = ask(upstream, tmp_path, models=list(costs))
    assert [slot["cost_usd"] for slot in report["slots"]] == ["0.000055", "0.1", "0.2"]
    assert report["cost_usd"] == "0.300055"
    assert report["usage"]["prompt_tokens"] == 48
    assert report["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("in_one_piece", [False, True])
@pytest.mark.parametrize("details", [{"upstream_inference_cost": 0.0015125}, None, "odd"])
def test_what_a_provider_charged_to_ones_own_key_is_told(tmp_path, in_one_piece, details):
    usage = {**USAGE, "cost": 0, "is_byok": True, "cost_details": details}
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "gen-1", "model": A, "provider": "Acme", "choices": [choice], "usage": usage}
    at_once = whole("200 OK", json.dumps(body).encode())
    play = at_once if in_one_piece else streamed(HELLO, *ending(usage))
    upstream = Upstream({A: [play]})
    report, code = ask(upstream, tmp_path, models=[A], streaming=not in_one_piece)
    assert code == 0
    assert (report["cost_usd"], report["cost_known"]) == ("0", True)
    told = [each["message"] for each in report["notices"] if each["code"] == "byok_charged"]
    if isinstance(details, dict):
        (words,) = told
        assert "its provider charged $0.0015125 to your own key (BYOK)" in words
    else:
        assert told == []
