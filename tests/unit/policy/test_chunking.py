"""Chunks join to the text, are never over the limit, and end where a reader would part the text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ultrai.policy.chunking import LEAST_CHUNK_TOKENS, Chunk, ChunkKind, chunk_text
from ultrai.policy.tokens import planned_tokens

KINDS = st.sampled_from(ChunkKind)
FAMILIES = st.sampled_from([None, "claude", "qwen", "gemini", "grok"])
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)
_WORDS = (
    "a bc Wort. 0123456789 , ; \n \n\n \r\n \r \t # ## ``` ~~~ --- === def class( } @x // | - * 1. "
    "说。 話、 नमस्ते। مرحبا؟ e\u0301 👩\u200d👩 🇩🇪 \ud83d \ude00 \u2028 \f Chapter"
)
PIECES = st.sampled_from(_WORDS.split(" "))
STRUCTURED = st.lists(PIECES, max_size=200).map("".join) | st.lists(PIECES, max_size=99).map(
    " ".join
)


def chunks(text: str, most: int = 40, kind: str = "prose") -> list[Chunk]:
    return list(chunk_text(text, kind=ChunkKind(kind), most_tokens=most))


def texts(text: str, most: int = 40, kind: str = "prose") -> list[str]:
    return [chunk.text for chunk in chunks(text, most, kind)]


def room_for(section: str) -> int:
    """A limit that holds one such section and not two."""
    return round(1.4 * planned_tokens(section, None))


@given(ANY_TEXT | STRUCTURED, KINDS, st.integers(LEAST_CHUNK_TOKENS, 120), FAMILIES)
@example("x" * 3000, ChunkKind.PROSE, 16, "claude")
@example("." * 3000, ChunkKind.CODE, 16, None)
@example("\n" * 300, ChunkKind.MARKDOWN, 16, None)
@example("e" + "\u0301" * 300, ChunkKind.PROSE, 16, None)
def test_chunks_join_to_the_text_with_their_places_and_none_is_over_the_limit(
    text: str, kind: ChunkKind, most: int, family: str | None
) -> None:
    found = chunk_text(text, kind=kind, most_tokens=most, tokenizer=family)
    assert "".join(chunk.text for chunk in found) == text
    place = 0
    for chunk in found:
        assert chunk.text
        assert chunk.start == place
        assert text[chunk.start : chunk.end] == chunk.text
        assert planned_tokens(chunk.text, family) <= most
        place = chunk.end


@given(STRUCTURED, KINDS)
def test_lines_are_counted_as_an_editor_counts_them(text: str, kind: ChunkKind) -> None:
    for chunk in chunk_text(text, kind=kind, most_tokens=16):
        before = len(re.findall("\r\n|\r|\n", text[: chunk.start]))
        if text[: chunk.start].endswith("\r") and chunk.text.startswith("\n"):
            before -= 1
        inside = len(re.findall("\r\n|\r|\n", chunk.text[:-1]))
        inside -= chunk.text.endswith("\r\n")
        assert (chunk.line, chunk.last_line) == (before + 1, before + 1 + inside)


def test_no_character_that_is_drawn_as_one_is_cut() -> None:
    for one in (
        "e\u0301\u0323",
        "👩\u200d👩\u200d👧",
        "नि",
        "\ud83d\ude00",
        "👍\U0001f3fd",
        "ᄒ\u1161\u11ab",
    ):
        for chunk in chunks(one * 200, 60):
            assert len(chunk.text) % len(one) == 0


def test_an_empty_text_has_no_chunk_and_a_short_one_a_single_chunk() -> None:
    assert chunks("") == []
    assert chunks("One line.\nAnother.") == [Chunk("One line.\nAnother.", 0, 18, 1, 2, None)]


def test_a_limit_that_not_every_character_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 tokens"):
        chunks("text", LEAST_CHUNK_TOKENS - 1)


SENTENCE = "The quick brown fox jumps over the lazy dog near the river. "


def test_markdown_is_parted_before_headings_and_each_chunk_names_its_own() -> None:
    sections = [f"## Part {n}\n\n{SENTENCE}\n{SENTENCE}\n\n" for n in range(6)]
    found = chunks("".join(sections), room_for(sections[0]), "markdown")
    assert [chunk.text[:9] for chunk in found] == [f"## Part {n}" for n in range(6)]
    assert [chunk.heading for chunk in found] == [f"Part {n}" for n in range(6)]
    assert [chunk.line for chunk in found] == [1, 6, 11, 16, 21, 26]


def test_an_underlined_heading_is_a_heading_and_one_inside_a_fence_is_not() -> None:
    text = f"Title\n=====\n\n{SENTENCE}\n\n```\n# no heading\n```\n\n{SENTENCE}\n"
    assert {chunk.heading for chunk in chunks(text, 30, "markdown")} == {"Title"}


def test_a_heading_stays_with_what_it_stands_above() -> None:
    for n in range(1, 9):
        text = SENTENCE * n + "\n\n# Next\n\n" + SENTENCE * 9
        for part in texts(text, room_for(SENTENCE * 4), "markdown"):
            assert not part.rstrip().endswith("# Next")


def test_code_is_parted_before_definitions_and_a_decorator_stays_with_its_own() -> None:
    body = "    value = first + second\n\n    return value * 2\n\n\n"
    parts = [f"# About {n}.\n@cached\ndef f{n}():\n{body}" for n in range(5)]
    found = chunks("".join(parts), room_for(parts[0]), "code")
    assert [chunk.text.splitlines()[0] for chunk in found] == [f"# About {n}." for n in range(5)]
    assert [chunk.heading for chunk in found] == [None, *(f"def f{n}()" for n in range(4))]


@pytest.mark.parametrize(
    "sentence",
    [
        SENTENCE,
        "今天天气很好，我们去公园散步。",
        "आज मौसम बहुत अच्छा है, हम बाग में टहलने जाते हैं। ",
        "هل الطقس جميل اليوم أم لا يا صديقي العزيز؟ ",
        "موسم آج بہت اچھا ہے اور ہم باغ میں جاتے ہیں۔ ",
        "Сегодня хорошая погода, и мы идём гулять в парк! ",
        "Er sagte: „Das ist sehr schön, nicht wahr?“ ",
    ],
)
def test_a_long_line_is_parted_between_sentences(sentence: str) -> None:
    found = texts(sentence * 40, room_for(sentence * 6))
    assert len(found) > 1
    assert all(len(part) % len(sentence) == 0 for part in found)


def test_prose_is_parted_between_paragraphs_and_names_its_chapter() -> None:
    chapters = [f"CHAPTER {n}\n\n{SENTENCE * 3}\n\n\n" for n in "123"]
    found = chunks("".join(chapters), room_for(chapters[0]))
    assert [chunk.heading for chunk in found] == ["CHAPTER 1", "CHAPTER 2", "CHAPTER 3"]


def test_words_without_any_mark_are_parted_between_words() -> None:
    assert all(part.endswith(" ") for part in texts("word " * 500, 30))


def test_chunks_are_at_least_half_full_where_the_text_can_be_parted() -> None:
    found = chunks(SENTENCE * 200, 100)
    assert all(planned_tokens(chunk.text, None) >= 45 for chunk in found[:-1])
