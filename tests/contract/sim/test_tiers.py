"""Service tiers and audio: who serves, at which price, and what the books say."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from tests.contract.sim.talking import ask, fetch, one, with_simulator

from ultrai_sim import AccountTerms, Fault, Model, World
from ultrai_sim.intake import Intake, cache_discount, prompt_parts

PRICING = {"prompt": "0.000002", "completion": "0.000008", "web_search": "0.01"}


def made(*providers, **settings):
    model = Model(id="acme/one", name="One", pricing=PRICING, providers=providers)
    return World(models=[model], account=AccountTerms(**settings))


def asked(world, tier, **fields):
    """Answer, cost as billed, and the record of one request in a tier."""

    async def story(sim):
        heard = await ask(sim, "acme/one", service_tier=tier, max_tokens=40, **fields)
        record = await fetch(sim, f"/generation?id={heard.headers['X-Generation-Id']}")
        return heard, world.bill[-1].cost, record.body["data"]

    return with_simulator(world, story)


@pytest.mark.parametrize(
    ("tier", "served", "factor"),
    [
        (None, "default", 1),
        ("auto", "default", 1),
        ("default", "default", 1),
        ("scale", "default", 1),
        ("flex", "flex", Decimal("0.5")),
        ("priority", "priority", 2),
        ("fast", "priority", 2),
        ("ultrafast", "priority", 2),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_tier_that_served_is_named_and_billed(tier, served, factor, stream):
    heard, cost, record = asked(made("OpenAI"), tier, stream=stream)
    plain = asked(made("OpenAI"), None, stream=stream)[1]
    told = heard.frames[-1] if stream else heard.body
    assert told["service_tier"] == record["service_tier"] == served
    assert cost == plain * factor > 0
    assert told["usage"]["cost"] == record["total_cost"] == pytest.approx(float(cost))


def test_what_tiers_cost_is_configured():
    world = made("OpenAI", flex_price="0.25", priority_price="3.5")
    plain, flex, priority = (asked(world, tier)[1] for tier in (None, "flex", "priority"))
    assert (flex, priority) == (plain / 4, plain * Decimal("3.5"))


def test_flex_is_served_by_those_that_have_it_and_never_by_another():
    world = made("DeepInfra", "OpenAI", "Azure")
    heard, _, record = asked(world, "flex")
    assert (heard.body["provider"], record["service_tier"]) == ("OpenAI", "flex")
    broken = made("DeepInfra", "OpenAI", "Azure")
    broken.faults = [Fault(kind="status", status=503, provider="OpenAI")]
    broken.reset()
    refused = with_simulator(broken, lambda sim: ask(sim, "acme/one", service_tier="flex"))
    assert refused.status == 503


def test_priority_comes_first_and_the_default_after_it():
    world = made("DeepInfra", "OpenAI", "Azure")
    world.faults = [Fault(kind="status", status=503, provider="OpenAI", attempts=(2,))]
    world.reset()

    async def story(sim):
        return [await ask(sim, "acme/one", service_tier="priority") for _ in range(2)]

    first, second = with_simulator(world, story)
    assert (first.body["provider"], first.body["service_tier"]) == ("OpenAI", "priority")
    assert (second.body["provider"], second.body["service_tier"]) == ("DeepInfra", None)
    each = [heard.body["usage"]["cost_details"] for heard in (first, second)]
    tokens = [heard.body["usage"]["completion_tokens"] for heard in (first, second)]
    paid = [
        details["upstream_inference_completions_cost"] / count
        for details, count in zip(each, tokens, strict=True)
    ]
    assert paid == [pytest.approx(0.00002), pytest.approx(0.000008)]


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_without_an_endpoint_of_the_tier_the_default_serves_at_its_price(tier):
    heard, cost, _ = asked(made("DeepInfra"), tier)
    assert heard.body["service_tier"] is None
    assert cost == asked(made("DeepInfra"), None)[1]


@pytest.mark.parametrize("tier", ["slow", 5, ["flex"]])
def test_a_tier_that_is_none_is_refused(tier):
    refused = one(service_tier=tier)
    assert refused.status == 400
    assert refused.body["error"]["message"].startswith("service_tier: Invalid option: expected")


def test_the_worst_case_is_held_at_the_price_of_the_tier():
    async def story(sim):
        fields = {"model": "acme/one", "max_tokens": 1000}
        return [(await ask(sim, service_tier=tier, **fields)).status for tier in ("priority", None)]

    assert with_simulator(made("OpenAI", credits_usd="0.01"), story) == [402, 200]


# --- audio -----------------------------------------------------------------------------------

HEARD = {"prompt": "0.000001", "completion": "0.000002", "audio": "0.000004"}


def test_what_a_model_hears_is_paid_at_the_price_of_hearing():
    model = Model(id="acme/ear", name="Ear", pricing=HEARD, inputs=("text", "audio"))
    data = base64.b64encode(bytes(60_000)).decode()
    content = [
        {"type": "text", "text": "What do you hear?"},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
    ]
    world = World(models=[model])
    heard = one(world, "acme/ear", messages=[{"role": "user", "content": content}], max_tokens=9)
    usage = heard.body["usage"]
    audio = usage["prompt_tokens_details"]["audio_tokens"]
    assert 0 < audio < usage["prompt_tokens"]
    expected = (
        (usage["prompt_tokens"] - audio) * Decimal("0.000001")
        + audio * Decimal("0.000004")
        + usage["completion_tokens"] * Decimal("0.000002")
    )
    assert world.bill[0].cost == expected
    assert usage["cost"] == pytest.approx(float(expected), abs=1e-15)


def paid(prices, **intake):
    return sum(price * tokens for price, tokens in prompt_parts(prices, Intake(**intake)))


def test_audio_without_a_price_of_its_own_is_paid_like_text():
    assert paid(PRICING, tokens=100, audio=40) == paid(PRICING, tokens=100)


def test_cached_audio_has_a_price_of_its_own_and_every_token_is_paid_once():
    prices = {"prompt": "1", "audio": "10", "input_cache_read": "0.1", "input_audio_cache": "0.5"}
    assert paid(prices, tokens=100, audio=40) == 60 + 400
    # All but ten tokens were cached; thirty of what was heard are among them.
    assert paid(prices, tokens=100, audio=40, cached=90) == 100 + 60 * Decimal("0.1") + 15
    del prices["input_audio_cache"]
    assert paid(prices, tokens=100, audio=40, cached=90) == 100 + 90 * Decimal("0.1")
    assert cache_discount(prices, Intake(100, audio=40, cached=90)) == 460 - 109


def test_the_catalogue_names_prices_that_are_used():
    priced = [model for model in World().listing.listed() if "audio" in model.pricing]
    assert priced
    for model in priced:
        dear = paid(model.pricing, tokens=100, audio=100)
        assert dear == Decimal(model.pricing["audio"]) * 100
