"""Whatever is asked, bill, generations, keys, credits and activity agree to the last digit."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.sim.talking import ask, fetch, with_simulator

from ultrai_sim import AccountTerms, Fault, KeyTerms, World, bill

NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC
KEYS = tuple(f"sk-or-v1-{letter * 64}" for letter in "ab")
MANAGEMENT = "sk-or-v1-" + "f" * 64
MODELS = (
    "openai/gpt-4o",
    "google/gemini-2.5-flash",
    "deepseek/deepseek-chat",
    "mistralai/mistral-small-2603",
    "google/gemma-4-31b-it:free",
)
FAULTS = ("cut", "error_mid_stream", "status", "content_filter", "empty_length", "choice_error")

requests = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "key": st.sampled_from(KEYS),
        "stream": st.booleans(),
        "max_tokens": st.integers(1, 120),
        "seed": st.integers(0, 2),
    }
)
faults = st.lists(
    st.builds(
        lambda kind, attempt: Fault(kind=kind, attempts=(attempt,)),
        st.sampled_from(FAULTS),
        st.integers(1, 6),
    ),
    max_size=3,
)


def world(struck, byok):
    return World(
        clock=lambda: NOON,
        keys=[*map(KeyTerms, KEYS), KeyTerms(MANAGEMENT, kind="management")],
        faults=struck,
        account=AccountTerms(byok=byok, byok_allowance_usd="0"),
    )


async def told(sim):
    """All that can be read of the money, once the day is over."""
    bill = (await fetch(sim, "/sim/bill")).body
    records = {
        line["generation_id"]: (
            await fetch(sim, f"/generation?id={line['generation_id']}", key=KEYS[0])
        ).body["data"]
        for line in bill["data"]
    }
    keys = [(await fetch(sim, "/key", key=key)).body["data"] for key in KEYS]
    credit = (await fetch(sim, "/credits")).body["data"]
    sim.world.advance(86_400)
    activity = (await fetch(sim, "/activity", key=MANAGEMENT)).body["data"]
    return bill, records, keys, credit, activity


@settings(max_examples=25, deadline=None)
@given(st.lists(requests, min_size=1, max_size=10), faults, st.sampled_from([(), ("OpenAI",)]))
def test_five_books_of_the_same_money_agree(asked, struck, byok):
    async def story(sim):
        answers = [await ask(sim, **one) for one in asked]
        return answers, await told(sim), sim.world.money

    answers, (bill, records, keys, credit, activity), money = with_simulator(
        world(struck, byok), story
    )
    lines = bill["data"]
    total = sum((Decimal(line["cost_usd"]) for line in lines), Decimal(0))
    assert Decimal(bill["total_usd"]) == total == money.used
    assert credit["total_usage"] == float(total)
    assert (money.held, [key.held for key in money.keys.values()]) == (0, [0, 0, 0])

    by_key, own, by_model = defaultdict(Decimal), defaultdict(Decimal), defaultdict(Decimal)
    for line in lines:
        by_key[line["key"]] += Decimal(line["cost_usd"])
        own[line["key"]] += Decimal(line["upstream_usd"] or 0)
        by_model[line["model"]] += Decimal(line["cost_usd"])
        record = records[line["generation_id"]]
        assert record["total_cost"] == float(line["cost_wire"])
        assert record["native_tokens_completion"] == line["completion_tokens"]
        assert abs(Decimal(line["cost_usd"]) - Decimal(line["cost_wire"])) < Decimal("1e-15")
    for key in keys:
        label = key["label"]
        assert key["usage"] == key["usage_daily"] == float(by_key[label])
        assert key["byok_usage"] == key["byok_usage_monthly"] == float(own[label])
    assert {row["model"]: row["usage"] for row in activity} == {
        model: float(cost) for model, cost in by_model.items()
    }
    assert sum(row["requests"] for row in activity) == len(lines)

    said = [heard for heard in answers if heard.status == 200 and heard.headers["X-Generation-Id"]]
    for heard in said:
        usage = usage_of(heard)
        if usage is not None:
            record = records[heard.headers["X-Generation-Id"]]
            assert usage["cost"] == record["total_cost"]


def usage_of(heard):
    """The usage of an answer; None where it broke off before."""
    if "event-stream" not in heard.headers["Content-Type"]:
        return heard.body.get("usage") if heard.raw and heard.broken is None else None
    return next((frame["usage"] for frame in heard.frames if frame.get("usage")), None)


def test_totals_and_activity_count_the_lines_that_are_left_out(monkeypatch):
    monkeypatch.setattr(bill, "MOST_LINES", 4)
    now = [NOON]

    async def story(sim):
        told = {"usd": Decimal(0), "model": defaultdict(Decimal)}
        for n in range(14):
            model = MODELS[n % 3]
            heard = await ask(sim, model, key=KEYS[n % 2], max_tokens=5 + n)
            assert heard.status == 200
            line = sim.world.bill[-1]
            told["usd"] += line.cost
            told["model"][model] += line.cost
            now[0] += 4 * 3600
        now[0] += 86_400
        activity = await fetch(sim, "/activity", key=MANAGEMENT)
        return told, (await fetch(sim, "/sim/bill")).body, activity.body["data"]

    billed = World(clock=lambda: now[0], keys=world([], ()).keys)
    told, body, activity = with_simulator(billed, story)
    assert len(body["data"]) == 4
    assert (body["lines"], body["lines_left_out"]) == (14, 10)
    assert Decimal(body["total_usd"]) == told["usd"]
    assert {name: Decimal(usd) for name, usd in body["by_model"].items()} == told["model"]
    for group in ("by_key", "by_day"):
        assert sum(map(Decimal, body[group].values())) == told["usd"]
    assert sum(row["requests"] for row in activity) == 14
    assert float(told["usd"]) == pytest.approx(sum(row["usage"] for row in activity))


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_cost_that_was_told_is_billed_though_the_stream_breaks_behind_it(kind):
    async def story(sim):
        await ask(sim, "openai/gpt-4o", stream=True, max_tokens=60)
        return [str(line["cost_usd"]) for line in (await fetch(sim, "/sim/bill")).body["data"]]

    refused = Fault(kind="refusal")  # its text is not among the tokens that are counted on the way
    whole = with_simulator(World(seed=3, faults=[refused]), story)
    broken = with_simulator(World(seed=3, faults=[refused, Fault(kind=kind, at="done")]), story)
    assert broken == whole
    assert float(broken[0]) > 0
