"""Parts hold every word once, levels end, summaries stay within what was planned for them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.document import Document
from ultrai.domain.fitting import Lines
from ultrai.policy.digesting import (
    LEAST_PART_TOKENS,
    SUMMARY_TOKENS,
    TOGETHER,
    Part,
    clipped,
    merge_bound,
    merged,
    outline,
    part_tokens,
    request_of,
    shortened,
)
from ultrai.policy.showing import Shown, block_of
from ultrai.policy.tokens import bound_tokens, text_tokens

TEXT = "\n\n".join(f"Paragraph {n} tells of rivers." for n in range(4000))
BOOK, NOTE = Document("book.txt", TEXT), Document("note.md", "# Note\n\nShort.\n")


def test_the_parts_join_to_the_texts() -> None:
    drawn = outline([BOOK, NOTE], part_tokens=4000, most_tokens=100_000)
    for place, document in enumerate([BOOK, NOTE]):
        assert "".join(p.text for p in drawn.parts if p.document == place) == document.text
    assert drawn.levels == (len(drawn.parts),)


def test_levels_are_added_until_somebody_with_little_room_holds_them() -> None:
    drawn = outline([BOOK], part_tokens=500, most_tokens=900)
    assert drawn.levels[-1] * SUMMARY_TOKENS <= 900
    assert all(more > fewer for more, fewer in zip(drawn.levels, drawn.levels[1:], strict=False))
    assert [level for _, level in drawn.skeleton()] == sorted(
        number for number, many in enumerate(drawn.levels) for _ in range(many)
    )


def test_documents_are_never_merged_with_each_other() -> None:
    many = [Document(f"{n}.txt", "Some words.") for n in range(30)]
    drawn = outline(many, part_tokens=500, most_tokens=900)
    assert drawn.levels == (30,)
    parts = [Part(n // 20, Lines(n + 1, n + 1), f"text {n}") for n in range(30)]
    together = merged(parts)
    assert [(p.document, p.lines.first, p.lines.last) for p in together] == [
        (0, 1, TOGETHER),
        (0, TOGETHER + 1, 2 * TOGETHER),
        (0, 2 * TOGETHER + 1, 20),
        (1, 21, 20 + TOGETHER),
        (1, 21 + TOGETHER, 30),
    ]


@given(size=st.integers(1, 2_000_000), window=st.integers(3000, 2_000_000))
def test_parts_fit_the_window_of_whoever_summarises(size: int, window: int) -> None:
    tokens = part_tokens([Document("a", "x" * min(size, 400_000))], window=window)
    assert tokens <= window // 2
    assert tokens >= min(LEAST_PART_TOKENS, window // 2)


@given(summaries=st.lists(st.text(max_size=9000), min_size=1, max_size=TOGETHER), task=st.text())
def test_no_prompt_that_merges_is_longer_than_was_planned(summaries: list[str], task: str) -> None:
    parts = [
        Part(0, Lines(10**8 + n, 10**8 + n), clipped(text)) for n, text in enumerate(summaries)
    ]
    (part,) = merged(parts)
    messages = request_of(part, "book.txt", task=task, is_merge=True)
    assert bound_tokens(messages) <= merge_bound("book.txt", task=task)


def test_a_summary_cannot_end_its_fence_or_outgrow_its_bytes() -> None:
    assert clipped("`" * 5000 + "x") == "```x"
    assert len(clipped("ü" * 9000).encode()) <= 8 * SUMMARY_TOKENS


@given(most=st.integers(0, 3000), many=st.integers(1, 12))
def test_shortened_summaries_stay_within_the_room(most: int, many: int) -> None:
    level = [Part(0, Lines(n, n), "A sentence of some length. " * 40) for n in range(1, many + 1)]
    kept = shortened(level, most, tokenizer=None)
    shown = "\n\n".join(block_of(Shown("book.txt", p.text, p.lines, "a summary")) for p in kept)
    assert text_tokens(shown, None) <= most
