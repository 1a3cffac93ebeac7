"""Text that others wrote, made safe; amounts and durations in words; tables and rows that fit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.cli.render.cells import RowWriter, cell_length, fit, fit_tail, wrap_words
from ultrai.cli.render.phrases import (
    bracket,
    brief_failure_line,
    duration,
    failure_line,
    money,
    short_names,
    shorten,
)
from ultrai.cli.render.readiness import readiness_table
from ultrai.cli.render.safety import Cleaner, clean, one_line
from ultrai.cli.render.table import Cell, Column, lay_out, paragraph
from ultrai.domain.outcome import Failure, FailureKind
from ultrai.domain.overview import ReadinessRow
from ultrai.domain.plan import NotReadyReason

HOSTILE = st.text(alphabet="ab\x1b[]0;31mJ\x07\\P\n\t\r\x9b\u202e ", max_size=60)


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;aGk=\x1b\\text", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("\x9b2Jtext", "text"),
        ("over\rwrite\x08\x00", "overwrite"),
        ("abc\u202edef", "abcdef"),
        ("line\r\nnext\ttab", "line\nnext\ttab"),
    ],
)
def test_escape_sequences_and_control_characters_are_taken_out(hostile: str, safe: str) -> None:
    assert clean(hostile) == safe


@given(HOSTILE, st.lists(st.integers(0, 60), max_size=6))
def test_nothing_that_moves_a_cursor_comes_through_however_text_is_cut(
    text: str, cuts: list[int]
) -> None:
    cleaner = Cleaner()
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    shown = "".join(cleaner.feed(piece) for piece in pieces) + cleaner.flush()
    assert not set(shown) & set("\x1b\x9b\r\x07\u202e")


def test_a_sequence_cut_in_two_is_taken_out_whole() -> None:
    cleaner = Cleaner()
    assert [cleaner.feed("a\x1b[3"), cleaner.feed("1mb"), cleaner.flush()] == ["a", "b", ""]


def test_a_message_of_an_upstream_becomes_one_line() -> None:
    assert one_line("first\n  second\x1b[2J\tthird") == "first second third"
    assert one_line("x" * 30, limit=10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("nanos", "words"),
    [
        (None, "unknown"),
        (0, "$0"),
        (4_800, "$0.0000048"),
        (1, "$0.000000001"),
        (10_400_000, "$0.0104"),
        (31_000_000, "$0.031"),
        (100_000_000, "$0.10"),
        (1_234_560_000_000, "$1,234.56"),
        (331_234, "$0.000331"),
    ],
)
def test_money_is_short_and_unknown_is_never_nothing(nanos: int | None, words: str) -> None:
    assert money(nanos) == words


def test_a_bracket_says_when_no_price_is_known() -> None:
    assert bracket(31_000_000, 58_000_000) == "$0.031–$0.058"
    assert bracket(0, 0) == "$0"
    assert bracket(None, None) == "no price known"


def test_durations_have_the_unit_that_fits() -> None:
    assert [duration(ms) for ms in (None, 412, 1_140, 125_000)] == [
        "–",
        "412 ms",
        "1.1 s",
        "2 min 05 s",
    ]


def test_a_short_name_is_what_follows_the_slash_unless_two_models_share_it() -> None:
    names = short_names(["a/one", "b/one", "a/two"])
    assert names == {"a/one": "a/one", "b/one": "b/one", "a/two": "two"}


@given(st.text(alphabet="ab 量子\n-", max_size=120), st.integers(9, 30))
def test_wrapped_rows_fit_and_lose_only_blanks(text: str, width: int) -> None:
    writer = RowWriter(width)
    rows = [*writer.feed(text), *writer.flush()]
    assert all(cell_length(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())


@given(st.text(alphabet="abc de", max_size=80), st.lists(st.integers(1, 9), max_size=8))
def test_rows_do_not_depend_on_how_the_text_was_cut(text: str, sizes: list[int]) -> None:
    whole, pieces = RowWriter(20), RowWriter(20)
    expected = [*whole.feed(text), *whole.flush()]
    rows: list[str] = []
    rest = text
    for size in sizes:
        rows += pieces.feed(rest[:size])
        rest = rest[size:]
    rows += [*pieces.feed(rest), *pieces.flush()]
    assert rows == expected


def test_a_bullet_keeps_its_indent_and_code_is_not_wrapped() -> None:
    writer = RowWriter(20)
    rows = writer.feed("- a point that is long enough\n```\n" + "x" * 30 + "\n```\n")
    assert rows[:2] == ["- a point that is", "  long enough"]
    assert "x" * 30 in rows


def test_wide_characters_count_twice() -> None:
    assert cell_length(fit("量子コンピュータ", 7)) <= 7
    assert fit_tail("abcdef", 4) == "…def"
    assert wrap_words("量子コンピュータ", 8) == ["量子コン", "ピュータ"]


COLUMNS = (Column("model", flexible=True), Column("speed", rank=2), Column("cost", rank=1))
ROWS = [[Cell("meta-llama/llama-4-maverick"), Cell("95 tok/s"), Cell("$0.0104")]]


def _texts(width: int | None) -> list[str]:
    lines = lay_out(COLUMNS, ROWS, width=width, header=True)
    return ["".join(cell.text for cell in line) for line in lines]


def test_a_table_in_a_pipe_is_whole() -> None:
    assert "meta-llama/llama-4-maverick  95 tok/s  $0.0104" in _texts(None)


@pytest.mark.parametrize("width", [20, 30, 40, 80])
def test_a_table_on_a_terminal_fits(width: int) -> None:
    assert all(cell_length(text) <= width for text in _texts(width))


def test_where_there_is_no_room_the_least_important_column_goes_first() -> None:
    assert "cost" in _texts(24)[0]
    assert "speed" not in _texts(24)[0]


def test_a_wrapped_paragraph_fits_and_in_a_file_it_is_one_line() -> None:
    text = "note: anthropic/claude-3.7-sonnet is no longer listed; another takes its place"
    rows = ["".join(cell.text for cell in line) for line in paragraph(text, width=40)]
    assert len(rows) > 1
    assert max(map(cell_length, rows)) < 40
    assert " ".join(" ".join(rows).split()) == text
    assert paragraph(text, width=None) == [(Cell(text),)]


def test_a_flexible_column_gets_its_least_before_the_room_is_shared() -> None:
    columns = (Column("a", flexible=True, least=20), Column("b", flexible=True, least=5))
    (line,) = lay_out(columns, [[Cell("x" * 20), Cell("y" * 40)]], width=32, header=False)
    assert "".join(cell.text for cell in line) == f"{'x' * 20}  {'y' * 9}…"


def test_a_long_message_of_a_failure_is_cut_between_words_and_keeps_cause_and_advice() -> None:
    message = "Provider returned error: " + "please retry shortly or add your own key " * 9
    failure = Failure(FailureKind.RATE_LIMITED, message, status=429, advice="wait 3 s")
    line = brief_failure_line(failure)
    said = line.removeprefix("rate limited (429): ").removesuffix("… — wait 3 s")
    assert said != line
    assert len(said) < 160
    assert message.startswith(f"{said} ")
    assert failure_line(failure) == f"rate limited (429): {message.strip()} — wait 3 s"


@pytest.mark.parametrize("text", ["", "short", "x" * 160])
def test_what_is_short_is_not_cut(text: str) -> None:
    assert shorten(text) == text


def test_a_word_without_end_is_cut_all_the_same() -> None:
    assert shorten("see " + "x" * 400) == "see " + "x" * 155 + "…"


def test_an_embedded_model_whose_weights_are_not_here_is_not_pulled() -> None:
    states = [
        "".join(cell.text for cell in line)
        for upstream in ("local", "openrouter")
        for line in readiness_table([_unlisted(upstream)], width=None)[1:]
    ]
    assert "not pulled" in states[0]
    assert "not listed" in states[1]


def _unlisted(upstream: str) -> ReadinessRow:
    return ReadinessRow("m/a", upstream, ("X",), ready=False, reason=NotReadyReason.NOT_LISTED)
