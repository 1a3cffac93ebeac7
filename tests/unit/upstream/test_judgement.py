import json

import pytest

from ultrai.domain.outcome import Failure, FailureKind, Phase
from ultrai.upstream.hints import Circumstances
from ultrai.upstream.judgement import judge
from ultrai.upstream.transcript import Transcript

CUT = Failure(FailureKind.CUT_STREAM, "cut", Phase.MID_STREAM)
DONE = b"[DONE]"


def chunk(content="", finish=None, **rest):
    choice = {"index": 0, "delta": {"content": content, **rest}, "finish_reason": finish}
    return json.dumps({"choices": [choice]}).encode()


def error(code, message="no", **top):
    return json.dumps({"error": {"code": code, "message": message}, **top}).encode()


def judged(*payloads):
    transcript = Transcript(None)
    for payload in payloads:
        transcript.absorb(payload)
    transcript.take_rest()
    return judge(transcript, Circumstances(in_stream=True), otherwise=CUT)


def judged_body(**message):
    body = {"choices": [{"message": message.pop("message"), **message}]}
    transcript = Transcript(None)
    transcript.absorb_body(json.dumps(body).encode())
    transcript.take_rest()
    return judge(transcript, Circumstances(), otherwise=CUT)


@pytest.mark.parametrize(
    ("payloads", "truncated"),
    [
        ([chunk("a"), chunk("", "stop"), DONE], False),
        ([chunk("a", "stop")], False),
        ([chunk("a"), DONE], False),
        ([chunk("a"), chunk("", "length"), DONE], True),
        ([chunk("a"), chunk("", "length"), error(400, "Token limit reached"), DONE], True),
        ([chunk("a"), chunk("", "stop"), error(502)], True),
        ([chunk("a"), chunk("", "stop"), b"<junk>"], False),
    ],
)
def test_what_ended_is_an_answer_whatever_came_after(payloads, truncated):
    received = judged(*payloads)
    assert received.failure is None
    assert received.answer.text == "a"
    assert received.answer.truncated is truncated


def test_what_did_not_end_is_the_failure_that_the_reader_saw():
    assert judged(chunk("a")).failure == CUT
    assert judged().failure == CUT


@pytest.mark.parametrize(
    ("payloads", "kind", "phase"),
    [
        ([error(429)], FailureKind.BAD_REQUEST, Phase.BEFORE_STREAM),
        ([chunk("a"), error(429)], FailureKind.BAD_REQUEST, Phase.MID_STREAM),
        ([chunk("", reasoning="Hm"), error(502)], FailureKind.UPSTREAM_ERROR, Phase.MID_STREAM),
        ([chunk("a"), error("server_error")], FailureKind.UPSTREAM_ERROR, Phase.MID_STREAM),
        ([chunk("a"), error(None)], FailureKind.UPSTREAM_ERROR, Phase.MID_STREAM),
        ([chunk("a"), chunk("", "error"), DONE], FailureKind.UPSTREAM_ERROR, Phase.MID_STREAM),
        ([chunk("", "content_filter"), DONE], FailureKind.MODERATED, Phase.BEFORE_STREAM),
        ([chunk("a", "content_filter"), DONE], FailureKind.MODERATED, Phase.MID_STREAM),
        ([chunk("", "stop", refusal="I won't"), DONE], FailureKind.MODERATED, Phase.MID_STREAM),
        ([chunk("", "length"), DONE], FailureKind.EMPTY_ANSWER, Phase.BEFORE_STREAM),
        ([chunk("", "stop"), DONE], FailureKind.EMPTY_ANSWER, Phase.BEFORE_STREAM),
        ([DONE], FailureKind.EMPTY_ANSWER, Phase.BEFORE_STREAM),
        ([chunk("", "length"), error(400), DONE], FailureKind.EMPTY_ANSWER, Phase.BEFORE_STREAM),
        (
            [chunk("", "length", reasoning="Hm"), DONE],
            FailureKind.EMPTY_ANSWER,
            Phase.BEFORE_STREAM,
        ),
    ],
)
def test_each_way_of_failing_has_its_kind_and_phase(payloads, kind, phase):
    received = judged(*payloads)
    assert received.answer is None
    assert (received.failure.kind, received.failure.phase) == (kind, phase)


def test_a_tool_call_without_text_is_an_answer():
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{bad"}}
    received = judged(chunk("", tool_calls=[call]), chunk("", "tool_calls"), DONE)
    assert received.answer.text == ""
    assert received.answer.tool_calls[0].arguments == "{bad"


def test_a_refusal_beside_text_is_an_answer():
    assert judged(chunk("Sorry.", "stop", refusal="no"), DONE).answer.text == "Sorry."


def test_an_empty_answer_says_how_much_was_thought():
    usage = {"completion_tokens": 1000}
    frame = json.dumps({"choices": [{"finish_reason": "length"}], "usage": usage}).encode()
    assert "after 1000 tokens" in judged(frame, DONE).failure.message


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_whole_body_without_text_is_an_empty_answer(content):
    received = judged_body(message={"content": content, "reasoning": "Hm"}, finish_reason="length")
    assert received.failure.kind is FailureKind.EMPTY_ANSWER


def test_a_whole_body_with_an_error_in_its_choice_is_that_error():
    received = judged_body(
        message={"content": "par"}, finish_reason="error", error={"code": 502, "message": "gone"}
    )
    assert (received.failure.kind, received.failure.message) == (FailureKind.UPSTREAM_ERROR, "gone")
