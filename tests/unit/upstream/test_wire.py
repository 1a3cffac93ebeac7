import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.outcome import Usage
from ultrai.upstream.wire import (
    decode_frame,
    is_something,
    read_cost,
    read_reasoning_details,
    read_usage,
)


def usage_of(usage):
    frame = decode_frame(b'{"usage":' + usage + b"}")
    return frame.usage


def test_an_empty_object_is_a_frame_in_which_nothing_is_said():
    frame = decode_frame(b"{}")
    assert frame.choices is None
    assert frame.usage is None
    assert not is_something(frame.error)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"17", b'"x"', b"{", b'{"a":', b"OK"])
def test_what_is_no_object_is_no_frame(payload):
    assert decode_frame(payload) is None


def test_a_bomb_of_brackets_is_no_frame():
    assert decode_frame(b'{"x":' + b"[" * 300_000 + b"}") is None


def test_the_cost_is_the_very_text_of_the_json_number():
    assert read_cost(usage_of(b'{"cost": 5.500000000000001e-05}')) == "5.500000000000001e-05"
    assert read_cost(usage_of(b'{"cost":0}')) == "0"


def test_the_cost_survives_a_frame_that_only_the_lenient_reader_takes():
    odd = b'{"cost":5.500000000000001e-05,"prompt_tokens":"16"}'
    assert read_cost(usage_of(odd)) == "5.500000000000001e-05"
    assert read_usage(usage_of(odd)).prompt_tokens == 16


@pytest.mark.parametrize(
    "cost", [b"null", b"true", b"{}", b"[1]", b'"free"', b"NaN", b'""', b"1" * 70]
)
def test_what_is_no_figure_is_no_cost(cost):
    assert read_cost(usage_of(b'{"cost":' + cost + b"}")) is None


def test_a_cost_in_quotes_is_a_figure():
    assert read_cost(usage_of(b'{"cost":"0.0012"}')) == "0.0012"


def test_usage_is_read_with_its_details():
    usage = usage_of(
        b'{"prompt_tokens":16,"completion_tokens":4,"total_tokens":20,'
        b'"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":11}}'
    )
    assert read_usage(usage) == Usage(16, 4, 11, 3)


@pytest.mark.parametrize("count", [b"-1", b'"many"', b"1.5", b"null", b"1e30", b"[]", b"true"])
def test_a_count_that_cannot_be_one_is_unknown_and_spoils_no_other(count):
    usage = usage_of(b'{"prompt_tokens":' + count + b',"completion_tokens":4}')
    assert read_usage(usage) == Usage(None, 4)


@pytest.mark.parametrize("details", [b"null", b"[]", b'"x"', b'{"cached_tokens":null}'])
def test_odd_details_are_as_good_as_none(details):
    assert read_usage(usage_of(b'{"prompt_tokens_details":' + details + b"}")) == Usage()


@pytest.mark.parametrize("error", [b"null", b"false", b'""', b"{}", b"[]"])
def test_an_empty_error_says_nothing(error):
    assert not is_something(decode_frame(b'{"error":' + error + b"}").error)


@pytest.mark.parametrize("error", [b'"boom"', b'{"code":1}', b"1"])
def test_any_other_error_says_something(error):
    assert is_something(decode_frame(b'{"error":' + error + b"}").error)


def content_of(payload):
    return decode_frame(payload).choices[0].delta.content


def test_bytes_that_are_no_utf8_are_replaced():
    assert content_of(b'{"choices":[{"delta":{"content":"a\xffb"}}]}') == "a\ufffdb"


def test_a_lone_surrogate_is_replaced():
    assert content_of(b'{"choices":[{"delta":{"content":"a\\ud800b"}}]}') == "a\ufffdb"


def test_raw_control_characters_and_nan_do_not_spoil_a_frame():
    payload = b'{"choices":[{"logprobs":NaN,"delta":{"content":"a\tb"}}]}'
    assert content_of(payload) == "a\tb"


def test_content_in_parts_is_joined():
    payload = b'{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"text":"b"},7]}}]}'
    assert content_of(payload) == "ab"


def test_arguments_that_are_an_object_become_their_text():
    payload = b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"a":1.5}}}]}}]}'
    (piece,) = decode_frame(payload).choices[0].delta.tool_calls
    assert json.loads(piece.function.arguments) == {"a": "1.5"}


def test_choices_of_odd_types_are_taken_as_empty_ones():
    frame = decode_frame(b'{"choices":[null,7,{"index":"0","finish_reason":5}]}')
    assert [choice.index for choice in frame.choices] == [None, None, 0]
    assert all(choice.finish_reason is None for choice in frame.choices)


def test_reasoning_details_give_texts_and_summaries_but_no_ciphers():
    frame = decode_frame(
        b'{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm"},'
        b'{"type":"reasoning.summary","summary":"ha"},{"type":"reasoning.encrypted","data":"x"},'
        b"null]}}]}"
    )
    assert read_reasoning_details(frame.choices[0].delta.reasoning_details) == "Hmha"


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "usage",
                    "cost",
                    "error",
                    "index",
                    "tool_calls",
                    "function",
                    "arguments",
                    "reasoning_details",
                    "finish_reason",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "error", "id"]), json_values))
def test_no_object_of_any_shape_is_too_odd_to_be_a_frame(shape):
    frame = decode_frame(json.dumps(shape).encode())
    assert frame is not None
    if frame.usage is not None:
        read_usage(frame.usage)
        read_cost(frame.usage)
