import json

import pytest

from ultrai.domain.outcome import ToolCall, Usage
from ultrai.domain.secret import MASK, Secret
from ultrai.upstream import transcript as module
from ultrai.upstream.transcript import AnswerTooLong, Transcript

KEY = "sk-or-v1-0123456789abcdef"


def chunk(delta=None, finish=None, index=0, **top):
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"id": "gen-1", "choices": [choice], **top}).encode()


def absorbed(*payloads, key=None):
    transcript = Transcript(Secret(key) if key else None)
    for payload in payloads:
        transcript.absorb(payload)
    transcript.take_rest()
    return transcript


USAGE = {"prompt_tokens": 43, "completion_tokens": 10, "cost": 0.000669}


def test_text_is_joined_and_handed_out_once():
    transcript = Transcript(None)
    transcript.absorb(chunk({"content": "Hel"}))
    transcript.absorb(chunk({"content": "lo"}))
    assert transcript.take_news() == ("Hello", "")
    assert transcript.take_news() == ("", "")
    assert transcript.text == "Hello"


@pytest.mark.parametrize(
    "usage_frame",
    [
        json.dumps({"choices": [], "usage": USAGE}).encode(),
        json.dumps({"usage": USAGE}).encode(),
        chunk({"content": "", "role": "assistant"}, usage=USAGE),
        chunk({"content": "", "role": "assistant"}, "stop", usage=USAGE),
    ],
)
def test_usage_is_taken_from_a_frame_of_any_dialect(usage_frame):
    transcript = absorbed(chunk({"content": "4"}), chunk({}, "stop"), usage_frame, b"[DONE]")
    assert transcript.usage == Usage(43, 10)
    assert transcript.cost_raw == "0.000669"
    assert transcript.finish_reason == "stop"
    assert transcript.text == "4"


def test_usage_in_every_chunk_counts_once_and_the_last_counts():
    transcript = absorbed(
        chunk({"content": "a"}, usage={"prompt_tokens": 1, "completion_tokens": 1}),
        chunk({"content": "b"}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2}),
        chunk({}, usage=None),
        chunk({}, usage={}),
    )
    assert transcript.usage == Usage(1, 2)


def test_an_empty_finish_reason_is_none():
    assert absorbed(chunk({"content": "a"}, "")).finish_reason is None


def test_the_first_finish_reason_counts():
    assert absorbed(chunk({}, "length"), chunk({}, "stop")).finish_reason == "length"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_taken_under_either_name(name):
    assert absorbed(chunk({"content": "", name: "Hm"})).reasoning == "Hm"


def test_reasoning_is_not_counted_twice_when_the_details_repeat_it():
    delta = {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}
    assert absorbed(chunk(delta)).reasoning == "Hm"


def test_reasoning_that_is_only_in_the_details_is_taken():
    delta = {"reasoning": None, "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}
    assert absorbed(chunk(delta)).reasoning == "Hm"


def test_of_ten_thousand_choices_the_one_with_index_0_counts():
    choices = [{"index": i, "delta": {"content": str(i)}} for i in range(9_999, -1, -1)]
    assert absorbed(json.dumps({"choices": choices}).encode()).text == "0"


def test_a_server_that_counts_from_minus_one_is_understood():
    transcript = absorbed(chunk({"content": "a"}, index=-1), chunk({"content": "b"}, "stop", -1))
    assert (transcript.text, transcript.finish_reason) == ("ab", "stop")


def test_chunks_of_a_second_choice_are_left_aside():
    transcript = absorbed(chunk({"content": "a"}), chunk({"content": "Z"}, "length", 1))
    assert (transcript.text, transcript.finish_reason) == ("a", None)


def test_an_error_before_the_finish_is_an_error_and_closes():
    transcript = absorbed(chunk({"content": "a"}), chunk({}, "error", error={"code": 502}))
    assert transcript.error.code == 502
    assert transcript.late_error is None
    assert transcript.is_closed


def test_an_error_after_the_finish_is_a_late_one_and_usage_beside_it_counts():
    error = {"code": 400, "message": "Token limit reached"}
    transcript = absorbed(chunk({}, "length"), chunk({}, error=error, usage=USAGE), b"[DONE]")
    assert transcript.error is None
    assert transcript.late_error.message == "Token limit reached"
    assert transcript.usage.completion_tokens == 10


def test_an_error_in_a_choice_is_an_error():
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "error", "error": {"code": 1}}
    transcript = absorbed(json.dumps({"choices": [choice]}).encode())
    assert transcript.error.code == 1
    assert transcript.text == "a"


def test_a_finish_error_followed_by_the_error_itself_is_an_error():
    transcript = absorbed(chunk({}, "error"), chunk({}, error={"code": 503, "message": "down"}))
    assert transcript.error.code == 503


def test_what_follows_done_is_ignored():
    transcript = absorbed(chunk({"content": "a"}), b"[DONE]", chunk({"content": "b"}), b"junk")
    assert transcript.text == "a"
    assert not transcript.is_unreadable


def test_junk_before_the_finish_is_unreadable_and_after_it_is_nothing():
    assert absorbed(chunk({"content": "a"}), b"<html>").is_unreadable
    assert not absorbed(chunk({"content": "a"}, "stop"), b"<html>").is_unreadable


def test_an_empty_event_is_nothing():
    assert not absorbed(b"", b"  ").is_unreadable


def test_tool_calls_are_put_together_by_index():
    def piece(index, **rest):
        return chunk({"content": "", "tool_calls": [{"index": index, **rest}]})

    transcript = absorbed(
        piece(0, id="a", type="function", function={"name": "f", "arguments": ""}),
        piece(0, function={"arguments": '{"x":'}),
        piece(1, id="b", function={"name": "g"}),
        piece(0, function={"arguments": "1}"}),
    )
    assert transcript.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", ""))


def test_tool_calls_that_all_claim_index_0_are_told_apart_by_id():
    def piece(id_, arguments):
        call = {"index": 0, "id": id_, "function": {"name": "f", "arguments": arguments}}
        return chunk({"tool_calls": [call]})

    transcript = absorbed(piece("a", "1"), piece("b", "2"), piece("b", "3"))
    assert [(c.id, c.arguments) for c in transcript.tool_calls] == [("a", "1"), ("b", "23")]


def test_tool_calls_of_a_whole_message_need_no_index():
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}]
    body = {"choices": [{"message": {"content": None, "tool_calls": calls}}]}
    transcript = Transcript(None)
    transcript.absorb_body(json.dumps(body).encode())
    assert [call.name for call in transcript.tool_calls] == ["f", "g"]


def test_a_key_spread_over_deltas_is_masked_in_text_reasoning_and_arguments():
    pieces = [KEY[:5], KEY[5:11], KEY[11:]]
    transcript = absorbed(
        *(
            chunk(
                {
                    "content": p,
                    "reasoning": p,
                    "tool_calls": [{"index": 0, "function": {"arguments": p}}],
                }
            )
            for p in pieces
        ),
        key=KEY,
    )
    assert transcript.text == transcript.reasoning == MASK
    assert transcript.tool_calls[0].arguments == MASK


def test_nuls_are_replaced():
    assert absorbed(chunk({"content": "a\x00b"})).text == "a\ufffdb"


def test_an_answer_past_the_cap_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_ANSWER_CHARACTERS", 10)
    transcript = absorbed(chunk({"content": "x" * 10}))
    with pytest.raises(AnswerTooLong):
        transcript.absorb(chunk({"reasoning": "y"}))


def test_identity_is_the_first_that_was_said():
    transcript = absorbed(
        chunk({"content": "a"}, model="x/y-2026", provider="P"), chunk({}, model="other")
    )
    said = [transcript.said_of(name) for name in ("id", "model", "provider")]
    assert said == ["gen-1", "x/y-2026", "P"]
