"""Bytes in bad faith: each fault sends what its row of the table says."""

from __future__ import annotations

import json

import pytest
from tests.contract.sim.talking import one

from ultrai_sim import Fault, World


def hit(kind, *, stream=True, **options):
    """The answer to a request that meets one fault."""
    return one(World(faults=[Fault(kind=kind, **options)]), stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("cost_negative", b'"cost":-1,'),
        ("cost_nan", b'"cost":NaN,'),
        ("cost_absurd", b'"cost":1e308,'),
        ("cost_text", b'"cost":"free",'),
    ],
)
def test_a_cost_may_be_none_at_all(kind, literal, stream):
    assert literal in hit(kind, stream=stream).raw


def test_an_end_may_be_missing_come_twice_or_be_none():
    assert not hit("done_missing").done
    assert hit("done_missing").reasons[-1] == "stop"
    assert hit("done_twice").lines.count("data: [DONE]") == 2
    assert set(hit("finish_missing").reasons) == {None}
    assert hit("finish_missing").done
    late = hit("text_after_done").lines
    assert "one thing more" in late[late.index("data: [DONE]") + 1]


def test_lines_may_end_in_carriage_returns():
    raw = hit("carriage_returns").raw
    assert raw.count(b"\r\n") == raw.count(b"\n") > 0


def test_a_text_may_be_no_utf8():
    with pytest.raises(UnicodeDecodeError):
        hit("bad_utf8").raw.decode()


def test_a_frame_may_have_no_choice_or_far_too_many():
    assert [] in [frame["choices"] for frame in hit("no_choices").frames]
    most = max(hit("many_choices").frames, key=lambda frame: len(frame["choices"]))
    assert len(most["choices"]) == 10_000
    assert most["choices"][-1]["index"] == -1


@pytest.mark.parametrize("stream", [True, False])
def test_the_answer_may_name_another_model(stream):
    heard = hit("wrong_model", stream=stream)
    frames = heard.frames if stream else [heard.body]
    assert {frame["model"] for frame in frames} == {"somebody/else"}


@pytest.mark.parametrize("stream", [True, False])
def test_the_content_type_may_be_wrong(stream):
    assert hit("wrong_content_type", stream=stream).headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("stream", [True, False])
def test_a_small_body_may_unpack_to_a_large_one(stream):
    heard = hit("gzip_bomb", stream=stream, size=3_000_000)
    assert heard.headers["Content-Encoding"] == "gzip"
    assert heard.raw == b" " * 3_000_000


def test_a_long_silence_may_end_in_an_error():
    heard = hit("stall_then_error", seconds=0.05)
    error = next(frame["error"] for frame in heard.frames if "error" in frame)
    assert error["message"] == "Network connection lost."
    assert not heard.done


@pytest.mark.parametrize("stream", [True, False])
def test_arguments_of_a_tool_call_may_be_no_json(stream):
    heard = hit("tool_calls_broken", stream=stream)
    choices = [choice for frame in heard.frames for choice in frame["choices"]]
    parts = (
        [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
        if stream
        else heard.body["choices"][0]["message"]["tool_calls"]
    )
    with pytest.raises(json.JSONDecodeError):
        json.loads("".join(part["function"]["arguments"] for part in parts))


def test_a_body_that_is_rewritten_still_breaks_where_another_fault_breaks_it():
    """Two faults at once: neither undoes the other."""
    for kind in ("wrong_model", "cost_nan"):
        for order in (1, -1):
            both = [Fault(kind="reset"), Fault(kind=kind)][::order]
            assert one(World(faults=both), stream=False).broken is not None
