"""What the simulator sends has the keys, in the order and of the types, that real traffic had.

Each shape was read off a recording of the real interface and written down here by hand: keys and
types, none of the values; the test names its recording. Bodies were recorded with their keys in
the order of the alphabet, so they are compared in it. Of recordings from 2025 the places are
compared that they had: fields came since, and the order has changed. A file that OpenRouter parsed
comes back as an annotation in one of them; the simulator sends none.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.sim.talking import ask, fetch, with_simulator
from tests.contract.sim.test_speech import ASKED, WEATHER

from ultrai_sim import Fault, World

OPENING = "id:str object:str created:num model:str provider:str"
DELTA = "index:num delta:{content:str role:str}"
ENDED = "finish_reason:str native_finish_reason:str"
OPEN = "finish_reason:null native_finish_reason:null"
PROMPT_TOKENS = "{cached_tokens:num cache_write_tokens:num audio_tokens:num video_tokens:num}"
COSTS = (
    "{upstream_inference_cost:num upstream_inference_prompt_cost:num "
    "upstream_inference_completions_cost:num}"
)
COMPLETION_TOKENS = "{reasoning_tokens:num image_tokens:num audio_tokens:num}"
COUNTS = "prompt_tokens:num completion_tokens:num total_tokens:num cost:num"
PLAIN_USAGE = (
    f"usage:{{{COUNTS} is_byok:bool prompt_tokens_details:{PROMPT_TOKENS} cost_details:{COSTS} "
    f"completion_tokens_details:{COMPLETION_TOKENS}}}"
)
TEXT = f"{{{OPENING} choices:[{{{DELTA} {OPEN}}}]}}"
FINISH = f"{{{OPENING} choices:[{{{DELTA} {ENDED}}}]}}"
SEARCHED_USAGE = f"{PLAIN_USAGE[:-1]} server_tool_use_details:{{web_search_requests:num}}}}"


def looped_usage(tools):
    """The usage where OpenRouter itself ran tools: other order, no ``is_byok``."""
    return (
        f"usage:{{{COUNTS} prompt_tokens_details:{PROMPT_TOKENS} "
        f"completion_tokens_details:{COMPLETION_TOKENS} cost_details:{COSTS} "
        f"server_tool_use_details:{{{tools}tool_calls_requested:num tool_calls_executed:num}}}}"
    )


def last(usage, *, tier="null"):
    """The usage frame."""
    return f"{{{OPENING} service_tier:{tier} choices:[{{{DELTA} {ENDED}}}] {usage}}}"


CITED = (
    f"{{{OPENING} choices:[{{index:num delta:{{content:str role:str annotations:[{{type:str "
    f"url_citation:{{url:str title:str start_index:num end_index:num content:str}}}}]}} {OPEN}}}]}}"
)
SEARCH = {"tools": [{"type": "openrouter:web_search"}]}
ADVISOR = {"tools": [{"type": "openrouter:advisor"}]}
NO_CITATIONS = ("annotations",)


def shape(value: Any) -> str:
    """The keys of a JSON value in their order, and the types; of a list each kind once."""
    if isinstance(value, dict):
        inner = (f"{key}:{shape(held)}" for key, held in value.items())
        return f"{{{' '.join(inner)}}}"
    if isinstance(value, list):
        return f"[{' | '.join(dict.fromkeys(map(shape, value)))}]"
    if value is None:
        return "null"
    return {bool: "bool", str: "str"}.get(type(value), "num")


def in_alphabet(value: Any) -> Any:
    """The same value, all keys in the order of the alphabet."""
    if isinstance(value, dict):
        return {key: in_alphabet(value[key]) for key in sorted(value)}
    return [in_alphabet(one) for one in value] if isinstance(value, list) else value


def paths(value: Any, at: str = "") -> dict[str, set[str]]:
    """Each place in a JSON value -> the types seen there."""
    found: dict[str, set[str]] = {}
    held = (
        value.items()
        if isinstance(value, dict)
        else (("", one) for one in value)
        if isinstance(value, list)
        else ()
    )
    for key, one in held:
        for place, kinds in paths(one, f"{at}.{key}" if key else f"{at}[]").items():
            found.setdefault(place, set()).update(kinds)
    if not isinstance(value, dict | list):
        found[at] = {shape(value)}
    return found


def heard(model, *, world=None, **fields):
    return with_simulator(world, lambda sim: ask(sim, model, **fields))


def without(value: Any, names: tuple[str, ...]) -> Any:
    """The same value without some keys."""
    if isinstance(value, dict):
        return {key: without(held, names) for key, held in value.items() if key not in names}
    return [without(one, names) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("model", "fields", "frames"),
    [
        # test_openrouter_advisor_tool_stream
        ("openai/gpt-4o-mini", ADVISOR, [TEXT, FINISH, last(looped_usage(""))]),
        # test_openrouter_web_search_annotations_stream
        (
            "deepseek/deepseek-chat",
            SEARCH,
            [CITED, TEXT, FINISH, last(looped_usage("web_search_requests:num "))],
        ),
        # test_openrouter_web_search_tool_usage_stream: nothing was cited there
        (
            "openai/gpt-4.1-mini",
            SEARCH,
            [TEXT, FINISH, last(SEARCHED_USAGE, tier="str")],
        ),
    ],
)
def test_streams_are_those_of_2026(model, fields, frames):
    told = heard(model, stream=True, **fields)
    assert told.comments
    assert told.done
    seen = dict.fromkeys(map(shape, told.frames))
    assert [one for one in seen if one == CITED or "annotations" not in one] == frames


def test_a_stream_of_march_2026_ends_without_a_choice():
    """test_openrouter_cache_streaming_e2e."""
    world = World(usage_dialect="b")
    told = heard("anthropic/claude-sonnet-4.6", world=world, stream=True)
    seen = list(dict.fromkeys(map(shape, told.frames)))
    assert seen == [TEXT, FINISH, f"{{{OPENING} choices:[] {PLAIN_USAGE}}}"]


BODY_PLAIN = (
    "{choices:[{finish_reason:str index:num logprobs:null message:{content:str reasoning:null "
    "refusal:null role:str} native_finish_reason:str}] created:num id:str model:str object:str "
    "provider:str service_tier:%s system_fingerprint:null usage:{completion_tokens:num "
    "completion_tokens_details:{audio_tokens:num image_tokens:num reasoning_tokens:num} cost:num "
    "cost_details:{upstream_inference_completions_cost:num upstream_inference_cost:num "
    "upstream_inference_prompt_cost:num} %sprompt_tokens:num "
    "prompt_tokens_details:{audio_tokens:num cache_write_tokens:num cached_tokens:num "
    "video_tokens:num} %stotal_tokens:num}}"
)
RUN = "server_tool_use_details:{tool_calls_executed:num tool_calls_requested:num} "
SEARCHED = "server_tool_use_details:{web_search_requests:num} "


@pytest.mark.parametrize(
    ("model", "fields", "recorded"),
    [
        # test_openrouter_advisor_tool
        ("openai/gpt-4o-mini", ADVISOR, BODY_PLAIN % ("null", "", RUN)),
        # test_openrouter_web_search_tool_usage
        ("openai/gpt-4.1-mini", SEARCH, BODY_PLAIN % ("str", "is_byok:bool ", SEARCHED)),
        # test_openrouter_cache_instructions_e2e; the tier is newer
        ("anthropic/claude-sonnet-4.6", {}, BODY_PLAIN % ("null", "is_byok:bool ", "")),
    ],
)
def test_bodies_are_those_of_2026(model, fields, recorded):
    body = heard(model, **fields).body
    assert shape(in_alphabet(without(body, NO_CITATIONS))) == recorded


# What all answers have had since 2025, and what older recordings have of it.
SINCE_2025 = (
    "id object created model provider choices[].index choices[].finish_reason "
    "choices[].native_finish_reason"
)
MESSAGE = (
    "choices[].logprobs choices[].message.role choices[].message.content "
    "choices[].message.refusal choices[].message.reasoning usage.prompt_tokens "
    "usage.completion_tokens usage.total_tokens"
)
CALL = " ".join(
    f"choices[].message.tool_calls[].{name}"
    for name in ("type", "index", "id", "function.name", "function.arguments")
)
DETAILS = " ".join(
    f"choices[].message.reasoning_details[].{name}" for name in ("type", "text", "format", "index")
)
SEALED = " ".join(
    f"choices[].message.reasoning_details[].{name}" for name in ("summary", "data", "id")
)
COUNTED = "usage.completion_tokens_details.reasoning_tokens usage.cost usage.is_byok"


@pytest.mark.parametrize(
    ("model", "fields", "recorded"),
    [
        # test_openrouter_with_google_model
        ("google/gemma-4-31b-it:free", {}, ""),
        # test_openrouter_tool_calling
        ("mistralai/mistral-small-2603", {"tools": [WEATHER], "messages": ASKED}, CALL),
        # test_openrouter_with_reasoning
        ("z-ai/glm-5.3", {}, f"system_fingerprint {DETAILS}"),
        # test_openrouter_file_annotation, but for the parsed file
        ("openai/gpt-6.1-sol", {}, f"{SEALED} {COUNTED}"),
    ],
)
def test_what_bodies_had_in_2025_they_still_have(model, fields, recorded):
    body = heard(model, **fields).body
    assert {f".{place}" for place in f"{SINCE_2025} {MESSAGE} {recorded}".split()} <= set(
        paths(body)
    )


def test_reasoning_streamed_in_2025_had_these_places():
    """test_openrouter_streaming_reasoning."""
    told = heard("anthropic/claude-sonnet-4.5", stream=True, reasoning={"enabled": True})
    found = paths(told.frames)
    delta = "[].choices[].delta"
    assert found[f"{delta}.content"] == {"str"}
    assert found[f"{delta}.reasoning"] == {"str", "null"}
    for name, kind in {"type": "str", "text": "str", "signature": "str", "format": "str"}.items():
        assert found[f"{delta}.reasoning_details[].{name}"] == {kind}
    assert found[f"{delta}.reasoning_details[].index"] == {"num"}
    # The seal comes in a frame of its own, behind all thoughts and before the text.
    order = [
        "seal"
        if any("signature" in one for one in delta.get("reasoning_details", ()))
        else "thought"
        if delta.get("reasoning")
        else "text"
        if delta["content"]
        else "end"
        for frame in told.frames
        for delta in (choice["delta"] for choice in frame["choices"])
    ]
    assert list(dict.fromkeys(order)) == ["thought", "seal", "text", "end"]


def test_an_error_behind_the_end_was_streamed_so_in_2025():
    """test_openrouter_stream_error: finish ``length``, then an error with usage, then [DONE]."""
    world = World(faults=[Fault(kind="length_then_error_400")])
    told = heard("deepseek/deepseek-r1-0528", world=world, stream=True, max_tokens=10)
    *_, finish, error = told.frames
    assert finish["choices"][0]["finish_reason"] == "length"
    assert {f"{name}:{shape(held)}" for name, held in error["error"].items()} == {
        "code:num",
        "message:str",
    }
    assert shape(error["choices"]) == f"[{{{DELTA} {OPEN}}}]"
    assert {"cost", "is_byok", "prompt_tokens", "cost_details"} <= set(error["usage"])
    assert told.done


def test_a_refusal_by_the_provider_has_the_recorded_places():
    """test_openrouter_errors_raised: 429 of a free model; ``is_byok`` is newer."""
    world = World(faults=[Fault(kind="status", status=429)])
    told = heard("google/gemma-4-31b-it:free", world=world)
    recorded = (
        "{error:{message:str code:num metadata:{raw:str provider_name:str is_byok:bool}} "
        "user_id:str}"
    )
    assert shape(told.body) == recorded


ROW = (
    *("id", "canonical_slug", "hugging_face_id", "name", "created", "description"),
    *("context_length", "architecture", "pricing", "top_provider", "per_request_limits"),
    *("supported_parameters", "default_parameters", "supported_voices", "knowledge_cutoff"),
    *("expiration_date", "links", "benchmarks"),
)
INSIDE = {
    "architecture": "modality input_modalities output_modalities tokenizer instruct_type",
    "top_provider": "context_length max_completion_tokens is_moderated",
    "links": "details",
}
PRICES = (
    *("prompt", "completion", "web_search", "input_cache_read", "input_cache_write"),
    *("input_cache_write_1h", "overrides"),
)
OWN = ("x_simulated", "alias_target")


def test_rows_of_models_have_their_keys_in_order():
    """llm-openrouter_test_reasoning and llm-openrouter_test_tool_calls: GET /models."""
    rows = with_simulator(None, lambda sim: fetch(sim, "/models")).body["data"]
    for row in rows:
        wanted = [*ROW, "reasoning"] if "reasoning" in row else [*ROW]
        assert [key for key in row if key not in OWN] == wanted
        for name, keys in INSIDE.items():
            assert list(row[name]) == keys.split()
        known = [key for key in row["pricing"] if key in PRICES]
        assert known == sorted(known, key=PRICES.index)
        assert list(row["pricing"])[:2] == ["prompt", "completion"]
