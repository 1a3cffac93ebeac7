"""Streams: every dialect gives the same Answer, and silence is told from work."""

from __future__ import annotations

import gzip
import json

import pytest
from tests.contract.product.asking import A, B, ask, codes_of, failures_of, kinds_of
from tests.contract.product.upstream import (
    COMMENT,
    DONE,
    USAGE,
    Act,
    Upstream,
    ending,
    frame,
    refusal,
    says,
    streamed,
    whole,
)

HELLO = (frame("Hel"), frame("lo"))
COUNTED = {"prompt_tokens": 16, "completion_tokens": 4, "reasoning_tokens": 2, "cached_tokens": 3}
TWO_MB = b"data: " + b"x" * 2_000_000


def answer_to(play, home, settings=None, **wishes):
    """The first slot after one question to one model, and the Report."""
    report, code = ask(Upstream({A: [play]}), home, settings, models=[A], **wishes)
    return report["slots"][0], report, code


DIALECTS = {
    "2025": (frame(finish="stop"), frame(usage=USAGE), DONE),
    "spring 2026": (frame(finish="stop"), frame(choices=[], usage=USAGE), DONE),
    "today": ending(),
    "usage with the finish": (frame(finish="stop", usage=USAGE), DONE),
    "usage in every frame": (frame("", usage=USAGE), frame(finish="stop", usage=USAGE), DONE),
    "no [DONE] after the finish": (frame(finish="stop"), frame(finish="stop", usage=USAGE)),
    "reset after the finish": (frame(finish="stop", usage=USAGE), 0.02, Act.RESET),
    "text after [DONE]": (*ending(), frame(" and more"), DONE),
    "done twice": (*ending(), DONE),
    "comments in between": (COMMENT, *ending(), COMMENT),
    "no last blank line": (frame(finish="stop", usage=USAGE), b"data: [DONE]"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_of_the_end_is_the_same_answer_at_the_reported_cost(dialect, tmp_path):
    slot, report, code = answer_to(streamed(COMMENT, *HELLO, *DIALECTS[dialect]), tmp_path)
    answer = slot["answer"]
    assert (answer["text"], answer["finish_reason"], answer["truncated"]) == (
        "Hello",
        "stop",
        False,
    )
    assert (answer["model"], answer["provider"]) == ("acme/any-2026-01-01", "Acme")
    assert answer["generation_id"] == "gen-1790000000-AbCdEfGhIjKlMnOpQrSt"
    assert slot["usage"] == COUNTED
    assert (slot["cost_usd"], slot["cost_state"]) == ("0.0000414", "reported")
    assert report["cost_usd"] == "0.0000414"
    assert report["cost_known"] is True
    assert len(slot["attempts"]) == 1
    assert code == 0


@pytest.mark.parametrize("size", [1, 2, 7], ids="{} bytes".format)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_frames_split_anywhere_are_the_same_answer(size, newline, tmp_path):
    whole_stream = COMMENT + b"".join([frame("Grüße 😀"), frame(" \u2028 x"), *ending()])
    stream = whole_stream.replace(b"\n", newline)
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    slot, _, code = answer_to(streamed(*pieces), tmp_path)
    assert slot["answer"]["text"] == "Grüße 😀 \u2028 x"
    assert slot["usage"] == COUNTED
    assert code == 0


def test_an_answer_without_usage_has_an_estimated_cost_that_is_said_to_be_one(tmp_path):
    slot, report, code = answer_to(streamed(*HELLO, *ending(None)), tmp_path)
    assert slot["cost_state"] == "estimated"
    assert slot["usage"] is None or set(slot["usage"].values()) == {None}
    assert report["cost_known"] is False
    assert "cost_estimated" in codes_of(report)
    assert code == 0


@pytest.mark.parametrize("cost", ["null", "-1", "NaN", "1e308", '"free"', "{}"])
def test_a_cost_that_is_none_is_estimated_from_the_tokens(cost, tmp_path):
    usage = json.dumps(USAGE).replace(str(USAGE["cost"]), cost).encode()
    last = frame(finish="stop").replace(b'"choices"', b'"usage": ' + usage + b', "choices"')
    slot, report, _ = answer_to(streamed(*HELLO, last, DONE), tmp_path)
    assert slot["cost_state"] == "estimated"
    assert slot["cost_usd"] not in (None, "0")
    assert report["cost_known"] is False


def test_a_cost_of_nothing_is_a_reported_cost(tmp_path):
    slot, report, _ = answer_to(streamed(*HELLO, *ending({**USAGE, "cost": 0})), tmp_path)
    assert (slot["cost_usd"], slot["cost_state"]) == ("0", "reported")
    assert report["cost_known"] is True


def test_an_error_after_the_finish_length_leaves_the_answer_standing_and_truncated(tmp_path):
    error = {"code": 400, "message": "Token limit reached"}
    late = frame(error=error, usage=USAGE)
    slot, report, code = answer_to(streamed(*HELLO, frame(finish="length"), late, DONE), tmp_path)
    assert (slot["answer"]["text"], slot["answer"]["truncated"]) == ("Hello", True)
    assert slot["cost_state"] == "reported"
    assert "answer_truncated" in codes_of(report)
    assert code == 0


def test_an_answer_cut_by_the_token_limit_is_an_answer_and_marked(tmp_path):
    slot, report, code = answer_to(streamed(*HELLO, *ending(finish="length")), tmp_path)
    assert (slot["answer"]["finish_reason"], slot["answer"]["truncated"]) == ("length", True)
    assert "answer_truncated" in codes_of(report)
    assert code == 0


def test_tool_calls_without_text_are_an_answer(tmp_path):
    piece = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f"}}
    rest = {"index": 0, "function": {"arguments": '{"x": '}}
    play = streamed(
        frame("", tool_calls=[piece]),
        frame("", tool_calls=[rest]),
        *ending(finish="tool_calls"),
    )
    slot, _, code = answer_to(play, tmp_path)
    assert slot["answer"]["finish_reason"] == "tool_calls"
    assert slot["answer"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": '}
    assert code == 0


def test_reasoning_is_kept_apart_from_text(tmp_path):
    details = [{"type": "reasoning.text", "text": " ja", "index": 0}]
    play = streamed(
        frame("", reasoning="Hm", reasoning_details=[{"type": "reasoning.text", "text": "Hm"}]),
        frame("", reasoning_details=details),
        frame("4"),
        *ending(),
    )
    slot, _, _ = answer_to(play, tmp_path)
    assert (slot["answer"]["text"], slot["answer"]["reasoning"]) == ("4", "Hm ja")


@pytest.mark.parametrize(
    "body",
    [
        b'\n \n{"choices":[{"finish_reason":"stop","message":{"content":"Hello"}}]}',
        b'{"choices":[{"finish_reason":"stop","message":{"content":[{"type":"text","text":"Hello"}]}}]}',
        b'{"choices":[{"finish_reason":"stop","message":{"content":"Hel\\ud800lo"}}]}',
        b'{"choices":[{"finish_reason":"stop","message":{"content":"Hel\xfflo"}}]}',
    ],
    ids=["keep-alive blanks", "content parts", "lone surrogate", "invalid UTF-8"],
)
def test_an_answer_in_one_piece_is_taken_where_a_stream_was_asked(body, tmp_path):
    slot, _, code = answer_to(whole("200 OK", body), tmp_path)
    assert slot["answer"]["text"].replace("\ufffd", "") == "Hello"
    assert code == 0


def test_a_gzipped_answer_is_read_and_a_gzip_that_is_none_is_a_bad_response(tmp_path):
    body = b'{"choices":[{"finish_reason":"stop","message":{"content":"Hello"}}]}'
    good = whole("200 OK", gzip.compress(body), "Content-Encoding: gzip")
    lie = whole("200 OK", body, "Content-Encoding: gzip")
    upstream = Upstream({A: [good], B: [lie]})
    report, code = ask(upstream, tmp_path, models=[A, B])
    assert report["slots"][0]["answer"]["text"] == "Hello"
    assert kinds_of(report["slots"][1]) == ["bad_response"] * 3
    assert code == 3


def test_an_empty_200_is_no_answer(tmp_path):
    for number, play in enumerate([whole("200 OK", b""), streamed(), streamed(DONE)]):
        slot, _, code = answer_to(play, tmp_path / str(number), {"max_attempts": 1})
        assert slot["state"] == "failed"
        assert kinds_of(slot)[0] in {"cut_stream", "empty_answer", "bad_response"}
        assert code == 4


def test_without_streaming_the_answer_is_the_same(tmp_path):
    upstream = Upstream({A: [says("Hello")]})
    report, code = ask(upstream, tmp_path, models=[A], streaming=False)
    slot = report["slots"][0]
    assert upstream.calls[0].body["stream"] is False
    assert slot["answer"]["text"] == "Hello"
    assert (slot["cost_usd"], slot["cost_state"]) == ("0.0000414", "reported")
    assert code == 0


# --- silence ---------------------------------------------------------------------------------


def test_text_after_a_silence_shorter_than_the_stall_timer_is_an_answer(tmp_path):
    play = streamed(frame("Hel"), 0.3, frame("lo"), *ending())
    slot, _, code = answer_to(play, tmp_path, {"text_stall_timeout_s": 5.0})
    assert (slot["answer"]["text"], code) == ("Hello", 0)


def test_comments_do_not_renew_the_timer_of_text(tmp_path):
    comments = [COMMENT, 0.05] * 100
    play = streamed(frame("Hel"), *comments, frame("lo"), *ending())
    timers = {"text_stall_timeout_s": 0.4, "liveness_timeout_s": 30.0, "max_attempts": 1}
    slot, _, _ = answer_to(play, tmp_path, timers)
    failure = failures_of(slot)[0]
    assert (failure["kind"], failure["phase"]) == ("timeout", "mid_stream")
    assert slot["attempts"][0]["partial"]["text"] == "Hel"
    assert slot["attempts"][0]["elapsed_ms"] >= 400


def test_comments_do_not_renew_the_timer_of_the_first_text(tmp_path):
    timers = {"first_text_timeout_s": 0.3, "max_attempts": 1}
    slot, _, code = answer_to(streamed(*[COMMENT, 0.05] * 100), tmp_path, timers)
    failure = failures_of(slot)[0]
    assert (failure["kind"], failure["phase"]) == ("timeout", "before_stream")
    assert code == 4


def test_comments_renew_the_timer_of_liveness(tmp_path):
    comments = [COMMENT, 0.1] * 20
    play = streamed(frame("Hel"), *comments, frame("lo"), *ending())
    timers = {"text_stall_timeout_s": 30.0, "liveness_timeout_s": 1.2}
    slot, _, code = answer_to(play, tmp_path, timers)
    assert (slot["answer"]["text"], code) == ("Hello", 0)


def test_reasoning_renews_the_timer_of_text(tmp_path):
    thoughts = [frame("", reasoning="m"), 0.1] * 15
    play = streamed(*thoughts, frame("4"), *ending())
    slot, _, code = answer_to(play, tmp_path, {"text_stall_timeout_s": 1.0})
    assert (slot["answer"]["text"], code) == ("4", 0)


@pytest.mark.parametrize(
    "play",
    [
        streamed(*[COMMENT, 0.02] * 2000),
        streamed(*[frame("x"), 0.02] * 2000),
        streamed(*[frame("x")[i : i + 1] for i in range(40)], *[b" ", 0.02] * 2000),
        streamed(*[frame("", reasoning="x"), 0.02] * 2000),
        streamed(frame("x"), frame(finish="stop"), *[COMMENT, 0.02] * 2000),
    ],
    ids=["comments", "text", "drip", "reasoning", "no end after the finish"],
)
def test_a_stream_without_end_ends_with_the_deadline(play, tmp_path):
    report, code = ask(
        Upstream({A: [play]}), tmp_path, models=[A], backups={A: [B]}, deadline_s=0.6
    )
    slot = report["slots"][0]
    assert 600 <= report["elapsed_ms"] < 6000
    assert slot["failure"]["kind"] == "deadline"
    assert slot["failure"]["remedy"] == "give_up_slot"
    assert (report["status"], code) == ("failed", 4)
    assert report["cost_known"] is False


def test_usage_that_never_comes_does_not_hold_up_an_answer_for_long(tmp_path):
    play = streamed(*HELLO, frame(finish="stop"), *[COMMENT, 0.05] * 2000)
    slot, report, code = answer_to(play, tmp_path, {"text_stall_timeout_s": 0.5}, deadline_s=30)
    assert (slot["answer"]["text"], code) == ("Hello", 0)
    assert report["elapsed_ms"] < 10_000
    assert slot["cost_state"] == "estimated"


def test_a_huge_line_is_refused_and_a_long_answer_is_not(tmp_path):
    long = "word " * 100_000
    upstream = Upstream(
        {A: [streamed(TWO_MB, b"\n\n", *ending())], B: [streamed(frame(long), *ending())]}
    )
    report, code = ask(upstream, tmp_path, {"max_attempts": 1}, models=[A, B])
    assert kinds_of(report["slots"][0]) == ["bad_response"]
    assert report["slots"][1]["answer"]["text"] == long
    assert code == 3


def test_an_answer_that_never_ends_is_cut_off_by_its_size(tmp_path):
    megabyte = frame("x" * 900_000)
    slot, _, code = answer_to(streamed(*[megabyte] * 40), tmp_path, {"max_attempts": 1})
    assert kinds_of(slot) == ["bad_response"]
    assert code == 4


def test_the_connection_is_used_again_after_a_stream_that_ended_well(tmp_path):
    upstream = Upstream({A: [refusal(500), says("x")]})
    ask(upstream, tmp_path, models=[A])
    assert upstream.calls[0].wire.writer is upstream.calls[1].wire.writer
