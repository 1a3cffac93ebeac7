"""Who serves when something else was wished or something failed: holds, suffixes, the record."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, one, with_simulator

from ultrai_sim import AccountTerms, Fault, Model, World
from ultrai_sim.endpoints import endpoints_of

BOTH = "mistralai/mistral-large"
WIDE = Model(id="acme/wide", providers=("DeepInfra", "Together", "Groq", "Fireworks"))


def test_a_limit_that_is_null_leaves_the_other_one():
    heard = one(max_completion_tokens=None, max_tokens=3)
    assert heard.body["usage"]["completion_tokens"] == 3
    assert heard.body["choices"][0]["finish_reason"] == "length"


def test_without_fallbacks_only_those_that_are_named_may_serve():
    heard = one(provider={"order": ["groq", "cohere"], "allow_fallbacks": False})
    error = heard.body["error"]
    assert heard.status == 404
    assert error["metadata"]["failed_routing_step"] == "Filter by Provider Order"
    assert error["metadata"]["routing_funnel"] == [
        {"step": "Initial Endpoints", "endpoint_count": 2}
    ]
    assert error["metadata"]["requested_providers"] == ["groq", "cohere"]


def test_all_that_are_named_may_serve_and_nobody_else():
    async def story(sim):
        wishes = {"order": ["openai", "azure"], "allow_fallbacks": False}
        both = await ask(sim, provider=wishes)
        alone = await ask(sim, provider={**wishes, "order": ["openai"]})
        return both, alone

    down = Fault(kind="status", status=503, provider="OpenAI")
    both, alone = with_simulator(World(faults=[down]), story)
    assert (both.status, both.body["provider"]) == (200, "Azure")
    assert alone.status == 503


def test_fallbacks_that_are_null_are_the_usual_ones():
    down = Fault(kind="status", status=503, provider="OpenAI")
    heard = one(World(faults=[down]), provider={"allow_fallbacks": None})
    assert (heard.status, heard.body["provider"]) == (200, "Azure")


def test_what_the_dearest_provider_may_ask_is_held():
    def priced(endpoint):
        return Decimal(endpoint.pricing["completion"]) * 1000

    cheap, dear = min(map(priced, endpoints_of(WIDE))), max(map(priced, endpoints_of(WIDE)))
    assert dear > cheap * Decimal("1.05")
    credit = str((cheap + dear) / 2)

    async def story(sim):
        anyone = await ask(sim, WIDE.id, max_tokens=1000)
        one_only = await ask(
            sim,
            WIDE.id,
            max_tokens=1000,
            provider={"order": [WIDE.provider], "allow_fallbacks": False},
        )
        return anyone, one_only

    world = World(models=[WIDE], account=AccountTerms(credits_usd=credit))
    anyone, one_only = with_simulator(world, story)
    assert anyone.status == 402, "a fallback could cost more than there is"
    assert "can only afford" in anyone.body["error"]["message"]
    assert one_only.status == 200


def test_credit_is_looked_at_before_the_ways_and_nothing_stays_held():
    async def story(sim):
        broke = await ask(sim, provider={"only": ["groq"]})
        sim.world.money.bought += 1
        lost = await ask(sim, provider={"only": ["groq"]})
        return broke.status, lost.status, sim.world.money.held

    poor = World(account=AccountTerms(credits_usd="0"))
    assert with_simulator(poor, story) == (402, 404, 0)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "message": "Busy."},
        {"kind": "status", "status": 429, "message": "Slow down.", "retry_after": 5},
        {"kind": "html", "status": 502},
        {"kind": "body", "status": 502, "text": "oh no"},
    ],
)
def test_whatever_one_provider_fails_with_another_one_steps_in(fault):
    heard = one(World(faults=[Fault(**fault, provider="OpenAI")]))
    assert (heard.status, heard.body["provider"]) == (200, "Azure")


def test_the_record_of_an_answer_has_the_endpoints_of_the_models_before():
    down = [Fault(kind="status", status=502, model=MODEL), Fault(kind="status", model=BOTH)]
    down[1] = Fault(kind="status", status=503, model=BOTH, provider="Mistral")

    async def story(sim):
        heard = await ask(sim, MODEL, models=[BOTH, "openai/gpt-4o-mini"])
        told = await fetch(sim, f"/generation?id={heard.body['id']}")
        return told.body["data"]["provider_responses"]

    rows = with_simulator(World(faults=down), story)
    shown = [(row["model_permaslug"].partition("/")[0], row["status"]) for row in rows]
    assert shown[:2] == [("openai", 502), ("openai", 502)]
    assert shown[2] == ("mistralai", 503)
    assert shown[-1][1] == 200
    assert sum(status == 200 for _, status in shown) == 1


def test_the_last_refusal_tells_of_the_endpoints_and_models_before():
    down = Fault(kind="status", status=502)
    error = one(World(faults=[down]), models=["nobody/nothing", MODEL], model=BOTH).body["error"]
    codes = [each["code"] for each in error["metadata"]["previous_errors"]]
    assert codes[:2] == [502, 400]
    assert codes[2:] == [502], "the first endpoint of the last model"


def test_a_refusal_before_the_way_was_looked_for_has_nobody_elses_id():
    down = Fault(kind="status", status=502, model=MODEL)

    async def story(sim):
        routed = await ask(sim, MODEL)
        unknown = await ask(sim, MODEL, models=["nobody/nothing"])
        return routed.headers, unknown.headers

    routed, unknown = with_simulator(World(faults=[down]), story)
    assert "X-Generation-Id" in routed
    assert "X-Generation-Id" not in unknown


def test_suffixes_count_for_the_model_that_bears_them():
    prices = {endpoint.provider: endpoint.pace for endpoint in endpoints_of(WIDE)}
    fastest = max(prices, key=prices.get)
    assert fastest != WIDE.provider

    async def story(sim):
        plain = await ask(sim, WIDE.id)
        down = "nobody/nothing"
        second = await ask(sim, down, models=[f"{WIDE.id}:nitro"])
        stacked = await ask(sim, f"{WIDE.id}:nitro:online")
        again = await ask(sim, down, models=[WIDE.id])
        same_body = await ask(sim, f"{WIDE.id}:online", models=[f"{WIDE.id}:nitro"])
        return [heard.body["provider"] for heard in (plain, second, stacked, again)], same_body

    providers, same_body = with_simulator(World(models=[WIDE]), story)
    assert providers == [WIDE.provider, fastest, fastest, WIDE.provider]
    assert same_body.body["usage"]["cost_details"]["upstream_inference_cost"] > 0


def test_the_web_is_searched_for_the_model_that_asks_for_it():
    async def story(sim):
        online = f"{WIDE.id}:online"
        heard = [
            (await ask(sim, model, models=[other])).body["usage"]["cost"]
            for model, other in (("nobody/nothing", online), (online, WIDE.id))
        ]
        down = [Fault(kind="status", status=503, model=WIDE.id, attempts=(3,))]
        sim.world.set_faults(down)
        for _ in range(2):
            await ask(sim, WIDE.id)
        heard.append((await ask(sim, online, models=[WIDE.id])).body["usage"]["cost"])
        return heard

    second, first, neither = with_simulator(World(models=[WIDE]), story)
    assert min(second, first) > 0.004
    assert neither < 0.004, "the model that answered was asked without"
