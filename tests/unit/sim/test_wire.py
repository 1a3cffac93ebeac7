"""Bodies and frames have the keys of recorded traffic, in its order, and printed as it prints."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.sim.answers import CLOCK, WEATHER, answer_to, model_of

from ultrai_sim.charges import charge
from ultrai_sim.intake import Intake
from ultrai_sim.usage import usage_of
from ultrai_sim.wire import Envelope, Style, render_body, render_frames

ASKED = "Explain quantum computing in simple terms."
HEAD = ["id", "object", "created", "model", "provider"]
USAGE = ["prompt_tokens", "completion_tokens", "total_tokens", "cost"]
DETAILS = {
    "prompt_tokens_details": (
        "cached_tokens",
        "cache_write_tokens",
        "audio_tokens",
        "video_tokens",
    ),
    "completion_tokens_details": ("reasoning_tokens", "image_tokens", "audio_tokens"),
    "cost_details": (
        "upstream_inference_cost",
        "upstream_inference_prompt_cost",
        "upstream_inference_completions_cost",
    ),
}
ENVELOPE = Envelope("gen-1-a", 1_790_000_000, "openai/gpt-4o", "OpenAI")


def usage_for(answer, model_id="openai/gpt-4o", *, search=None, tokens=16):
    intake = Intake(tokens, search=search)
    cost = charge(model_of(model_id).pricing, intake, completion_tokens=answer.tokens)
    return usage_of(answer, intake, cost=cost)


def body_of(answer, *, usage=None, style=None, error=None):
    rendered = render_body(answer, usage or usage_for(answer), style=style or Style(), error=error)
    return json.loads(ENVELOPE.opening() + rendered)


def frames_of(answer, *, usage=None, style=None):
    frames = render_frames(answer, usage or usage_for(answer), style=style or Style())
    read = []
    for frame in frames:
        raw = ENVELOPE.head() + frame.tail
        assert raw.startswith(b'data: {"id":')
        assert raw.endswith(b"}\n\n")
        assert raw.count(b"\n") == 2
        read.append(json.loads(raw[6:]))
    return read


def deltas_of(answer, **fields):
    frames = frames_of(answer, **fields)
    return [frame["choices"][0]["delta"] for frame in frames if frame["choices"]]


# --- plain bodies -----------------------------------------------------------------------------


def test_a_body_has_its_keys_in_order():
    body = body_of(answer_to(ASKED), style=Style(tier="default"))
    assert list(body) == [*HEAD, "system_fingerprint", "service_tier", "choices", "usage"]
    assert body["object"] == "chat.completion"
    (choice,) = body["choices"]
    assert list(choice) == [
        "index",
        "logprobs",
        "finish_reason",
        "native_finish_reason",
        "message",
    ]
    assert list(choice["message"]) == ["role", "content", "refusal", "reasoning"]
    assert (body["system_fingerprint"], body["service_tier"]) == (None, "default")


def test_usage_has_its_keys_in_order():
    usage = body_of(answer_to(ASKED))["usage"]
    assert list(usage) == [
        *USAGE,
        "is_byok",
        "prompt_tokens_details",
        "cost_details",
        "completion_tokens_details",
    ]
    for name, keys in DETAILS.items():
        assert tuple(usage[name]) == keys


def test_costs_are_printed_as_javascript_prints_doubles():
    four = answer_to(ASKED, max_tokens=4)
    raw = render_body(four, usage_for(four), style=Style())
    assert b'"upstream_inference_cost":0.00008,' in raw
    assert b'"upstream_inference_prompt_cost":0.00004,' in raw
    usage = usage_for(four, "openai/gpt-4o-mini", tokens=19)
    assert b'"cost":0.00000525,' in render_body(four, usage, style=Style())


def test_a_search_by_the_provider_is_in_both_costs_and_one_by_openrouter_in_one():
    answer = answer_to(ASKED)
    native = body_of(answer, usage=usage_for(answer, "openai/gpt-4.1", search="native"))["usage"]
    assert list(native)[-1] == "server_tool_use_details"
    assert native["server_tool_use_details"] == {"web_search_requests": 1}
    assert native["cost"] == native["cost_details"]["upstream_inference_cost"] > 0.01
    usage = usage_for(answer, "deepseek/deepseek-chat", search="orchestrated")
    other = body_of(answer, usage=usage)["usage"]
    assert list(other) == [
        *USAGE,
        "prompt_tokens_details",
        "completion_tokens_details",
        "cost_details",
        "server_tool_use_details",
    ]
    assert other["server_tool_use_details"] == {
        "web_search_requests": 1,
        "tool_calls_requested": 1,
        "tool_calls_executed": 1,
    }
    gap = other["cost"] - other["cost_details"]["upstream_inference_cost"]
    assert gap == pytest.approx(0.007)


def test_content_is_null_only_where_nothing_else_was_said():
    nothing = answer_to(ASKED, "deepseek/deepseek-r1-0528", max_tokens=9)
    called = answer_to(ASKED, tools=[WEATHER])
    assert body_of(nothing)["choices"][0]["message"]["content"] is None
    assert body_of(called)["choices"][0]["message"]["content"] == ""


def test_calls_are_in_the_message_with_their_index():
    message = body_of(answer_to(ASKED, tools=[WEATHER]))["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert list(call) == ["type", "index", "id", "function"]
    assert list(call["function"]) == ["name", "arguments"]
    assert json.loads(call["function"]["arguments"])


def test_an_error_is_in_the_choice():
    body = body_of(answer_to(ASKED), error={"code": 502, "message": "gone"})
    assert body["choices"][0]["finish_reason"] == "error"
    assert body["choices"][0]["error"] == {"code": 502, "message": "gone"}


def test_usage_can_be_left_out():
    answer = answer_to(ASKED)
    assert "usage" not in body_of(answer, style=Style(with_usage=False))
    assert not any("usage" in frame for frame in frames_of(answer, style=Style(with_usage=False)))


# --- streams ----------------------------------------------------------------------------------


def test_frames_have_their_keys_in_order():
    frames = frames_of(answer_to(ASKED), style=Style(fingerprint="fp_1", tier="default"))
    *texts, finish, usage = frames
    for frame in texts:
        assert list(frame) == [*HEAD, "choices"]
        (choice,) = frame["choices"]
        assert list(choice) == ["index", "delta", "finish_reason", "native_finish_reason"]
        assert list(choice["delta"]) == ["content", "role"]
        assert frame["object"] == "chat.completion.chunk"
    assert list(finish) == [*HEAD, "system_fingerprint", "choices"]
    assert list(usage) == [*HEAD, "service_tier", "choices", "usage"]
    assert usage["choices"] == [
        {
            "index": 0,
            "delta": {"content": "", "role": "assistant"},
            "finish_reason": "stop",
            "native_finish_reason": "completed",
        }
    ]


@pytest.mark.parametrize(
    ("dialect", "keys", "reasons"),
    [
        ("a", [*HEAD, "choices", "usage"], [None]),
        ("b", [*HEAD, "choices", "usage"], []),
        ("c", [*HEAD, "service_tier", "choices", "usage"], ["stop"]),
    ],
)
def test_the_usage_frame_speaks_three_dialects(dialect, keys, reasons):
    last = frames_of(answer_to(ASKED), style=Style(usage_dialect=dialect))[-1]
    assert list(last) == keys
    assert [choice["finish_reason"] for choice in last["choices"]] == reasons


@pytest.mark.parametrize("size", [1, 3, 50])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [WEATHER, CLOCK]},
        {"model_id": "anthropic/claude-sonnet-5.5"},
        {"model_id": "openai/gpt-6.1-sol"},
        {"model_id": "openai/gpt-6.1-sol", "reasoning": {"exclude": True}},
        {"model_id": "google/gemini-2.5-pro", "tools": [WEATHER]},
        {"model_id": "openai/gpt-4.1", "plugins": [{"id": "web"}]},
    ],
)
def test_the_frames_of_a_stream_bring_as_many_tokens_as_are_billed(fields, size):
    answer = answer_to(
        "The weather and the clock", fields.pop("model_id", "openai/gpt-4o"), **fields
    )
    frames = render_frames(answer, usage_for(answer), style=Style(tokens_per_frame=size))
    assert sum(frame.tokens for frame in frames) == answer.tokens
    deltas = deltas_of(answer, style=Style(tokens_per_frame=size))
    assert "".join(delta["content"] for delta in deltas) == answer.text


def test_a_call_is_named_in_its_first_fragment_only():
    deltas = deltas_of(answer_to("The weather and the clock", tools=[WEATHER, CLOCK]))
    fragments = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    for index in (0, 1):
        first, *later = [one for one in fragments if one["index"] == index]
        assert list(first) == ["index", "id", "type", "function"]
        assert first["function"]["arguments"] == ""
        assert later
        assert all(list(one) == ["index", "function"] for one in later)
        assert all(list(one["function"]) == ["arguments"] for one in later)
        json.loads("".join(one["function"]["arguments"] for one in later))
    assert all(list(delta)[:2] == ["content", "role"] for delta in deltas)


# --- reasoning --------------------------------------------------------------------------------


def reasoning_of(model_id, **fields):
    """The details of a message, the deltas that brought them, and the answer."""
    answer = answer_to(ASKED, model_id, **fields)
    deltas = [delta for delta in deltas_of(answer) if "reasoning_details" in delta]
    message = body_of(answer)["choices"][0]["message"]
    return message, deltas, answer


def test_thoughts_are_streamed_as_text_and_as_details():
    message, deltas, answer = reasoning_of("deepseek/deepseek-r1-0528")
    assert list(deltas[0]) == ["content", "role", "reasoning", "reasoning_details"]
    for delta in deltas:
        (detail,) = delta["reasoning_details"]
        assert list(detail) == ["type", "text", "format", "index"]
        assert (detail["type"], detail["format"], detail["index"]) == (
            "reasoning.text",
            "unknown",
            0,
        )
        assert detail["text"] == delta["reasoning"]
    assert "".join(delta["reasoning"] for delta in deltas) == answer.reasoning
    assert list(message) == ["role", "content", "refusal", "reasoning", "reasoning_details"]
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": answer.reasoning, "format": "unknown", "index": 0}
    ]
    assert deltas_of(answer)[-2]["reasoning"] is None


def test_claude_signs_its_thoughts():
    message, deltas, answer = reasoning_of("anthropic/claude-sonnet-5.5")
    *_, last = deltas
    assert last["reasoning"] is None
    (seal,) = last["reasoning_details"]
    assert list(seal) == ["type", "signature", "format", "index"]
    assert seal["format"] == "anthropic-claude-v1"
    (whole,) = message["reasoning_details"]
    assert list(whole) == ["type", "text", "signature", "format", "index"]
    assert (whole["text"], whole["signature"]) == (answer.reasoning, seal["signature"])


@pytest.mark.parametrize(
    ("model_id", "name"),
    [("openai/gpt-6.1-sol", "openai-responses-v1"), ("x-ai/grok-4.7", "xai-responses-v1")],
)
def test_a_summary_is_shown_beside_the_encrypted_thoughts(model_id, name):
    message, deltas, answer = reasoning_of(model_id)
    (first,) = deltas[0]["reasoning_details"]
    assert list(first) == ["type", "summary", "format", "index"]
    (sealed,) = deltas[-1]["reasoning_details"]
    assert list(sealed) == ["type", "data", "id", "format", "index"]
    assert sealed["id"].startswith("rs_")
    kinds = [detail["type"] for detail in message["reasoning_details"]]
    assert kinds == ["reasoning.summary", "reasoning.encrypted"]
    assert {detail["format"] for detail in message["reasoning_details"]} == {name}
    assert message["reasoning"] == answer.reasoning


def test_gemini_ties_its_thoughts_to_the_call_that_they_led_to():
    message, _, answer = reasoning_of("google/gemini-2.5-pro", tools=[WEATHER])
    text, sealed = message["reasoning_details"]
    assert (text["type"], text["format"]) == ("reasoning.text", "google-gemini-v1")
    assert sealed["id"] == answer.tool_calls[0].id
    assert list(message)[-2:] == ["tool_calls", "reasoning_details"]


def test_thoughts_that_were_not_wanted_are_paid_and_not_shown():
    fields = {"reasoning": {"exclude": True}}
    message, deltas, answer = reasoning_of("deepseek/deepseek-r1-0528", **fields)
    assert (deltas, message["reasoning"]) == ([], None)
    assert "reasoning_details" not in message
    usage = usage_for(answer)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == len(answer.thoughts) > 0


# --- beside the text --------------------------------------------------------------------------


def test_probabilities_are_told_of_every_token_when_asked_for():
    answer = answer_to(ASKED, logprobs=True, top_logprobs=3)
    told = body_of(answer)["choices"][0]["logprobs"]
    assert list(told) == ["content", "refusal"]
    assert [token["token"] for token in told["content"]] == list(answer.pieces)
    for token in told["content"]:
        assert list(token) == ["token", "bytes", "logprob", "top_logprobs"]
        assert bytes(token["bytes"]).decode() == token["token"]
        assert len(token["top_logprobs"]) == 3
        assert token["top_logprobs"][0]["logprob"] == token["logprob"] <= 0
        odds = [rival["logprob"] for rival in token["top_logprobs"]]
        assert odds == sorted(odds, reverse=True)
    streamed = [frame["choices"][0] for frame in frames_of(answer)]
    assert list(streamed[0])[-1] == "logprobs"
    tokens = [one for choice in streamed for one in choice.get("logprobs", {}).get("content", ())]
    assert tokens == told["content"]


def test_without_being_asked_nobody_tells_probabilities():
    assert body_of(answer_to(ASKED))["choices"][0]["logprobs"] is None
    none_beside = answer_to(ASKED, logprobs=True)
    assert body_of(none_beside)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_citations_are_annotations_before_the_text_or_behind_it():
    found = answer_to(ASKED, "deepseek/deepseek-chat", plugins=[{"id": "web"}])
    deltas = deltas_of(found)
    (first,) = deltas[0]["annotations"]
    assert list(first) == ["type", "url_citation"]
    assert list(first["url_citation"]) == ["url", "title", "start_index", "end_index", "content"]
    assert body_of(found)["choices"][0]["message"]["annotations"][0] == first
    native = answer_to(ASKED, "openai/gpt-4.1", plugins=[{"id": "web"}])
    kinds = ["annotations" in delta for delta in deltas_of(native)]
    assert not kinds[0]
    assert kinds[-3]
    cited = native.citations[0]
    assert native.text[cited.start : cited.end]


def test_a_refusal_is_told_in_its_own_field():
    answer = replace(answer_to(ASKED), pieces=(), refusal="I'd rather not.")
    assert body_of(answer)["choices"][0]["message"]["refusal"] == "I'd rather not."
    assert [d["refusal"] for d in deltas_of(answer) if "refusal" in d] == ["I'd rather not."]
