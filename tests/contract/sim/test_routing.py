"""Who serves: preferences, the funnel of a refusal, the next endpoint and the next model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, one, with_simulator

from ultrai_sim import Fault, Model, World
from ultrai_sim.catalogue import load_catalogue
from ultrai_sim.endpoints import endpoints_of

BOTH = "mistralai/mistral-large"


def served_by(**provider):
    return one(provider=provider).body.get("provider")


def test_wishes_order_and_choose_providers():
    assert served_by() == "OpenAI"
    assert served_by(order=["azure"]) == "Azure"
    assert served_by(order=["groq", "azure"]) == "Azure"
    assert served_by(only=["azure"]) == "Azure"
    assert served_by(ignore=["openai"]) == "Azure"
    assert served_by(sort="price") == "OpenAI", "the first one is the cheapest"


def test_what_a_dearer_provider_asks_is_what_is_billed():
    first, second = one(max_tokens=50), one(provider={"only": ["azure"]}, max_tokens=50)

    async def listed(sim):
        rows = (await fetch(sim, f"/models/{MODEL}/endpoints")).body["data"]["endpoints"]
        return [float(row["pricing"]["completion"]) for row in rows]

    cheap, dear = with_simulator(None, listed)
    assert dear > cheap
    costs = [
        heard.body["usage"]["cost_details"]["upstream_inference_completions_cost"]
        / heard.body["usage"]["completion_tokens"]
        for heard in (first, second)
    ]
    assert costs == [pytest.approx(cheap), pytest.approx(dear)]


@pytest.mark.parametrize(
    ("fields", "step", "words"),
    [
        (
            {"provider": {"max_price": {"completion": "0.01"}}},
            "Filter by Max Price",
            "No endpoints found that satisfy the max price for this request",
        ),
        (
            {"provider": {"only": ["groq"]}},
            "Filter by Allowed Providers",
            "permits only: groq.",
        ),
        (
            {"provider": {"ignore": ["openai", "azure"]}},
            "Filter by Ignored Providers",
            "All providers have been ignored.",
        ),
        (
            {"model": "cohere/north-mini-code:free", "provider": {"data_collection": "deny"}},
            "Filter by Data Policy",
            "Free model training",
        ),
        (
            {"provider": {"require_parameters": True}, "top_a": 0.5},
            "Filter by Parameters",
            "No endpoints found that can handle the requested parameters.",
        ),
        (
            {"provider": {"quantizations": ["int4"]}},
            "Filter by Quantization",
            "requested quantizations: int4",
        ),
    ],
)
def test_a_refusal_names_the_step_and_what_was_left(fields, step, words):
    heard = one(**fields)
    error = heard.body["error"]
    assert (heard.status, error["metadata"]["failed_routing_step"]) == (404, step)
    assert words in error["message"]
    funnel = error["metadata"]["routing_funnel"]
    assert funnel[0]["step"] == "Initial Endpoints"
    assert funnel[0]["endpoint_count"] >= 1


def test_the_funnel_lists_the_steps_that_took_some_away():
    wishes = {"ignore": ["azure"], "max_price": {"prompt": 0.001}}
    funnel = one(provider=wishes).body["error"]["metadata"]["routing_funnel"]
    assert funnel == [
        {"step": "Initial Endpoints", "endpoint_count": 2},
        {"step": "Filter by Ignored Providers", "endpoint_count": 1},
    ]


def test_tools_and_images_need_a_model_that_takes_them():
    plain = Model(id="acme/plain", name="Plain", canonical="acme/plain")
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {}}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}

    async def story(sim):
        tools = await ask(sim, "acme/plain", tools=[tool])
        images = await ask(sim, "acme/plain", messages=[{"role": "user", "content": [image]}])
        return tools.body["error"]["message"], images.body["error"]["message"]

    tools, images = with_simulator(World(models=[plain]), story)
    assert tools.startswith(
        'No endpoints found that support tool use. Try disabling "look_up". To learn more'
    )
    assert images == "No endpoints found that support image input"


@pytest.mark.parametrize(
    "wishes",
    [
        "openai",
        {"order": "openai"},
        {"only": [1]},
        {"allow_fallbacks": "no"},
        {"data_collection": "never"},
        {"sort": "beauty"},
        {"max_price": 3},
        {"max_price": {"prompt": "cheap"}},
    ],
)
def test_wishes_that_are_none_are_refused(wishes):
    heard = one(provider=wishes)
    assert heard.status == 400
    assert "provider" in heard.body["error"]["message"]


def test_another_provider_steps_in_and_the_record_says_so():
    world = World(faults=[Fault(kind="status", status=503, message="busy", provider="OpenAI")])
    world.faults = [Fault(kind="status", status=502, provider="OpenAI")]
    world.reset()

    async def story(sim):
        heard = await ask(sim)
        told = await fetch(sim, f"/generation?id={heard.body['id']}")
        return heard, told.body["data"]["provider_responses"]

    heard, responses = with_simulator(world, story)
    assert (heard.status, heard.body["provider"]) == (200, "Azure")
    assert [(r["provider_name"], r["status"]) for r in responses] == [
        ("OpenAI", 502),
        ("Azure", 200),
    ]


def test_without_fallbacks_the_first_error_is_the_answer():
    world = World(faults=[Fault(kind="status", status=502, provider="OpenAI")])

    async def story(sim):
        return await ask(sim, provider={"allow_fallbacks": False})

    heard = with_simulator(world, story)
    assert heard.status == 502
    assert "previous_errors" not in heard.body["error"]["metadata"]


@pytest.mark.parametrize("kind", ["credits_402", "moderation_403", "context_400", "in_flight_402"])
def test_what_openrouter_itself_refuses_no_other_provider_helps(kind):
    assert one(World(faults=[Fault(kind=kind, provider="OpenAI")])).status >= 400


def test_models_are_tried_in_turn():
    world = World(faults=[Fault(kind="status", status=503, model=MODEL)])

    async def story(sim):
        heard = await ask(sim, MODEL, models=[BOTH, "openai/gpt-4o-mini"])
        return heard.body["model"], sim.world.bill[-1].model

    model, billed = with_simulator(world, story)
    assert model.startswith(BOTH)
    assert billed == BOTH


def test_any_error_leads_to_the_next_model_and_the_last_one_tells_of_all():
    world = World(faults=[Fault(kind="status", status=503, model=BOTH)])

    async def story(sim):
        return await ask(sim, "nobody/nothing", models=["x-ai/grok-4", BOTH])

    error = with_simulator(world, story).body["error"]
    assert error["code"] == 503
    assert [each["code"] for each in error["metadata"]["previous_errors"]] == [400, 404]


def test_more_than_three_models_are_too_many():
    heard = one(models=["a/a", "b/b", "c/c", "d/d"])
    assert heard.status == 400
    assert heard.body["error"]["message"] == "'models' array must have 3 items or fewer."


def test_endpoints_that_keep_nothing_are_listed():
    async def story(sim):
        return (await fetch(sim, "/endpoints/zdr", key=None)).body["data"]

    rows = with_simulator(None, story)
    assert rows
    chosen = next(row for row in rows if row["model_id"].startswith("openai/"))
    heard = one(model=chosen["model_id"], provider={"zdr": True})
    assert heard.body["provider"] == chosen["provider_name"]


def test_endpoints_are_worked_out_once_for_each_row():
    row = load_catalogue("today").models["openai/gpt-4o"]
    dearer = replace(row, pricing={**row.pricing, "prompt": "1"})
    assert endpoints_of(row) is endpoints_of(row)
    assert endpoints_of(dearer)[0].usd_per_million("prompt") == 1_000_000
    assert endpoints_of(row)[0].usd_per_million("prompt") < 1_000
