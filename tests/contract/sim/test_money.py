from __future__ import annotations

import asyncio
from decimal import Decimal

import aiohttp
import pytest
from tests.contract.sim.talking import PROMPT, ask, fetch, quiet, with_simulator

from ultrai_sim import AccountTerms, Fault, KeyTerms, Latency, World

FREE = "google/gemma-4-31b-it:free"
NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC


class Hands:
    """A clock that a test turns."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def test_free_models_start_twenty_times_in_any_minute():
    clock = Hands(NOON)

    async def story(sim):
        statuses = [(await ask(sim, FREE)).status for _ in range(20)]
        refused = await ask(sim, FREE)
        clock.now += 61
        return statuses, refused, (await ask(sim, FREE)).status

    statuses, refused, later = with_simulator(World(clock=clock), story)
    assert set(statuses) == {200}
    assert refused.status == 429
    assert refused.body["error"]["message"] == "Rate limit exceeded: free-models-per-min."
    assert refused.headers["X-RateLimit-Reset"] == str(int((NOON + 60) * 1000))
    assert later == 200


def test_the_daily_count_is_one_for_all_free_models_and_ends_at_midnight_utc():
    clock = Hands(NOON)
    world = World(clock=clock, account=AccountTerms(free_daily_limit=2))

    async def story(sim):
        await ask(sim, FREE)
        await ask(sim, "liquid/lfm-2.5-2.6b:free")
        refused = await ask(sim, FREE)
        shown = (await fetch(sim, "/key")).body["data"]["free_model_daily_requests"]
        clock.now += 12 * 3600
        return refused, shown, (await ask(sim, FREE)).status

    refused, shown, later = with_simulator(world, story)
    assert refused.status == 429
    assert refused.headers["X-RateLimit-Reset"] == str(int((NOON + 12 * 3600) * 1000))
    assert refused.body["error"]["metadata"]["limit_source"] == "openrouter_free_tier_daily"
    assert shown == {"used": 2, "limit": 2, "remaining": 0}
    assert later == 200


@pytest.mark.parametrize(("credit", "quota"), [("5", 50), ("10", 1000)])
def test_the_daily_quota_follows_the_credits_ever_bought(credit, quota):
    world = World(account=AccountTerms(credits_usd=credit))
    body = with_simulator(world, lambda sim: fetch(sim, "/key")).body
    assert body["data"]["free_model_daily_requests"]["limit"] == quota


def test_an_empty_account_is_refused_except_for_free_models():
    world = World(account=AccountTerms(credits_usd="0"))

    async def story(sim):
        return (await ask(sim)), (await ask(sim, FREE)).status

    refused, free = with_simulator(world, story)
    assert refused.status == 402
    assert refused.body["error"]["message"].startswith("Insufficient credits.")
    assert free == 200


def test_a_request_dearer_than_the_balance_learns_what_it_could_afford():
    world = World(account=AccountTerms(credits_usd="0.001"))

    async def story(sim):
        refused = await ask(sim, max_tokens=1000)
        affordable = int(
            refused.body["error"]["message"].partition("only afford ")[2].split(".")[0]
        )
        return refused.status, affordable, (await ask(sim, max_tokens=affordable)).status

    status, affordable, then = with_simulator(world, story)
    assert (status, then) == (402, 200)
    assert 50 < affordable < 100


def test_requests_in_flight_hold_their_worst_case():
    world = World(account=AccountTerms(credits_usd="0.015"), latency=Latency(head_s=0.2))

    async def story(sim):
        first, second = await asyncio.gather(*(ask(sim, max_tokens=1000) for _ in range(2)))
        return sorted([first, second], key=lambda heard: heard.status)

    served, refused = with_simulator(world, story)
    assert (served.status, refused.status) == (200, 402)
    assert refused.headers["Retry-After"] == "1"


def test_a_key_has_its_own_ceiling():
    world = World(keys=[KeyTerms("sk-or-v1-small", limit_usd="0.0001", limit_reset="daily")])

    async def story(sim):
        served = await ask(sim, max_tokens=5, provider={"only": ["openai"]})
        shown = (await fetch(sim, "/key")).body["data"]
        return served, (await ask(sim, max_tokens=5, provider={"only": ["openai"]})), shown

    served, refused, shown = with_simulator(world, story)
    assert (served.status, refused.status) == (200, 403)
    assert "Key limit exceeded (daily limit)" in refused.body["error"]["message"]
    assert shown["limit"] == 0.0001
    assert shown["limit_remaining"] == pytest.approx(0.0001 - served.body["usage"]["cost"])


def test_the_bill_agrees_with_what_the_answers_said():
    async def story(sim):
        costs = []
        for model in ("openai/gpt-4o", "deepseek/deepseek-chat", "mistralai/mistral-small-2603"):
            plain = (await ask(sim, model)).body["usage"]["cost"]
            streamed = (await ask(sim, model, stream=True)).frames[-1]["usage"]["cost"]
            costs += [plain, streamed]
        bill = (await fetch(sim, "/sim/bill")).body
        spent = (await fetch(sim, "/credits")).body["data"]["total_usage"]
        return costs, bill, spent

    costs, bill, spent = with_simulator(None, story)
    assert [float(line["cost_wire"]) for line in bill["data"]] == costs
    for line, cost in zip(bill["data"], costs, strict=True):
        assert abs(Decimal(line["cost_usd"]) - Decimal(str(cost))) < Decimal("1e-12")
    assert float(bill["total_usd"]) == spent


def test_generation_tells_a_cost_after_its_lag():
    clock = Hands(NOON)

    async def story(sim):
        heard = await ask(sim)
        path = f"/generation?id={heard.body['id']}"
        early = await fetch(sim, path)
        clock.now += 3
        return heard.body, early, (await fetch(sim, path)).body["data"]

    body, early, late = with_simulator(World(clock=clock, generation_lag_s=2), story)
    assert early.status == 404
    assert early.body["error"]["message"] == f"Generation {body['id']} not found"
    assert late["total_cost"] == body["usage"]["cost"]
    assert late["native_tokens_completion"] == body["usage"]["completion_tokens"]
    assert (late["cancelled"], late["streamed"]) == (False, False)


@pytest.mark.parametrize(
    ("model", "stops"), [("openai/gpt-4o", True), ("google/gemini-2.5-flash", False)]
)
def test_leaving_a_stream_stops_the_bill_only_at_some_providers(model, stops):
    world = World(faults=[Fault(kind="stall_mid_text", after=4)])

    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}"}
        body = {
            "model": model,
            "stream": True,
            "messages": [{"role": "user", "content": PROMPT}],
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{sim.base_url}/chat/completions", headers=headers, json=body
            ) as response,
        ):
            received = b""
            while received.count(b'"delta"') < 4:
                received += await response.content.readany()
            response.close()
        await quiet(sim)
        line = sim.world.bill[0]
        sim.world.set_faults([])
        full = (await ask(sim, model)).body["usage"]["completion_tokens"]
        told = (await fetch(sim, f"/generation?id={line.generation_id}")).body["data"]
        return line, full, told

    line, full, told = with_simulator(world, story)
    assert line.cancelled
    assert told["cancelled"]
    assert (line.completion_tokens < full) is stops
    assert told["native_tokens_completion"] == line.completion_tokens


def test_errors_are_not_billed():
    world = World(
        faults=[Fault(kind="error_mid_stream", attempts=(1,)), Fault(kind="status", attempts=(2,))]
    )

    async def story(sim):
        await ask(sim, stream=True)
        await ask(sim, stream=True)
        return [(line.billed, line.cost_usd) for line in sim.world.bill]

    assert with_simulator(world, story) == [(False, "0")]
