"""The passages that answer are found, in their order, within the limit; pins come whatever else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.document import Document
from ultrai.domain.errors import UsageError
from ultrai.policy.pins import Pin, find_pins
from ultrai.policy.retrieving import make_pool, pick
from ultrai.policy.showing import block_of
from ultrai.policy.tokens import text_tokens

FILLER = "\n\n".join(
    f"Paragraph {n} tells of rivers, bridges and markets in the north of the country." * 3
    for n in range(200)
)
SECRET = "The apothecary Quillon hid the brass astrolabe beneath the third step."
BOOK = Document("book.txt", f"{FILLER}\n\n{SECRET}\n\n{FILLER}")
OTHER = Document("other.txt", FILLER)


def texts(*documents: Document, question: str, most_tokens: int, pins: tuple[Pin, ...] = ()):
    picked = pick(make_pool(documents, question), pins, most_tokens=most_tokens, tokenizer=None)
    return [(place, shown.text) for place, shown in picked.passages]


def test_the_passage_that_answers_is_found_in_its_document() -> None:
    (found,) = texts(OTHER, BOOK, question="Where is Quillon's astrolabe?", most_tokens=900)
    assert found[0] == 1
    assert SECRET in found[1]


def test_passages_are_the_documents_own_lines() -> None:
    pool = make_pool([BOOK], "Which markets and bridges?")
    lines = BOOK.text.split("\n")
    for _, shown in pick(pool, (), most_tokens=3000, tokenizer=None).passages:
        theirs = "\n".join(lines[shown.lines.first - 1 : shown.lines.last])
        assert shown.text.strip() in theirs + "\n"


def test_what_touches_is_one_passage_and_order_is_the_documents() -> None:
    picked = pick(make_pool([OTHER], "markets"), (), most_tokens=10**6, tokenizer=None)
    assert [shown.text for _, shown in picked.passages] == [FILLER]


def test_without_a_word_in_common_the_beginnings_are_taken() -> None:
    pool = make_pool([OTHER, BOOK], "Zzyzx?")
    assert not pool.matches
    passages = pick(pool, (), most_tokens=1600, tokenizer=None).passages
    assert [(place, shown.lines.first) for place, shown in passages] == [(0, 1), (1, 1)]


def test_a_pin_comes_first_and_its_lack_of_room_is_said() -> None:
    pin = find_pins(["Paragraph 150 tells"], [OTHER, BOOK])
    assert any(
        place == 0 and "Paragraph 150 tells" in text
        for place, text in texts(
            OTHER, BOOK, question="Where is Quillon?", most_tokens=1000, pins=pin
        )
    )
    pool = make_pool([OTHER, BOOK], "Where is Quillon?")
    assert not pick(pool, pin, most_tokens=50, tokenizer=None).has_all_pins


@given(
    most=st.integers(0, 4000),
    question=st.sampled_from(["markets", "Quillon", "nothing of it"]),
    tokenizer=st.sampled_from([None, "Claude", "Mistral"]),
)
def test_what_is_picked_stays_within_the_limit(
    most: int, question: str, tokenizer: str | None
) -> None:
    pool = make_pool([BOOK, OTHER], question)
    passages = pick(pool, (), most_tokens=most, tokenizer=tokenizer).passages
    text = "\n\n".join(block_of(shown) for _, shown in passages)
    assert text_tokens(text, tokenizer) <= most


def test_pins_name_lines_or_words() -> None:
    document = Document("src/a.py", "one\ntwo three\nfour\n")
    by_lines, by_path, by_words = find_pins(["a.py:2-3", "src/a.py:1-1", "two  three"], [document])
    assert document.text[by_lines.start : by_lines.end] == "two three\nfour\n"
    assert document.text[by_path.start : by_path.end] == "one\n"
    assert document.text[by_words.start : by_words.end] == "two three"


@pytest.mark.parametrize("pin", ["a.py:3-2", "a.py:2-9", "five", "b.py:1-1", "  "])
def test_a_pin_that_stands_nowhere_is_refused(pin: str) -> None:
    with pytest.raises(UsageError, match="nothing was sent"):
        find_pins([pin], [Document("a.py", "one\ntwo\nthree\n")])


def test_a_pin_without_documents_is_refused() -> None:
    with pytest.raises(UsageError, match="no document"):
        find_pins(["x"], [])
