"""Moderation, guardrails, and OpenRouter's own cache of responses."""

from __future__ import annotations

import pytest
from tests.contract.sim.talking import MODEL, fetch, talk, with_simulator

from ultrai_sim import Model, World

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
