"""What models say, over the wire: the same streamed and not, and billed for what was said."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.contract.sim.talking import ask, fetch, one, with_simulator

from ultrai_sim import World

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
SHAPED = {"type": "json_schema", "json_schema": {"name": "p", "strict": True, "schema": SCHEMA}}
ASKED = [{"role": "user", "content": "What is the weather in Paris like?"}]


def assembled(heard):
    """A streamed message put together again, as a client does it."""
    message = {"content": "", "reasoning": "", "calls": {}}
    for frame in heard.frames:
        for choice in frame["choices"]:
            delta = choice["delta"]
            message["content"] += delta["content"]
            message["reasoning"] += delta.get("reasoning") or ""
            for part in delta.get("tool_calls", ()):
                call = message["calls"].setdefault(part["index"], {"arguments": ""})
                call |= {key: part[key] for key in ("id", "type") if key in part}
                call["name"] = part["function"].get("name", call.get("name"))
                call["arguments"] += part["function"].get("arguments", "")
    return message


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-5.5", "x-ai/grok-4.7"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [WEATHER]},
        {"response_format": SHAPED},
        {"max_tokens": 70},
        {"plugins": [{"id": "web"}]},
    ],
)
def test_a_stream_put_together_is_the_plain_answer(model, fields):
    async def story(sim):
        plain = await ask(sim, model, messages=ASKED, **fields)
        return plain, await ask(sim, model, messages=ASKED, stream=True, **fields)

    plain, streamed = with_simulator(None, story)
    message, choice = assembled(streamed), plain.body["choices"][0]
    assert message["content"] == (choice["message"]["content"] or "")
    assert message["reasoning"] == (choice["message"]["reasoning"] or "")
    calls = [
        {"id": call["id"], "type": "function", **call["function"]}
        for call in choice["message"].get("tool_calls", ())
    ]
    assert list(message["calls"].values()) == [
        {key: call[key] for key in ("arguments", "id", "type", "name")} for call in calls
    ]
    assert streamed.frames[-1]["usage"] == plain.body["usage"]
    assert streamed.reasons[-1] == choice["finish_reason"]


def test_a_tool_loop_comes_to_an_end():
    async def story(sim):
        first = (await ask(sim, messages=ASKED, tools=[WEATHER])).body["choices"][0]["message"]
        (call,) = first["tool_calls"]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "13 degrees"}
        second = await ask(sim, messages=[*ASKED, first, result], tools=[WEATHER])
        return call, second.body["choices"][0]

    call, last = with_simulator(None, story)
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert last["finish_reason"] == "stop"
    assert "13 degrees" in last["message"]["content"]


def test_a_shape_is_kept_to():
    heard = one(response_format=SHAPED)
    value = json.loads(heard.body["choices"][0]["message"]["content"])
    assert set(value) == {"name", "age"}
    assert value["age"] >= 0


def test_a_schema_that_nothing_satisfies_is_a_400():
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    wish = {"type": "json_schema", "json_schema": {"name": "p", "schema": endless}}
    heard = one(response_format=wish)
    assert (heard.status, heard.body["error"]["code"]) == (400, 400)


def test_the_same_prompt_has_other_numbers_of_tokens_with_other_models():
    models = ["openai/gpt-4o", "anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-5.5"]
    counts = [one(model=model).body["usage"]["prompt_tokens"] for model in models]
    assert counts[0] < counts[1] < counts[2]


def test_the_generation_tells_native_and_normalised_tokens():
    async def story(sim):
        heard = await ask(sim, "anthropic/claude-sonnet-5.5")
        path = f"/generation?id={heard.body['id']}"
        return heard.body["usage"], (await fetch(sim, path)).body["data"]

    usage, told = with_simulator(None, story)
    assert told["native_tokens_prompt"] == usage["prompt_tokens"] > told["tokens_prompt"]
    completion = usage["completion_tokens"]
    assert told["native_tokens_completion"] == completion > told["tokens_completion"] > 0
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert told["native_tokens_reasoning"] == reasoning > 0


def test_a_second_reading_of_a_long_prompt_is_cheaper_and_the_generation_says_why():
    text = "The tide comes in and the tide goes out. " * 300
    part = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    fields = {"messages": [{"role": "user", "content": [part]}], "max_tokens": 9}

    async def story(sim):
        model = "anthropic/claude-sonnet-4.5"
        heard = [await ask(sim, model, **fields, stream=bool(n)) for n in range(2)]
        bodies = [heard[0].body, heard[1].frames[-1]]
        told = [(await fetch(sim, f"/generation?id={body['id']}")).body["data"] for body in bodies]
        return [body["usage"] for body in bodies], told, sim.world.bill

    (first, second), told, bill = with_simulator(None, story)
    details = [usage["prompt_tokens_details"] for usage in (first, second)]
    assert details[0]["cache_write_tokens"] == details[1]["cached_tokens"] > 1024
    assert (details[0]["cached_tokens"], details[1]["cache_write_tokens"]) == (0, 0)
    assert second["cost"] < first["cost"] / 5
    assert [line.cost_wire for line in bill] == [str(first["cost"]), str(second["cost"])]
    assert told[0]["cache_discount"] < 0 < told[1]["cache_discount"]
    assert told[1]["native_tokens_cached"] == details[1]["cached_tokens"]
    read, rest = details[1]["cached_tokens"], second["prompt_tokens"] - details[1]["cached_tokens"]
    exact = read * Decimal("0.0000003") + rest * Decimal("0.000003") + 9 * Decimal("0.000015")
    assert Decimal(bill[1].cost_usd) == exact


def test_a_search_is_on_the_bill():
    async def story(sim):
        dear = await ask(sim, "openai/gpt-4.1:online")
        plain = await ask(sim, "openai/gpt-4.1")
        return dear.body, plain.body, sim.world.bill

    dear, plain, bill = with_simulator(None, story)
    assert dear["choices"][0]["message"]["annotations"]
    assert dear["usage"]["cost"] > 0.01 > plain["usage"]["cost"]
    assert Decimal(bill[0].cost_usd) > Decimal("0.01")


def test_a_tool_that_openrouter_runs_is_paid_beside_the_upstream_and_hides_the_provider():
    tools = [{"type": "openrouter:advisor"}, {"type": "openrouter:datetime"}]
    body = one(tools=tools).body
    usage = body["usage"]
    assert usage["server_tool_use_details"] == {
        "tool_calls_requested": 2,
        "tool_calls_executed": 2,
    }
    assert "is_byok" not in usage
    gap = usage["cost"] - usage["cost_details"]["upstream_inference_cost"]
    assert gap == pytest.approx(0.0144)
    assert body["service_tier"] is None
    assert body["choices"][0]["native_finish_reason"] == "stop"
    assert "annotations" not in body["choices"][0]["message"]


def test_the_marks_of_a_provider_are_on_its_answers():
    first = one(model="openai/gpt-4o").body
    assert (first["service_tier"], first["system_fingerprint"]) == ("default", None)
    other = one(model="deepseek/deepseek-chat").body
    assert other["service_tier"] is None
    assert other["system_fingerprint"].startswith("fp_")
    frames = one(model="deepseek/deepseek-chat", stream=True).frames
    marks = [frame.get("system_fingerprint") for frame in frames]
    assert marks[-2] == other["system_fingerprint"]
    assert set(marks[:-2]) == {None}


def test_one_token_a_frame_is_one_token_of_the_bill():
    heard = one(World(tokens_per_frame=1), stream=True, max_tokens=30)
    texts = [frame for frame in heard.frames if frame["choices"][0]["delta"]["content"]]
    assert len(texts) == heard.frames[-1]["usage"]["completion_tokens"] == 30


@pytest.mark.parametrize("path", ["/completions", "/chat/completions"])
def test_a_prompt_in_the_place_of_messages_gets_a_text_completion(path):
    async def story(sim):
        fields = {"messages": None, "prompt": "Once upon a time", "path": path}
        model = "deepseek/deepseek-r1-0528"
        return await ask(sim, model, **fields), await ask(sim, model, **fields, stream=True)

    plain, streamed = with_simulator(None, story)
    assert plain.body["object"] == "text_completion"
    (choice,) = plain.body["choices"]
    assert list(choice) == [
        "index",
        "logprobs",
        "finish_reason",
        "native_finish_reason",
        "text",
        "reasoning",
    ]
    choices = [frame["choices"][0] for frame in streamed.frames]
    assert "".join(one["text"] for one in choices) == choice["text"] != ""
    assert "".join(one["reasoning"] or "" for one in choices) == choice["reasoning"] != ""
    assert [one["finish_reason"] for one in choices[-2:]] == ["stop", "stop"]
    assert streamed.frames[-1]["usage"] == plain.body["usage"]
    assert {frame["object"] for frame in streamed.frames} == {"text_completion"}
