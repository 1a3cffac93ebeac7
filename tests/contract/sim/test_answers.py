from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from tests.contract.sim.talking import PROMPT, ask, fetch, one, talk, with_simulator

from ultrai_sim import KeyTerms, Latency, World
from ultrai_sim.charges import js_number


def test_a_request_without_credentials_is_told_so():
    heard = one(key=None)
    assert heard.status == 401
    assert heard.body["error"] == {"message": "No cookie auth credentials found", "code": 401}


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"key": None}])
def test_an_answer_is_dated_by_the_worlds_clock(fields):
    world = World(clock=lambda: 1_795_435_200.0, latency=Latency(head_s=0.001))
    assert one(world, **fields).headers["Date"] == "Mon, 23 Nov 2026 12:00:00 GMT"


def test_an_unknown_or_disabled_key_is_nobody():
    world = World(keys=[KeyTerms("sk-or-v1-good"), KeyTerms("sk-or-v1-off", disabled=True)])
    for key in ("sk-or-v1-wrong", "sk-or-v1-off"):
        heard = one(world, key=key)
        assert (heard.status, heard.body["error"]["message"]) == (401, "User not found.")


def test_the_catalogue_is_open_to_everyone_but_the_account_is_not():
    async def story(sim):
        for path in ("/models", "/models/count", "/providers", "/model/openai/gpt-4o"):
            assert (await fetch(sim, path, key=None)).status == 200
        for path in ("/key", "/auth/key", "/credits", "/generation?id=x"):
            assert (await fetch(sim, path, key=None)).status == 401

    with_simulator(None, story)


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"messages": []}, 400, 'Input required: specify "prompt" or "messages"'),
        ({"model": "no/such"}, 400, "no/such is not a valid model ID"),
        ({"model": "x-ai/grok-4"}, 404, "No endpoints found for x-ai/grok-4."),
        ({"model": "deepseek/deepseek-chat:free"}, 404, "migrate to the paid slug"),
        ({"model": "openai/gpt-4o:batch"}, 400, "batch API"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 127_990}, 400, "maximum context length is 128000 tokens"),
        ({"provider": {"max_price": {"prompt": 1}}}, 404, "satisfy the max price for this request"),
        ({"provider": {"only": ["groq"]}}, 404, "No allowed providers"),
        (
            {"model": "google/gemini-2.5-pro", "reasoning": {"effort": "none"}},
            400,
            "Reasoning is mandatory",
        ),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_in_openrouters_words(fields, status, text):
    heard = one(**fields)
    assert heard.status == status
    assert text in heard.body["error"]["message"]
    assert heard.body["error"]["code"] == status


def test_a_body_that_is_not_json_is_refused():
    async def story(sim):
        headers = {"Authorization": f"Bearer {sim.api_key}"}
        return await talk("POST", f"{sim.base_url}/chat/completions", headers, data=b"{")

    heard = with_simulator(None, story)
    assert (heard.status, heard.body["error"]["message"]) == (
        400,
        "Input must have at least 1 token.",
    )


def test_a_stream_is_comments_then_deltas_then_finish_then_usage_then_done():
    heard = one(World(comments=3), stream=True)
    assert heard.headers["Content-Type"] == "text/event-stream"
    assert heard.lines[:3] == [": OPENROUTER PROCESSING"] * 3
    assert heard.lines[-1] == "data: [DONE]"
    assert heard.raw.endswith(b"\n\n")
    assert b"\r" not in heard.raw
    for frame in heard.frames:
        assert frame["id"] == heard.headers["X-Generation-Id"]
        assert frame["choices"][0]["delta"]["role"] == "assistant"
        assert "content" in frame["choices"][0]["delta"]
    assert heard.reasons[-2:] == ["stop", "stop"]
    assert set(heard.reasons[:-2]) == {None}
    assert [("usage" in frame) for frame in heard.frames][-2:] == [False, True]


@pytest.mark.parametrize(("dialect", "choices"), [("a", [None]), ("b", []), ("c", ["stop"])])
def test_the_usage_frame_speaks_three_dialects(dialect, choices):
    last = one(World(usage_dialect=dialect), stream=True).frames[-1]
    assert [choice["finish_reason"] for choice in last["choices"]] == choices
    assert last["usage"]["total_tokens"] > 0


def test_streamed_or_not_the_same_question_gets_the_same_answer():
    plain, again, streamed = one(), one(), one(stream=True)
    message = plain.body["choices"][0]["message"]
    assert message["content"] == again.body["choices"][0]["message"]["content"] == streamed.text
    assert plain.body["usage"] == streamed.frames[-1]["usage"]
    assert one(World(seed=1), stream=True).text != streamed.text


def test_latency_changes_when_an_answer_comes_and_not_what_it_says():
    slow = World(latency=Latency(first_token_s=0.03, per_token_s=0.0001, comment_every_s=0.01))
    late, plain = one(slow, stream=True), one(stream=True)
    assert late.text == plain.text
    assert late.comments > plain.comments


def test_max_tokens_cuts_the_answer_and_says_so():
    heard = one(max_tokens=5)
    assert heard.body["choices"][0]["finish_reason"] == "length"
    assert heard.body["usage"]["completion_tokens"] == 5


def test_a_model_that_reasons_thinks_aloud_and_pays_for_it():
    heard = one(model="deepseek/deepseek-r1-0528", stream=True)
    thoughts = [frame["choices"][0]["delta"].get("reasoning") for frame in heard.frames]
    usage = heard.frames[-1]["usage"]
    assert any(thoughts)
    assert heard.text
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < reasoning < usage["completion_tokens"]


def test_a_reasoning_model_with_a_small_budget_says_nothing():
    heard = one(model="google/gemini-2.5-pro", max_tokens=4)
    choice = heard.body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")


def test_some_models_answer_under_a_dated_name_and_all_name_their_provider():
    body = one(model="anthropic/claude-sonnet-4.5").body
    assert (body["model"], body["provider"]) == (
        "anthropic/claude-4.5-sonnet-20250929",
        "Anthropic",
    )
    assert one().body["model"] == "openai/gpt-4o"


def test_aliases_routers_and_virtual_suffixes_are_served_by_a_concrete_model():
    assert one(model="~x-ai/grok-latest").body["model"].startswith("x-ai/grok-4.7")
    assert "openrouter/" not in one(model="openrouter/auto").body["model"]
    assert one(model="openrouter/free").body["usage"]["cost"] == 0
    assert one(model="openai/gpt-4o:nitro").status == 200


def test_the_text_of_a_model_can_be_fixed():
    assert one(World(says={"openai/gpt-4o": "Forty — two."}), stream=True).text == "Forty — two."


def test_the_order_of_providers_can_be_asked_for():
    assert one(provider={"order": ["azure"]}).body["provider"] == "Azure"


def test_the_catalogue_has_odd_rows_and_only_live_ones():
    rows = {row["id"]: row for row in with_simulator(None, _models)["data"]}
    assert "x-ai/grok-4" not in rows
    assert rows["openrouter/auto"]["pricing"]["prompt"] == "-1"
    assert rows["typesafe/jev-router"]["context_length"] is None
    assert rows["google/gemini-2.5-pro"]["hugging_face_id"] == ""
    assert rows["google/gemini-2.5-pro"]["pricing"]["overrides"][0]["min_prompt_tokens"] == 200000
    assert rows["~x-ai/grok-latest"]["alias_target"]["slug"] == "x-ai/grok-4.7"
    assert rows["openai/gpt-4o:batch"]
    assert "temperature" not in rows["openai/gpt-6-astra"]["supported_parameters"]
    assert sum(model_id.endswith(":free") for model_id in rows) >= 5


def test_in_the_reports_catalogue_every_id_of_the_report_is_live():
    rows = {row["id"] for row in with_simulator(World(catalogue="report-2025"), _models)["data"]}
    report = (
        "openai/gpt-4o x-ai/grok-4 meta-llama/llama-4-maverick deepseek/deepseek-r1 "
        "anthropic/claude-3.7-sonnet google/gemini-2.5-flash google/gemini-2.5-pro "
        "mistralai/mistral-large meta-llama/llama-3.3-70b-instruct openai/gpt-4o-mini "
        "x-ai/grok-4-fast anthropic/claude-3-haiku google/gemini-2.5-flash-lite "
        "mistralai/mistral-small deepseek/deepseek-chat openai/gpt-3.5-turbo "
        "x-ai/grok-4-fast:free mistralai/mixtral-8x7b-instruct meta-llama/llama-4-maverick:free "
        "deepseek/deepseek-coder deepseek/deepseek-chat:free"
    )
    assert set(report.split()) <= rows
    assert one(World(catalogue="report-2025"), "x-ai/grok-4").body["model"] == "x-ai/grok-4-07-09"


async def _models(sim):
    return (await fetch(sim, "/models", key=None)).body


def test_the_catalogue_comes_in_pages_when_asked():
    async def story(sim):
        page = (await fetch(sim, "/models?limit=2&offset=1")).body
        assert len(page["data"]) == 2
        assert page["total_count"] > 60
        wrong = await fetch(sim, "/models?limit=none")
        assert (wrong.status, wrong.body["error"]["name"]) == (400, "ZodError")

    with_simulator(None, story)


def test_endpoints_show_their_speed_only_to_who_has_a_key():
    async def story(sim):
        path = "/models/openai/gpt-4o/endpoints"
        shown, hidden = (await fetch(sim, path)).body, (await fetch(sim, path, key=None)).body
        assert shown["data"]["endpoints"][0]["latency_last_30m"]["p50"] > 0
        assert hidden["data"]["endpoints"][0]["latency_last_30m"] is None
        assert (await fetch(sim, "/models/x-ai/grok-4/endpoints")).status == 404

    with_simulator(None, story)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (4.8e-06, "0.0000048"), (1e-7, "1e-7"), (2.5e-7, "2.5e-7"), (3.0, "3")],
)
def test_doubles_are_printed_as_javascript_prints_them(value, text):
    assert js_number(value) == text


def test_the_cost_is_tokens_times_price_with_the_override_of_a_long_prompt():
    async def story(sim):
        heard = await ask(sim, "google/gemini-2.5-pro", max_tokens=200, messages=_long(1_000_000))
        return heard.body["usage"], sim.world.bill[0]

    usage, line = with_simulator(None, story)
    exact = usage["prompt_tokens"] * Decimal("0.0000025")
    exact += usage["completion_tokens"] * Decimal("0.000015")
    assert Decimal(line.cost_usd) == exact
    assert abs(Decimal(str(usage["cost"])) - exact) < Decimal("1e-9")


def _long(characters):
    return [{"role": "user", "content": "word " * (characters // 5)}]


def test_the_requests_are_on_record_without_their_secrets():
    async def story(sim):
        await ask(sim, stream=True)
        return (await fetch(sim, "/sim/requests")), sim.api_key

    heard, key = with_simulator(None, story)
    assert key.encode() not in heard.raw
    row = heard.body["data"][0]
    assert (row["model"], row["attempt"], row["outcome"]) == ("openai/gpt-4o", 1, "complete")
    assert row["body"]["messages"][0]["content"] == PROMPT
    assert row["headers"]["Authorization"] == "***"


def test_no_two_requests_share_an_id():
    async def story(sim):
        first = (await ask(sim)).body["id"]
        sim.world.set_faults([])
        second = (await ask(sim)).body["id"]
        sim.world.reset()
        return {first, second, (await ask(sim)).body["id"]}

    assert len(with_simulator(World(clock=lambda: 1_795_435_200.0), story)) == 3


def test_reset_forgets_everything():
    async def story(sim):
        await ask(sim)
        await talk("POST", f"{sim.origin}/sim/reset", {})
        bill = (await fetch(sim, "/sim/bill")).body
        assert (bill["data"], bill["total_usd"], bill["by_model"]) == ([], "0", {})
        assert (await fetch(sim, "/sim/requests")).body == {"data": [], "last": 0}

    with_simulator(None, story)


def test_requests_at_once_are_counted():
    async def story(sim):
        await asyncio.gather(*(ask(sim) for _ in range(4)))
        return sim.world.peak_in_flight, sim.world.in_flight

    peak, left = with_simulator(World(latency=Latency(head_s=0.2)), story)
    assert (peak, left) == (4, 0)


def test_an_unknown_route_is_a_json_404():
    heard = with_simulator(None, lambda sim: fetch(sim, "/nothing/here"))
    assert (heard.status, json.loads(heard.raw)["error"]["code"]) == (404, 404)
