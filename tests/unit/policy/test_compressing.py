"""What is kept is the text's own, in order, within the limit, and what matters to the question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.test_chunking import ANY_TEXT, FAMILIES, KINDS, STRUCTURED

from ultrai.policy.compressing import OMISSION, Compression, compress
from ultrai.policy.passages import find_passages
from ultrai.policy.text_kinds import ChunkKind
from ultrai.policy.tokens import planned_tokens

FILLER = "".join(
    f"The {word} was brought to the market and sold there before noon. "
    for word in [
        "apple",
        "bread",
        "cheese",
        "dates",
        "eggs",
        "flour",
        "grapes",
        "honey",
        "iron",
        "jam",
        "kale",
        "lentils",
    ]
)
ANSWER = "The lighthouse keeper, Anna Berg, kept a grey parrot called Pim. "


def kept(text: str, question: str, most: int = 80, **more: object) -> Compression:
    more.setdefault("kind", ChunkKind.PROSE)
    return compress(text, question=question, most_tokens=most, **more)  # type: ignore[arg-type]


@given(ANY_TEXT | STRUCTURED, KINDS, st.integers(16, 120), FAMILIES)
def test_the_text_is_within_the_limit_and_made_of_its_own_spans_in_order(
    text: str, kind: ChunkKind, most: int, family: str | None
) -> None:
    found = compress(
        text, question="Wort 0123456789 说?", most_tokens=most, kind=kind, tokenizer=family
    )
    assert planned_tokens(found.text, family) <= most
    behind, place = 0, 0
    for start, end in found.kept:
        assert behind <= start < end <= len(text)
        place = found.text.index(text[start:end], place) + end - start
        behind = end
    assert (found.coverage_percent == 100) >= (found.text == text)
    if found.kept != ((0, len(text)),) and text:
        assert OMISSION in found.text


@given(ANY_TEXT | STRUCTURED, KINDS)
def test_the_passages_join_to_the_text(text: str, kind: ChunkKind) -> None:
    passages = find_passages(text, kind)
    assert "".join(passage.text for passage in passages) == text
    assert all(text[each.start : each.end] == each.text for each in passages)


def test_a_text_that_fits_is_returned_as_it_is() -> None:
    assert kept("Short.\n", "?") == Compression("Short.\n", ((0, 7),), 0, 100.0)
    assert kept("", "?") == Compression("", (), 0, 100.0)


def test_the_sentence_that_answers_is_kept_wherever_it_stands() -> None:
    for place in range(0, 20, 3):
        text = FILLER * place + ANSWER + FILLER * (20 - place)
        found = kept(text, "What was the name of the lighthouse keeper's parrot?")
        assert ANSWER.strip() in found.text
        assert found.dropped_tokens > 0
        assert 0 < found.coverage_percent < 10


def test_a_mark_stands_wherever_something_is_left_out_and_nowhere_else() -> None:
    found = kept(FILLER * 3 + "\n\n" + ANSWER + "\n\n" + FILLER * 3, "Anna Berg's parrot?", 60)
    assert found.text == f"{OMISSION}\n\n{ANSWER}\n\n{OMISSION}"


def test_pinned_passages_come_first_whatever_their_blanks() -> None:
    text = FILLER * 9 + "The key is under\nthe third stone. " + FILLER * 9 + ANSWER
    pin = "The key is under the third stone."
    found = kept(text, "What was the parrot's name?", 45, pinned=[pin, "not in the text", " "])
    assert "under\nthe third stone." in found.text
    assert found.pins_left_out == ()


def test_a_pin_without_room_is_named() -> None:
    found = kept(FILLER * 9, "What?", 40, pinned=["The apple was", FILLER.strip()])
    assert found.pins_left_out == (FILLER.strip(),)


def test_a_code_block_is_kept_whole_or_not_at_all() -> None:
    block = "```python\nfor bird in cage:\n\n    bird.feed(seeds=3)\n```\n"
    text = f"# Food\n\n{FILLER * 5}\n\n# Birds\n\n{block}\n{FILLER * 5}"
    found = kept(text, "How many seeds does a bird get?", 80, kind=ChunkKind.MARKDOWN)
    assert block in found.text
    assert "# Birds\n\n" in found.text, "its heading comes along"
    assert "```" not in kept(text, "Who sold grapes?", 40, kind=ChunkKind.MARKDOWN).text


def test_of_sentences_that_say_as_much_those_with_numbers_and_quotes_are_kept() -> None:
    plain = [f"The {word} ship came late. " for word in ["red", "blue", "green", "white", "black"]]
    text = "".join([*plain, "The grey ship came 12 days late. ", *plain, 'One said "never". '])
    found = kept(text, "Who?", 50)
    assert "12 days" in found.text
    assert '"never"' in found.text


def test_what_is_said_twice_is_kept_once() -> None:
    found = kept((ANSWER + FILLER) * 5, "Anna Berg's grey parrot", 70)
    assert found.text.count("Pim") == 1


@pytest.mark.parametrize(
    ("answer", "question", "filler"),
    [
        ("灯塔看守人养了一只灰色的鹦鹉。", "谁养了鹦鹉？", "市场上有很多苹果和面包。"),
        ("हरा तोता बहुत बोलता है। ", "तोता कैसा है?", "बाज़ार में सेब और रोटी मिलती है। "),
        ("الببغاء الرمادي يتكلم كثيرا. ", "ماذا يفعل الببغاء؟", "في السوق تفاح وخبز وجبن. "),
    ],
)
def test_the_answer_is_kept_in_every_script(answer: str, question: str, filler: str) -> None:
    parts = [filler.replace(filler[0], filler[0] * n, 1) for n in range(1, 40)]
    text = "".join([*parts[:20], answer, *parts[20:]])
    assert answer.strip() in kept(text, question, 120).text


def test_code_is_kept_by_blocks_with_the_definition_above() -> None:
    text = "".join(
        f"def take_{word}(basket):\n    total = weigh(basket)\n\n    return total + {n}\n\n\n"
        for n, word in enumerate(["apples", "bread", "cheese", "dates", "eggs"])
    )
    found = kept(text, "What does take_cheese return?", 60, kind=ChunkKind.CODE)
    assert "def take_cheese(basket):" in found.text


def test_a_limit_that_no_mark_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 tokens"):
        kept("text", "?", 15)


@pytest.mark.parametrize("text", ["word " * 5000, "x" * 20_000, "。" * 9000, "\n" * 9000])
def test_a_text_without_sentences_is_kept_in_part(text: str) -> None:
    found = kept(text, "word?", 100)
    assert found.kept
    assert planned_tokens(found.text, None) <= 100
