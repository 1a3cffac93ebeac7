"""What a chat may not say, and the wishes that go by percentile, by model and by window."""

from __future__ import annotations

import json

import pytest
from tests.contract.sim.talking import MODEL, ask, fetch, one, with_simulator

from ultrai_sim import Model, World
from ultrai_sim.endpoints import endpoints_of
from ultrai_sim.real_catalogue import read_listing

WIDE = Model(id="acme/wide", providers=("DeepInfra", "Together", "Groq", "Fireworks"))
OTHER = Model(id="acme/other", providers=("Novita", "Friendli"))
GHOST = "nobody/nothing"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": 2.1}, "temperature: Number must be less than or equal to 2"),
        ({"temperature": -0.1}, "temperature: Number must be greater than or equal to 0"),
        ({"temperature": "hot"}, "temperature: Invalid input: expected number"),
        ({"temperature": True}, "temperature: Invalid input: expected number"),
        ({"temperature": [1]}, "temperature: Invalid input: expected number"),
        ({"top_p": 1.5}, "top_p: Number must be less than or equal to 1"),
        ({"presence_penalty": -3}, "presence_penalty: Number must be greater"),
        ({"top_logprobs": 21}, "top_logprobs: Number must be less"),
        ({"messages": [{"role": "wizard", "content": "Hi."}]}, "messages.0.role: Invalid input"),
        ({"messages": [{"content": "Hi."}]}, "messages.0.role: Invalid input: expected one of"),
        ({"messages": [{"role": ["user"], "content": "Hi."}]}, "messages.0.role"),
        (
            {"messages": [{"role": "user", "content": "Hi."}, "Hi."]},
            "messages.1: Invalid input: expected object",
        ),
    ],
)
def test_what_no_schema_allows_is_refused(fields, said):
    heard = one(**fields)
    assert heard.status == 400
    assert heard.body["error"]["message"].startswith(said)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0},
        {"temperature": 2.0},
        {"temperature": None, "top_p": None},
        {"unheard_of": "anything"},
        {
            "messages": [
                {"role": role, "content": "Hi."}
                for role in ("system", "developer", "user", "assistant", "tool")
            ]
        },
    ],
)
def test_what_the_schema_allows_is_answered(fields):
    assert one(**fields).status == 200


# --- preferences --------------------------------------------------------------------------------


def served(provider, world=None):
    heard = one(world or World(models=[WIDE]), WIDE.id, provider=provider)
    return heard.body.get("provider")


@pytest.mark.parametrize("percentile", ["p50", "p75", "p90", "p99"])
def test_a_latency_is_preferred_by_percentile(percentile):
    endpoints = endpoints_of(WIDE)
    quickest = min(endpoints, key=lambda e: e.first_ms)
    assert quickest is not endpoints[0]
    limit = quickest.latencies_ms[percentile] / 1000
    assert served({"preferred_max_latency": {percentile: limit}}) == quickest.provider
    assert served({"preferred_max_latency": {percentile: limit * 100}}) == WIDE.provider
    assert served({"preferred_max_latency": {percentile: limit / 100}}) == WIDE.provider


@pytest.mark.parametrize("percentile", ["p50", "p99"])
def test_a_throughput_is_preferred_by_percentile(percentile):
    endpoints = endpoints_of(WIDE)
    fastest = max(endpoints, key=lambda e: e.pace)
    assert fastest is not endpoints[0]
    limit = fastest.throughputs[percentile]
    assert served({"preferred_min_throughput": {percentile: limit}}) == fastest.provider
    assert served({"preferred_min_throughput": {percentile: limit * 100}}) == WIDE.provider


def test_of_several_percentiles_all_have_to_hold():
    quickest = min(endpoints_of(WIDE), key=lambda e: e.first_ms)
    kept = {name: value / 1000 for name, value in quickest.latencies_ms.items()}
    assert served({"preferred_max_latency": kept}) == quickest.provider
    assert served({"preferred_max_latency": {**kept, "p99": 0}}) == WIDE.provider
    assert served({"preferred_max_latency": {**kept, "p99": None}}) == quickest.provider


def test_what_is_preferred_is_what_the_endpoints_list():
    async def story(sim):
        return (await fetch(sim, f"/models/{WIDE.id}/endpoints")).body["data"]["endpoints"]

    rows = with_simulator(World(models=[WIDE]), story)
    for row, endpoint in zip(rows, endpoints_of(WIDE), strict=True):
        assert row["latency_last_30m"] == endpoint.latencies_ms
        assert row["throughput_last_30m"] == endpoint.throughputs


@pytest.mark.parametrize(
    "wishes",
    [
        {"preferred_max_latency": {"p42": 1}},
        {"preferred_max_latency": "soon"},
        {"preferred_max_latency": {"p50": "soon"}},
        {"preferred_min_throughput": [1]},
        {"preferred_min_throughput": -1},
        {"sort": {"by": "price", "partition": "some"}},
        {"sort": {"by": ["price"]}},
        {"sort": ["price"]},
    ],
)
def test_preferences_that_are_none_are_refused(wishes):
    heard = one(provider=wishes)
    assert heard.status == 400
    assert "provider." in heard.body["error"]["message"]


# --- several models -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "best"),
    [
        ("latency", lambda model: min(e.first_ms for e in endpoints_of(model))),
        ("throughput", lambda model: -max(e.pace for e in endpoints_of(model))),
    ],
)
def test_without_a_partition_the_models_are_sorted_too(by, best):
    first, last = sorted([WIDE, OTHER], key=best)

    async def story(sim):
        heard = []
        for partition in ("none", "model", None):
            wishes = {"sort": {"by": by, "partition": partition}}
            heard.append(await ask(sim, last.id, models=[first.id], provider=wishes))
        return [each.body["model"] for each in heard]

    assert with_simulator(World(models=[WIDE, OTHER]), story) == [first.id, last.id, last.id]


def test_models_that_nobody_knows_come_last():
    wishes = {"sort": {"by": "price", "partition": "none"}}

    async def story(sim):
        heard = await ask(sim, GHOST, models=[WIDE.id], provider=wishes)
        return heard.body["model"], [seen.attempt for seen in sim.world.requests]

    assert with_simulator(World(models=[WIDE]), story) == (WIDE.id, [1])
    ghosts = one(provider=wishes, model=GHOST, models=["nobody/else"])
    assert (ghosts.status, ghosts.body["error"]["code"]) == (400, 400)


# --- the window of the provider that serves first -----------------------------------------------


def row(**top):
    return {
        "id": "real/row",
        "context_length": 200_000,
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        "top_provider": {"max_completion_tokens": 10, "is_moderated": False, **top},
    }


@pytest.mark.parametrize(
    ("top", "shown"),
    [({"context_length": 100}, 100), ({"context_length": None}, None), ({}, 200_000)],
)
def test_a_real_row_keeps_its_providers_window(top, shown):
    listing = read_listing("real", json.dumps({"data": [row(**top)]}))

    async def story(sim):
        rows = (await fetch(sim, "/models")).body["data"]
        fits = await ask(sim, "real/row", max_tokens=10)
        long = [{"role": "user", "content": "word " * 300}]
        return rows[0], fits, await ask(sim, "real/row", messages=long)

    listed, fits, long = with_simulator(World(catalogue=listing), story)
    assert listed["context_length"] == 200_000
    assert listed["top_provider"]["context_length"] == shown
    assert fits.status == 200
    assert long.status == (400 if shown == 100 else 200)
    if shown == 100:
        assert "maximum context length is 100 tokens" in long.body["error"]["message"]


def test_a_row_of_ones_own_may_have_it_too():
    narrow = Model(id="acme/narrow", context_length=1000, top_context_length=50)

    async def story(sim):
        rows = (await fetch(sim, "/models?q=narrow")).body["data"]
        return rows[0], await ask(sim, narrow.id, max_tokens=100), await ask(sim, MODEL)

    listed, refused, fine = with_simulator(World(models=[narrow]), story)
    assert (listed["context_length"], listed["top_provider"]["context_length"]) == (1000, 50)
    assert (refused.status, fine.status) == (400, 200)
