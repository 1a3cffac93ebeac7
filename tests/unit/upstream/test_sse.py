import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ultrai.upstream.sse import MAX_EVENT_BYTES, EventParser, EventTooLong


def reference(stream: bytes) -> list[bytes]:
    """The standard's algorithm, as plainly as it can be written."""
    if stream.startswith(b"\xef\xbb\xbf"):
        stream = stream[3:]
    lines = re.split(rb"\r\n|\r|\n", stream)[:-1]  # the last piece has no line end
    payloads, data = [], []
    for line in lines:
        if line == b"":
            if data:
                payloads.append(b"\n".join(data))
            data = []
            continue
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            data.append(value)
    return payloads


def parse(pieces: list[bytes]) -> list[bytes]:
    parser = EventParser()
    return [payload for piece in pieces for payload in parser.feed(piece)]


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(c % (len(stream) + 1) for c in cuts)})
    return [stream[a:b] for a, b in pairwise(edges)]


line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
lines = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"data: x", b"data:x", b"data", b"data:", b"data:  y", b": note", b"event: e"]
    ),
    st.binary(max_size=12).map(lambda raw: b"data: " + raw.replace(b"\r", b"").replace(b"\n", b"")),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
)
streams = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(lines, line_ends).map(b"".join), max_size=12).map(b"".join),
    st.sampled_from([b"", b"data: torn", b"\n"]),
).map(b"".join)


@example(b"data: x\r\ndata: y\r\n\r\n", [8])  # a line end of two bytes, cut between them
@given(streams, st.lists(st.integers(0, 400), max_size=12))
def test_any_cutting_of_any_stream_gives_the_events_of_the_standard(stream, cuts):
    assert parse(cut(stream, cuts)) == reference(stream)


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=12))
def test_any_cutting_of_any_bytes_gives_the_events_of_the_standard(stream, cuts):
    assert parse(cut(stream, cuts)) == reference(stream)


def test_a_stream_cut_at_every_byte_gives_the_same_events():
    stream = (
        b": OPENROUTER PROCESSING\r\n\r\n"
        b'data: {"a":"\xf0\x9f\x98\x80"}\n\n'
        b"data: one\ndata: two\n\n"
        b"data:[DONE]\n\n"
    )
    expected = [b'{"a":"\xf0\x9f\x98\x80"}', b"one\ntwo", b"[DONE]"]
    assert parse([stream[i : i + 1] for i in range(len(stream))]) == expected
    for at in range(len(stream)):
        assert parse([stream[:at], stream[at:]]) == expected


def test_a_read_of_whole_frames_gives_all_of_them():
    assert parse([b"data: a\n\ndata: b\n\n", b"data: c\n\n"]) == [b"a", b"b", b"c"]


def test_a_comment_between_whole_frames_is_no_event():
    assert parse([b"data: a\n\n: note\n\ndata: b\n\n"]) == [b"a", b"b"]


def test_a_data_line_that_only_looks_like_a_new_frame_stays_in_its_event():
    assert parse([b"data: a\ndata: b\n\n"]) == [b"a\nb"]


def test_an_event_without_its_blank_line_is_not_dispatched_but_left_over():
    parser = EventParser()
    assert parser.feed(b"data: a\n\ndata: [DONE]") == [b"a"]
    assert parser.leftover() == b"[DONE]"


def test_a_whole_data_line_without_its_blank_line_is_left_over():
    parser = EventParser()
    assert parser.feed(b"data: a\r\n") == []
    assert parser.leftover() == b"a"


def test_nothing_is_left_over_of_a_stream_that_ended_well_or_with_a_comment():
    parser = EventParser()
    parser.feed(b"data: a\n\n: bye")
    assert parser.leftover() is None


@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_a_line_without_end_is_refused_at_the_cap_however_it_comes(size):
    with pytest.raises(EventTooLong):
        parse([b"x" * size] * (MAX_EVENT_BYTES // size + 2))


def test_a_frame_longer_than_the_cap_is_refused_on_the_fast_path_too():
    with pytest.raises(EventTooLong):
        EventParser().feed(b"data: " + b"x" * MAX_EVENT_BYTES + b"\n\n")


def test_an_event_of_endless_lines_is_refused_at_the_cap():
    with pytest.raises(EventTooLong):
        parse([b"data: " + b"x" * 100_000 + b"\n"] * 12)


def test_a_frame_just_under_the_cap_is_accepted():
    payload = b"x" * (MAX_EVENT_BYTES - 10)
    assert EventParser().feed(b"data: " + payload + b"\n\n") == [payload]
