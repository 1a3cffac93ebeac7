"""A question finds the text that answers it, in every script, whatever its forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.relevance import rank, score_all

DISTRACTIONS = [
    "The harbour was full of ships that morning, and nobody spoke.",
    "Invoices are paid within thirty days after the month has ended.",
    "def parse(line): return line.split(',')",
    "Der Zug fuhr langsam durch das Tal und hielt an jeder Brücke.",
    "会议在星期三举行，请大家准时参加。",
    "पुस्तकालय सुबह नौ बजे खुलता है।",
    "المكتبة مغلقة يوم الجمعة من كل أسبوع.",
    "Поезд опоздал на двадцать минут из-за снега.",
]


def found(question: str, answer: str) -> bool:
    chunks = [*DISTRACTIONS[:5], answer, *DISTRACTIONS[5:]]
    return rank(chunks, question)[0].index == 5


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who painted the LIGHTHOUSE?", "The lighthouse was painted by Anna Berg in 1907."),
        ("How many penguins live there?", "One penguin weighs five kilos."),
        ("Which berry is blue?", "The berries in the north are blue."),
        ("Où est le château ?", "LE CHATEAU est fermé en hiver."),
        ("¿Cuántos árboles hay?", "Hay un arbol viejo en la plaza."),
        ("Wie groß ist die Straße?", "Die STRASSE misst vier Kilometer."),
        ("长城有多长？", "长城全长两万多公里。"),
        ("東京の人口は?", "東京の人口は約千四百万人です。"),
        ("서울에서 열리는 축제", "축제는 서울의 강가에서 열린다."),
        ("ราคาตั๋วเท่าไร", "ตั๋วหนึ่งใบราคาสองร้อยบาท"),
        ("नदी कितनी लंबी है?", "यह नदी दो हज़ार किलोमीटर लंबी बहती है।"),
        ("كم طول النهر؟", "طول النهر ستة آلاف كيلومتر."),
        ("Какая длина у реки?", "Длина реки три тысячи километров."),
        ("What is error E4031?", "E4031 means that the disk is full."),
        ("Which timeout do headers have?", "HEADERS_TIMEOUT_S = 60"),
    ],
)
def test_a_question_finds_its_answer(question: str, answer: str) -> None:
    assert found(question, answer)


def test_a_rare_word_says_more_than_common_ones() -> None:
    chunks = ["the cat is on the mat"] * 8 + ["a cat is here", "a zebra is here"]
    assert rank(chunks, "is the cat or the zebra here")[0].index == 9


def test_of_equals_the_earlier_comes_first_and_what_has_nothing_in_common_is_0() -> None:
    ranked = rank(["other words", "same text", "same text"], "same")
    assert [each.index for each in ranked] == [1, 2, 0]
    assert ranked[0].score == ranked[1].score > ranked[2].score == 0


@pytest.mark.parametrize("question", ["", "?!", "zebra"])
def test_a_question_without_a_common_word_keeps_the_order(question: str) -> None:
    assert [each.index for each in rank(["one", "", "two"], question)] == [0, 1, 2]


def test_no_chunks_have_no_ranking() -> None:
    assert rank([], "what?") == ()


@given(st.lists(st.text(max_size=30), max_size=8), st.text(max_size=30))
def test_all_are_ranked_once_by_scores_that_are_never_negative(
    chunks: list[str], question: str
) -> None:
    ranked = rank(chunks, question)
    assert sorted(each.index for each in ranked) == list(range(len(chunks)))
    assert [each.score for each in ranked] == sorted(score_all(chunks, question), reverse=True)
    assert all(each.score >= 0 for each in ranked)
