"""A chat request is read leniently: what is understood counts, the rest is passed over."""

from __future__ import annotations

from base64 import b64encode

import pytest

from ultrai_sim.question import Media, Tool, read_question

ALL = frozenset({"tools", "tool_choice", "response_format", "stop", "seed", "logprobs"}) | {
    "top_logprobs"
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def read(*messages, supported=ALL, **fields):
    body = {"messages": messages, **fields}
    asked = fields.get("model", "")
    return read_question(body, messages, supported=supported, asked=asked)


def user(content):
    return {"role": "user", "content": content}


def test_texts_of_all_messages_are_the_prompt_and_the_last_of_the_user_is_what_is_asked():
    question = read(
        {"role": "system", "content": "Be brief."},
        user("First?"),
        {"role": "assistant", "content": "Yes."},
        user([{"type": "text", "text": "Why"}, {"type": "text", "text": "so?"}]),
    )
    assert question.prompt == "Be brief.\nFirst?\nYes.\nWhy\nso?"
    assert (question.asked, question.messages, question.results) == ("Why\nso?", 4, ())


def test_what_tools_said_since_the_last_question_is_a_result():
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    question = read(
        user("Weather?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "13 degrees"},
    )
    assert question.results == ("13 degrees",)
    assert question.asked == "Weather?"
    assert "weather\n{}" in question.prompt


def test_results_of_an_earlier_turn_are_history():
    tool = {"role": "tool", "tool_call_id": "c", "content": "13"}
    assert read(user("a"), tool, user("b")).results == ()


def test_tools_and_the_choice_among_them_are_read():
    question = read(user("a"), tools=[WEATHER, {"type": "openrouter:datetime"}, 3])
    assert question.tools == (Tool("weather", {"type": "object"}),)
    assert question.choice == "auto"
    named = {"type": "function", "function": {"name": "weather"}}
    assert read(user("a"), tools=[WEATHER], tool_choice=named).choice == ":weather"
    assert read(user("a"), tools=[WEATHER], tool_choice="required").choice == "required"


@pytest.mark.parametrize(
    ("wish", "shape"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "array"}}}, {"type": "array"}),
        ({"type": "json_schema"}, None),
        ("json", None),
    ],
)
def test_the_shape_of_the_answer_is_read(wish, shape):
    assert read(user("a"), response_format=wish).shape == shape


@pytest.mark.parametrize(
    ("wish", "stop"),
    [("END", ("END",)), (["a", "", 3, "b"], ("a", "b")), (list("abcdef"), tuple("abcd")), (7, ())],
)
def test_stops_are_one_text_or_up_to_four(wish, stop):
    assert read(user("a"), stop=wish).stop == stop


def test_a_wish_that_the_model_does_not_support_is_dropped():
    question = read(
        user("a"), supported=frozenset(), tools=[WEATHER], stop="x", seed=3, logprobs=True
    )
    assert (question.tools, question.stop, question.seed) == ((), (), None)
    assert question.top_logprobs is None


def test_logprobs_come_with_as_many_rivals_as_asked_for_up_to_twenty():
    assert read(user("a"), logprobs=True).top_logprobs == 0
    assert read(user("a"), logprobs=True, top_logprobs=99).top_logprobs == 20
    assert read(user("a"), top_logprobs=5).top_logprobs is None


@pytest.mark.parametrize(
    ("fields", "searches"),
    [
        ({"model": "openai/gpt-4o:online"}, True),
        ({"plugins": [{"id": "web"}]}, True),
        ({"plugins": [{"id": "web", "enabled": False}]}, False),
        ({"tools": [{"type": "openrouter:web_search"}]}, True),
        ({"model": "openai/gpt-4o"}, False),
    ],
)
def test_the_web_is_searched_by_suffix_plugin_or_server_tool(fields, searches):
    assert read(user("a"), **fields).searches is searches


def test_media_are_counted_by_rule():
    data = "data:application/pdf;base64," + b64encode(bytes(120_000)).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {"type": "file", "file": {"file_data": data}},
        {"type": "input_audio", "input_audio": {"data": b64encode(bytes(5000)).decode()}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        {"type": "unheard_of", "unheard_of": {}},
        {"type": "image_url", "image_url": "not an object"},
    ]
    question = read(user(parts))
    assert question.media == Media(1, 1, 3, 11, 2000)
    bare = read(user([]))
    assert question.count("GPT") - bare.count("GPT") == 765 + 85 + 3 * 1200 + 11 + 2000


def test_tools_are_part_of_the_prompt():
    assert read(user("a"), tools=[WEATHER]).count("GPT") > read(user("a")).count("GPT") + 20


def test_families_disagree_about_a_prompt_and_none_counts_nothing():
    question = read(user("Twice a day the water climbs the beach and covers the stones."))
    assert question.count("Claude-4.7") > question.count("Claude") > question.count("Gemini")
    assert read(user("")).count("Gemini") == 1


@pytest.mark.parametrize(
    "message", [None, 3, "text", {}, {"content": 3}, {"content": [3, {"text": 4}], "tool_calls": 1}]
)
def test_what_is_no_message_is_passed_over(message):
    assert read(message).prompt == ""
