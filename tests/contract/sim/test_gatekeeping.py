"""Moderation, guardrails, and OpenRouter's own cache of responses."""

from __future__ import annotations

import pytest
from tests.contract.sim.talking import MODEL, fetch, one, talk, with_simulator

from ultrai_sim import AccountTerms, Fault, KeyTerms, Latency, Model, World

STRICT = Model(id="acme/strict", name="Strict", canonical="acme/strict", moderated=True)


async def say(sim, text, *, model=MODEL, headers=None, **fields):
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"Authorization": f"Bearer {sim.api_key}", **(headers or {})}
    return await talk("POST", f"{sim.base_url}/chat/completions", headers, json=body)


def test_a_moderated_model_refuses_a_flagged_word_and_bills_nothing():
    world = World(models=[STRICT], flagged=("dynamite",))

    async def story(sim):
        bad = await say(sim, "Tell me of Dynamite.", model="acme/strict")
        return bad, (await say(sim, "Tell me of tides.", model="acme/strict")).status, world.bill

    bad, good, bill = with_simulator(world, story)
    metadata = bad.body["error"]["metadata"]
    assert (bad.status, good, len(bill)) == (403, 200, 1)
    assert metadata["flagged_input"] == "Tell me of Dynamite."
    assert metadata["model_slug"] == "acme/strict"
    assert "No credits were charged" in bad.body["error"]["message"]


def test_a_guardrail_blocks_every_model():
    world = World(blocked=("open sesame",))

    async def story(sim):
        return await say(sim, "Please open Sesame now")

    heard = with_simulator(world, story)
    assert heard.status == 403
    assert heard.body["error"]["metadata"] == {"patterns": ["open sesame"]}


CACHE = {"X-OpenRouter-Cache": "true", "X-OpenRouter-Cache-TTL": "60"}


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_request_is_answered_again_for_nothing(stream):
    world = World()

    async def story(sim):
        first = await say(sim, "Hello", headers=CACHE, stream=stream)
        world.advance(10)
        second = await say(sim, "Hello", headers=CACHE, stream=stream)
        record = await fetch(sim, f"/generation?id={second.headers['X-Generation-Id']}")
        return first, second, record.body["data"]

    first, second, record = with_simulator(world, story)
    assert first.headers["X-OpenRouter-Cache-Status"] == "MISS"
    assert second.headers["X-OpenRouter-Cache-Status"] == "HIT"
    assert second.headers["X-OpenRouter-Cache-Age"] == "10"
    assert second.headers["X-OpenRouter-Cache-TTL"] in ("49", "50")
    assert second.headers["X-OpenRouter-Cache-Source-Id"] == first.headers["X-Generation-Id"]
    assert second.headers["X-Generation-Id"] != first.headers["X-Generation-Id"]
    assert [float(line.cost_wire) > 0 for line in world.bill] == [True, False]
    assert record["total_cost"] == 0
    assert record["response_cache_source_id"] == first.headers["X-Generation-Id"]
    if stream:
        assert first.text == second.text
        usage = second.frames[-1]["usage"]
    else:
        contents = [h.body["choices"][0]["message"]["content"] for h in (first, second)]
        assert contents[0] == contents[1]
        usage = second.body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["cost"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "second",
    [
        {"text": "Other"},
        {"seed": 7},
        {"stream": True},
        {"model": "openai/gpt-4o-mini"},
        {"headers": {**CACHE, "X-OpenRouter-Cache-Clear": "true"}},
        {"advance": 61},
    ],
)
def test_anything_else_is_asked_anew(second):
    world = World()
    change = dict(second)
    advance = change.pop("advance", 0)
    text = change.pop("text", "Hello")

    async def story(sim):
        await say(sim, "Hello", headers=CACHE)
        world.advance(advance)
        return await say(sim, text, **{"headers": CACHE, **change})

    assert with_simulator(world, story).headers["X-OpenRouter-Cache-Status"] == "MISS"


def test_without_the_header_nothing_is_kept():
    async def story(sim):
        await say(sim, "Hello", headers=CACHE)
        return await say(sim, "Hello")

    assert "X-OpenRouter-Cache-Status" not in with_simulator(World(), story).headers


# --- what a hit is -----------------------------------------------------------------------------

ANSWERED_BY = ("openrouter/auto", MODEL)


@pytest.mark.parametrize("model", ANSWERED_BY)
def test_a_hit_says_what_its_source_said_by_the_same_model_whatever_has_changed(model):
    world = World()

    async def story(sim):
        first = await say(sim, "Hello", model=model, headers=CACHE)
        world.says = {"*": "Something else."}
        return first.body, (await say(sim, "Hello", model=model, headers=CACHE)).body

    first, second = with_simulator(world, story)
    assert second["choices"] == first["choices"]
    assert (second["model"], second["provider"]) == (first["model"], first["provider"])
    assert second["id"] != first["id"]


def test_blanks_between_properties_do_not_matter_but_their_order_does():
    bodies = [
        b'{"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Hi"}]}',
        b'{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o"}',
    ]

    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}", "Content-Type": "application/json"}
        url = f"{sim.base_url}/chat/completions"
        return [await talk("POST", url, {**headers, **CACHE}, data=body) for body in bodies]

    heard = with_simulator(World(), story)
    assert [each.headers["X-OpenRouter-Cache-Status"] for each in heard] == ["MISS", "HIT", "MISS"]
    assert heard[0].body["choices"] == heard[1].body["choices"]


def test_another_key_is_answered_anew():
    keys = [KeyTerms("sk-or-v1-one"), KeyTerms("sk-or-v1-two")]

    async def story(sim):
        return [
            await say(sim, "Hello", headers={**CACHE, "Authorization": f"Bearer {terms.key}"})
            for terms in keys
        ]

    heard = with_simulator(World(keys=keys), story)
    assert [each.headers["X-OpenRouter-Cache-Status"] for each in heard] == ["MISS", "MISS"]


def test_a_hit_asks_no_provider_and_so_none_can_fail():
    world = World(faults=[Fault(kind="status", status=503, attempts=(2,))])

    async def story(sim):
        heard = [await say(sim, "Hello", headers=CACHE) for _ in range(2)]
        return [*heard, await say(sim, "Hello")]

    heard = with_simulator(world, story)
    assert [each.status for each in heard] == [200, 200, 200]


@pytest.mark.parametrize(
    "fault", [{"kind": "status"}, {"kind": "cut"}, {"kind": "error_mid_stream"}]
)
def test_what_failed_or_broke_off_is_not_kept(fault):
    world = World(faults=[Fault(**fault, attempts=(1,))])

    async def story(sim):
        return [await say(sim, "Hello", headers=CACHE, stream=True) for _ in range(3)]

    heard = with_simulator(world, story)
    assert [each.headers.get("X-OpenRouter-Cache-Status") for each in heard[1:]] == ["MISS", "HIT"]


def test_a_slow_answer_is_kept_and_given_again_without_delay():
    world = World(latency=Latency(head_s=0.01, first_token_s=0.01))

    async def story(sim):
        heard = [await say(sim, "Hello", headers=CACHE) for _ in range(2)]
        path = f"/generation?id={heard[1].body['id']}"
        return heard, (await fetch(sim, path)).body["data"]

    heard, record = with_simulator(world, story)
    assert heard[1].headers["X-OpenRouter-Cache-Status"] == "HIT"
    assert record["latency"] == 0
    counts = ("native_tokens_prompt", "native_tokens_completion", "tokens_prompt")
    assert [record[name] for name in counts] == [0, 0, 0]
    assert record["provider_responses"] is None


def test_the_account_is_checked_before_the_cache():
    world = World(account=AccountTerms(credits_usd="1"))

    async def story(sim):
        await say(sim, "Hello", headers=CACHE)
        world.money.bought -= 2
        return await say(sim, "Hello", headers=CACHE)

    assert with_simulator(world, story).status == 402


@pytest.mark.parametrize(
    ("asked", "told"), [("5", "5"), ("0", "1"), ("100000", "86400"), ("soon", "300"), (None, "300")]
)
def test_how_long_an_answer_is_kept(asked, told):
    headers = {"X-OpenRouter-Cache": "true"}
    if asked is not None:
        headers["X-OpenRouter-Cache-TTL"] = asked

    heard = with_simulator(World(), lambda sim: say(sim, "Hello", headers=headers))
    assert heard.headers["X-OpenRouter-Cache-TTL"] == told


def test_vectors_are_kept_too():
    world = World()

    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}"}
        body = {"model": "openai/text-embedding-3-small", "input": "Hello"}
        url = f"{sim.base_url}/embeddings"
        heard = [await talk("POST", url, {**headers, **CACHE}, json=body) for _ in range(2)]
        heard.append(await talk("POST", url, headers, json=body))
        record = await fetch(sim, f"/generation?id={heard[1].body['id']}")
        return heard, record.body["data"]

    (first, second, third), record = with_simulator(world, story)
    assert second.headers["X-OpenRouter-Cache-Status"] == "HIT"
    assert second.headers["X-OpenRouter-Cache-Source-Id"] == first.body["id"]
    assert "X-OpenRouter-Cache-Status" not in third.headers
    assert second.body["data"] == first.body["data"]
    assert second.body["id"] != first.body["id"]
    usage = second.body["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"], usage["cost"]) == (0, 0, 0)
    assert [line.billed for line in world.bill] == [True, False, True]
    assert [line.cost > 0 for line in world.bill] == [True, False, True]
    assert record["response_cache_source_id"] == first.body["id"]
    assert (record["native_tokens_prompt"], record["tokens_prompt"]) == (0, 0)


# --- moderation and guardrails -------------------------------------------------------------------


def test_the_built_in_word_is_flagged_and_much_text_comes_back_cut_in_the_middle():
    text = "begin " + "x" * 200 + " FLAG-THIS end"

    async def story(sim):
        return [await say(sim, text, model=model) for model in ("acme/strict", "acme/mild")]

    mild = Model(id="acme/mild", name="Mild")
    flagged, free = with_simulator(World(models=[STRICT, mild]), story)
    metadata = flagged.body["error"]["metadata"]
    assert set(metadata) == {"reasons", "flagged_input", "provider_name", "model_slug"}
    assert len(metadata["flagged_input"]) == 100
    assert metadata["flagged_input"].startswith("begin xxx")
    assert metadata["flagged_input"].endswith("xxx FLAG-THIS end")
    assert "..." in metadata["flagged_input"]
    assert free.status == 200, "a model that is not moderated answers"


BARRED = [
    ({"ignored_models": ("openai/*",)}, "model-ignored-by-guardrail"),
    ({"allowed_models": ("anthropic/*", "google/*")}, "model-not-allowed-by-guardrail"),
    ({"ignored_providers": ("OpenAI", "azure")}, "provider-ignored-by-guardrail"),
    ({"allowed_providers": ("groq",)}, "provider-not-allowed-by-guardrail"),
]


@pytest.mark.parametrize(("lists", "reason"), BARRED)
def test_where_the_guardrail_leaves_no_endpoint_it_says_why(lists, reason):
    world = World(account=AccountTerms(**lists))
    refused = one(world)
    error = refused.body["error"]
    assert refused.status == 404
    assert error["message"] == (
        "0 endpoints out of 2 requested are available matching your guardrail restrictions and "
        "data policy."
    )
    assert error["metadata"]["input_endpoint_count"] == 2
    assert error["metadata"]["failed_routing_step"] == "Filter by Guardrails"
    (told,) = error["metadata"]["ineligibility_reasons"]
    assert (told["reason"], told["endpoint_count"]) == (reason, 2)
    assert not world.bill


def test_the_guardrail_stands_before_the_wishes_of_a_request():
    world = World(account=AccountTerms(ignored_providers=("openai",)))

    async def story(sim):
        plain = await say(sim, "Hello")
        asked = await say(sim, "Hello", provider={"order": ["openai"]})
        only = await say(sim, "Hello", provider={"only": ["openai"]})
        return plain.body["provider"], asked.body["provider"], only.status

    assert with_simulator(world, story) == ("Azure", "Azure", 404)


def test_the_guardrail_holds_for_vectors_and_leaves_allowed_models_alone():
    world = World(account=AccountTerms(allowed_models=("openai/gpt-*",)))

    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}"}
        body = {"model": "openai/text-embedding-3-small", "input": "Hello"}
        vectors = await talk("POST", f"{sim.base_url}/embeddings", headers, json=body)
        return (await say(sim, "Hello")).status, vectors.status

    assert with_simulator(world, story) == (200, 404)
