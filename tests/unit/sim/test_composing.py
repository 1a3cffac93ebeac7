"""Answers are cut, stopped, thought over and shaped as the request wishes."""

from __future__ import annotations

import json

import pytest
from tests.unit.sim.answers import CLOCK, WEATHER, answer_to, model_of
from tests.unit.sim.schemas import satisfies

from ultrai_sim.refusals import Refusal
from ultrai_sim.thinking import EFFORTS, budget_of, read_thinking

ASKED = "Explain quantum computing in simple terms."
R1 = "deepseek/deepseek-r1-0528"
CLAUDE = "anthropic/claude-sonnet-5.5"


def test_a_limit_is_met_exactly_and_named_as_the_reason():
    whole = answer_to(ASKED)
    for limit in (1, 7, whole.tokens - 1):
        answer = answer_to(ASKED, max_tokens=limit)
        assert answer.tokens == limit
        assert whole.text.startswith(answer.text)
        assert (answer.finish_reason, answer.native_finish_reason) == (
            "length",
            "max_output_tokens",
        )
    assert answer_to(ASKED, max_tokens=whole.tokens).finish_reason == "stop"


def test_thoughts_come_out_of_the_same_limit():
    small = answer_to(ASKED, R1, max_tokens=20)
    assert (small.text, len(small.thoughts), small.finish_reason) == ("", 20, "length")
    large = answer_to(ASKED, R1, max_tokens=2000)
    assert large.text
    assert large.tokens == len(large.thoughts) + len(large.pieces)


def test_a_text_ends_before_its_first_stop_sequence():
    whole = answer_to(ASKED, CLAUDE, reasoning={"effort": "low"}).text
    stop = [" zzz ", whole[40:46], whole[80:90]]
    answer = answer_to(ASKED, CLAUDE, reasoning={"effort": "low"}, stop=stop)
    assert answer.text == whole[: whole.index(stop[1])]
    assert (answer.finish_reason, answer.native_finish_reason) == ("stop", "stop_sequence")
    assert answer.tokens == len(answer.pieces) + len(answer.thoughts)


@pytest.mark.parametrize(
    ("model_id", "stop", "length", "calls"),
    [
        ("openai/gpt-4o", "completed", "max_output_tokens", "completed"),
        ("anthropic/claude-sonnet-4.5", "end_turn", "max_tokens", "tool_use"),
        ("google/gemini-2.5-flash", "STOP", "MAX_TOKENS", "STOP"),
        ("deepseek/deepseek-chat", "stop", "length", "tool_calls"),
    ],
)
def test_providers_name_the_reason_in_their_own_words(model_id, stop, length, calls):
    assert answer_to(ASKED, model_id).native_finish_reason == stop
    assert answer_to(ASKED, model_id, max_tokens=3).native_finish_reason == length
    called = answer_to(ASKED, model_id, tools=[WEATHER])
    assert (called.finish_reason, called.native_finish_reason) == ("tool_calls", calls)


# --- thinking ---------------------------------------------------------------------------------


def test_more_effort_makes_more_thoughts():
    sizes = [
        sum(
            len(answer_to(f"{ASKED} {n}", CLAUDE, reasoning_effort=effort).thoughts) for n in "abcd"
        )
        for effort in ("low", "medium", "high", "xhigh", "max")
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_thoughts_stay_in_the_budget_of_their_effort():
    for effort, (share, _, most) in EFFORTS.items():
        answer = answer_to(ASKED, CLAUDE, reasoning={"effort": effort}, max_tokens=4000)
        assert len(answer.thoughts) <= min(max(4000 * share, 1024), most + 40)


@pytest.mark.parametrize(
    ("effort", "limit", "claude", "budget"),
    [
        ("high", 10_000, False, 8_000),
        ("medium", 10_000, True, 5_000),
        ("minimal", 2_000, True, 1_024),
        ("max", 1_000_000, True, 128_000),
        ("low", 100, False, 64),
        ("low", None, False, None),
    ],
)
def test_an_effort_is_a_share_of_the_limit(effort, limit, claude, budget):
    thinking = read_thinking({"reasoning": {"effort": effort}}, model_of(R1))
    assert budget_of(thinking, limit=limit, is_claude=claude) == budget


def test_a_budget_in_tokens_is_kept():
    answer = answer_to(ASKED, R1, reasoning={"max_tokens": 40})
    assert 0 < len(answer.thoughts) <= 40


@pytest.mark.parametrize(
    ("fields", "on", "hidden"),
    [
        ({}, False, False),
        ({"reasoning": {}}, False, False),
        ({"reasoning": {"enabled": True}}, True, False),
        ({"reasoning": {"effort": "low", "exclude": True}}, True, True),
        ({"reasoning_effort": "high"}, True, False),
        ({"reasoning_effort": "none"}, False, False),
        ({"include_reasoning": True}, True, False),
        ({"include_reasoning": True, "reasoning": {"enabled": False}}, False, False),
    ],
)
def test_a_model_that_may_think_does_so_when_asked(fields, on, hidden):
    thinking = read_thinking(fields, model_of("deepseek/deepseek-v3.2"))
    assert (thinking.on, thinking.hidden) == (on, hidden)


def test_a_model_that_cannot_think_does_not():
    assert not read_thinking({"reasoning": {"effort": "high"}}, model_of("openai/gpt-4o")).on


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": {"effort": "high", "max_tokens": 100}},
        {"reasoning": {"effort": "high"}, "reasoning_effort": "low"},
        {"reasoning": {"enabled": False}},
    ],
)
def test_wishes_that_contradict_each_other_or_the_model_are_refused(fields):
    with pytest.raises(Refusal) as refused:
        read_thinking(fields, model_of(R1))
    assert refused.value.status == 400


def test_a_maker_that_keeps_thoughts_back_shows_a_summary():
    answer = answer_to(ASKED, "openai/gpt-6.1-sol")
    assert answer.reasoning == "".join(answer.summary)
    assert answer.reasoning.startswith("**")
    assert len(answer.shown) != len(answer.thoughts)


# --- calls ------------------------------------------------------------------------------------


def test_a_tool_at_hand_is_called_with_what_its_schema_accepts():
    (call,) = answer_to("What's the weather in Paris for 3 days?", tools=[WEATHER]).tool_calls
    arguments = json.loads(call.arguments)
    assert satisfies(arguments, WEATHER["function"]["parameters"])
    assert (call.name, arguments["city"], arguments["days"]) == ("get_weather", "Paris", 3)
    assert "".join(call.fragments) == call.arguments


def test_the_tool_that_the_question_speaks_of_is_called():
    (call,) = answer_to("What does the clock say?", tools=[WEATHER, CLOCK]).tool_calls
    assert (call.name, call.arguments) == ("clock", "{}")
    (call,) = answer_to("How many days until spring?", tools=[CLOCK, WEATHER]).tool_calls
    assert call.name == "get_weather"
    (call,) = answer_to("Surprise me.", tools=[CLOCK, WEATHER]).tool_calls
    assert call.name == "clock"


def test_several_tools_are_called_at_once_unless_that_is_not_wanted():
    asked = "The weather and the clock, please."
    called = answer_to(asked, tools=[WEATHER, CLOCK]).tool_calls
    assert [call.name for call in called] == ["get_weather", "clock"]
    assert len({call.id for call in called}) == 2
    alone = answer_to(asked, tools=[WEATHER, CLOCK], parallel_tool_calls=False).tool_calls
    assert [call.name for call in alone] == ["get_weather"]


def test_the_choice_of_a_tool_is_the_requests_if_it_wants():
    tools = [WEATHER, CLOCK]
    named = {"type": "function", "function": {"name": "clock"}}
    assert answer_to(ASKED, tools=tools, tool_choice="none").tool_calls == ()
    assert answer_to("Weather?", tools=tools, tool_choice=named).tool_calls[0].name == "clock"
    assert answer_to(ASKED, tools=tools, tool_choice="required").tool_calls


def after_a_call(result):
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": result},
    ]


def test_with_the_results_at_hand_a_model_speaks_of_them():
    answer = answer_to("", messages=after_a_call("13 degrees, rain"), tools=[WEATHER])
    assert answer.tool_calls == ()
    assert "13 degrees, rain." in answer.text


def test_a_call_that_must_be_made_is_made_again():
    fields = {"messages": after_a_call("13"), "tools": [WEATHER], "tool_choice": "required"}
    assert answer_to("", **fields).tool_calls


def test_a_limit_cuts_the_arguments_of_a_call():
    whole = answer_to("Weather in Paris?", tools=[WEATHER])
    for limit in range(1, whole.tokens):
        answer = answer_to("Weather in Paris?", tools=[WEATHER], max_tokens=limit)
        assert (answer.tokens, answer.finish_reason) == (limit, "length")
        (call,) = answer.tool_calls
        assert whole.tool_calls[0].arguments.startswith(call.arguments)
        assert call.arguments != whole.tool_calls[0].arguments


@pytest.mark.parametrize(
    ("model_id", "start", "size"),
    [
        ("openai/gpt-4o", "call_", 29),
        ("anthropic/claude-sonnet-4.5", "toolu_01", 30),
        ("mistralai/mistral-large", "", 9),
    ],
)
def test_ids_of_calls_look_like_their_makers(model_id, start, size):
    (call,) = answer_to(ASKED, model_id, tools=[WEATHER]).tool_calls
    assert call.id.startswith(start)
    assert len(call.id) == size


# --- shapes -----------------------------------------------------------------------------------


def test_a_schema_shapes_the_answer():
    schema = WEATHER["function"]["parameters"]
    wish = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": schema}}
    for model_id in ("openai/gpt-4o", "google/gemini-2.5-flash", CLAUDE):
        answer = answer_to(ASKED, model_id, response_format=wish)
        assert satisfies(json.loads(answer.text), schema)


def test_any_json_is_an_object_with_the_keys_that_were_named():
    wish = {"type": "json_object"}
    assert set(json.loads(answer_to(ASKED, response_format=wish).text)) == {"answer", "topics"}
    asked = 'Return JSON with "name" and "age".'
    assert set(json.loads(answer_to(asked, response_format=wish).text)) == {"name", "age"}


def test_a_schema_that_nothing_satisfies_is_refused():
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    wish = {"type": "json_schema", "json_schema": {"name": "w", "schema": endless}}
    with pytest.raises(Refusal) as refused:
        answer_to(ASKED, response_format=wish)
    assert refused.value.status == 400


# --- search -----------------------------------------------------------------------------------


def test_a_search_cites_pages_natively_in_the_text_or_before_it():
    native = answer_to(ASKED, "openai/gpt-4.1", plugins=[{"id": "web"}])
    for cited in native.citations:
        assert native.text[cited.start : cited.end] in cited.title
        assert cited.content == ""
    orchestrated = answer_to(ASKED, "deepseek/deepseek-chat", plugins=[{"id": "web"}])
    assert len(orchestrated.citations) >= 2
    assert {(cited.start, cited.end) for cited in orchestrated.citations} == {(0, 0)}
    assert all(cited.content for cited in orchestrated.citations)
