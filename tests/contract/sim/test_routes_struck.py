"""Faults on what is no chat: vectors, lists of models, records of generations, keys, credits."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from tests.contract.sim.talking import ask, fetch, quiet, talk, with_simulator

from ultrai_sim import Fault, World
from ultrai_sim.aim import PLAIN, ROUTES
from ultrai_sim.checking import describe, doubts
from ultrai_sim.faults import SAID, FaultError
from ultrai_sim.scenario import load_scenario

VECTORS = "openai/text-embedding-3-small"
PATHS = {
    "models": ["/models", "/models/user", "/models/count", "/models/openai/gpt-4o/endpoints"],
    "generation": ["/generation?id=x", "/generation/content?id=x"],
    "key": ["/key", "/auth/key"],
    "credits": ["/credits"],
}


async def embed(sim, model=VECTORS, **fields):
    body = {"model": model, "input": "A river.", **fields}
    headers = {"Authorization": f"Bearer {sim.api_key}"}
    return await talk("POST", f"{sim.base_url}/embeddings", headers, json=body)


def struck(route, **fault):
    return World(faults=[Fault(route=route, **fault)])


@pytest.mark.parametrize("route", PLAIN)
def test_a_route_fails_as_often_as_it_is_asked_to_and_no_other_one_does(route):
    async def story(sim):
        heard = {name: [await fetch(sim, path) for path in PATHS[name]] for name in PLAIN}
        return heard, await ask(sim), await embed(sim), list(sim.world.requests)

    world = struck(route, kind="status", status=503, attempts=1)
    heard, chat, vectors, seen = with_simulator(world, story)
    assert (chat.status, vectors.status) == (200, 200)
    assert heard[route][0].status == 503
    assert "provider_name" not in heard[route][0].body["error"].get("metadata", {})
    usual = {"models": 200, "generation": 404, "key": 200, "credits": 200}
    rest = [(name, each.status) for name in PLAIN for each in heard[name][name == route :]]
    assert all(status == usual[name] for name, status in rest)
    assert [each.path for each in seen if each.faults] == [
        f"/api/v1{PATHS[route][0].split('?')[0]}"
    ]


def test_without_a_route_chats_and_vectors_are_struck():
    async def story(sim):
        statuses = [(await ask(sim)).status, (await embed(sim)).status]
        return statuses + [(await fetch(sim, path)).status for path in ("/models", "/key")]

    world = World(faults=[Fault(kind="status", status=429)])
    assert with_simulator(world, story) == [429, 429, 200, 200]


def test_a_record_can_be_kept_back_and_its_cost_made_absurd():
    async def story(sim):
        heard = await ask(sim)
        path = f"/generation?id={heard.body['id']}"
        return [await fetch(sim, path) for _ in range(4)], heard.body["usage"]["cost"]

    late = Fault(kind="status", status=404, route="generation", attempts=(1, 2))
    negative = Fault(kind="cost_negative", route="generation", attempts=(3,))
    told, cost = with_simulator(World(faults=[late, negative]), story)
    assert [heard.status for heard in told] == [404, 404, 200, 200]
    assert told[2].body["data"]["total_cost"] == -1
    assert told[3].body["data"]["total_cost"] == cost


def test_the_record_of_one_model_or_provider_can_be_aimed_at():
    async def story(sim):
        heard = [await ask(sim, model) for model in ("openai/gpt-4o", "deepseek/deepseek-chat")]
        paths = [f"/generation?id={each.body['id']}" for each in heard]
        return [(await fetch(sim, path)).status for path in [*paths, "/generation?id=gen-none"]]

    one = struck("generation", kind="status", status=500, model="deepseek/*")
    assert with_simulator(one, story) == [200, 500, 404]
    theirs = struck("generation", kind="status", status=500, provider="OpenAI")
    assert with_simulator(theirs, story) == [500, 200, 404]


def test_a_key_can_be_aimed_at_on_every_route():
    world = World(faults=[Fault(kind="html", route="key", key="The management key")])

    async def story(sim):
        mine = await fetch(sim, "/key")
        theirs = await fetch(sim, "/key", key=sim.world.management_key)
        nobodys = await fetch(sim, "/key", key=None)
        return [each.status for each in (mine, theirs, nobodys)]

    assert with_simulator(world, story) == [200, 502, 401]


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        ({"kind": "cut", "how": "incomplete"}, lambda h: h.broken == "ClientPayloadError"),
        ({"kind": "reset"}, lambda h: h.broken is not None and h.status == 0),
        ({"kind": "garbage"}, lambda h: h.raw == b"{not json at all"),
        ({"kind": "error_in_200"}, lambda h: h.status == 200 and "error" in h.body),
        ({"kind": "wrong_content_type"}, lambda h: h.headers["Content-Type"] == "text/plain"),
        ({"kind": "length_too_long"}, lambda h: h.broken == "ClientPayloadError"),
        ({"kind": "gzip_bomb", "size": 1000}, lambda h: h.raw == b" " * 1000),
        ({"kind": "drip", "size": 50_000, "every_s": 0}, lambda h: h.body["data"]),
        ({"kind": "body", "status": 520, "text": "<p>"}, lambda h: h.raw == b"<p>"),
        ({"kind": "redirect"}, lambda h: h.status == 307),
        ({"kind": "slow", "head_s": 0.01}, lambda h: h.body["data"]),
    ],
)
@pytest.mark.parametrize("route", ["models", "embeddings"])
def test_a_body_breaks_on_any_route(route, fault, shows):
    async def story(sim):
        return await (fetch(sim, "/models") if route == "models" else embed(sim))

    heard = with_simulator(struck(route, **fault), story)
    assert shows(heard), heard


def test_a_list_that_stalls_is_noticed_when_the_client_leaves():
    async def story(sim):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(asyncio.TimeoutError):
                async with asyncio.timeout(0.1), session.get(f"{sim.base_url}/models"):
                    pass
        await quiet(sim)
        return sim.world.requests[0].outcome

    world = struck("models", kind="stall_before_headers", seconds=60)
    assert with_simulator(world, story) == "client_left"


# --- vectors ------------------------------------------------------------------------------------


def test_what_a_provider_of_vectors_fails_with_another_one_makes_good():
    async def story(sim):
        heard = await embed(sim)
        told = await fetch(sim, f"/generation?id={heard.body['id']}")
        first = await embed(sim, provider={"allow_fallbacks": False})
        return heard, told.body["data"]["provider_responses"], first, sim.world.bill

    first = with_simulator(None, embed).body["provider"]
    world = struck("embeddings", kind="status", status=502, provider=first)
    heard, responses, alone, bill = with_simulator(world, story)
    assert heard.body["provider"] != first
    assert [row["status"] for row in responses] == [502, 200]
    assert responses[0]["provider_name"] == first
    assert alone.status == 502
    assert len(bill) == 1
    assert bill[0].provider == heard.body["provider"]


def test_wishes_about_providers_are_followed_for_vectors():
    async def story(sim):
        usual = await embed(sim)
        other = await embed(sim, provider={"ignore": [usual.body["provider"]]})
        nobody = await embed(sim, provider={"only": ["cohere"]})
        cheap = await embed(sim, provider={"max_price": {"prompt": 0}})
        wrong = await embed(sim, provider="cheap")
        return usual, other, nobody, cheap, wrong

    usual, other, nobody, cheap, wrong = with_simulator(None, story)
    assert other.body["provider"] != usual.body["provider"]
    assert other.body["usage"]["cost"] > usual.body["usage"]["cost"]
    assert nobody.status == cheap.status == 404
    assert cheap.body["error"]["metadata"]["failed_routing_step"] == "Filter by Max Price"
    assert wrong.status == 400


def test_vectors_that_are_refused_cost_nothing_and_hold_nothing():
    async def story(sim):
        for kind in ("status", "error_first_event"):
            sim.world.set_faults([Fault(kind=kind)])
            await embed(sim)
        return list(sim.world.bill), sim.world.money.held

    assert with_simulator(None, story) == ([], 0)


def test_vectors_that_break_off_are_billed_all_the_same():
    async def story(sim):
        heard = await embed(sim)
        return heard, sim.world.bill, sim.world.requests[0].outcome

    heard, bill, outcome = with_simulator(struck("embeddings", kind="cut"), story)
    assert heard.status == 200
    assert [line.billed for line in bill] == [True]
    assert outcome == "cut"


def test_a_broken_answer_with_vectors_is_not_kept():
    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}", "X-OpenRouter-Cache": "true"}
        body = {"model": VECTORS, "input": "A river."}
        url = f"{sim.base_url}/embeddings"
        heard = [await talk("POST", url, headers, json=body) for _ in range(3)]
        return [each.headers["X-OpenRouter-Cache-Status"] for each in heard]

    cut = Fault(kind="cut", attempts=(1,))
    assert with_simulator(World(faults=[cut]), story) == ["MISS", "MISS", "HIT"]


# --- aims that cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"route": "nowhere"}, "'route' is one of 'chat'"),
        ({"route": ["chat"]}, "'route' is one of 'chat'"),
        ({"route": "models", "model": "a/b"}, "do not go with the route 'models'"),
        ({"route": "credits", "provider": "OpenAI"}, "do not go with the route 'credits'"),
    ],
)
def test_an_aim_that_cannot_be_is_refused(fault, said):
    with pytest.raises(FaultError, match=said):
        Fault(kind="status", **fault)


@pytest.mark.parametrize("kind", sorted(SAID))
def test_what_is_about_words_strikes_chats_alone(kind):
    for route in ROUTES[1:]:
        with pytest.raises(FaultError, match="it is about what a model says"):
            Fault(kind=kind, route=route)
    Fault(kind=kind, route="chat")

    async def story(sim):
        heard = await embed(sim)
        return heard.status, sim.world.requests[0].faults, dict(sim.world.book.struck)

    assert with_simulator(World(faults=[Fault(kind=kind, times=1)]), story) == (200, (), {})


def test_a_scenario_tells_its_routes(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(f"""
[[faults]]
kind = "cut"
route = "models"
[[faults]]
kind = "cut"
model = "{VECTORS}"
""")
    world = load_scenario(path)
    assert "fault cut on route models" in describe(world)
    assert doubts(world) == []
