"""From hits to parts of files: what is taken, in which order, and as what."""

from __future__ import annotations

from ultrai.domain.index import Hit
from ultrai.policy.excerpts import MOST_CHARACTERS, excerpts_of


def hit(file: int, place: int, score: float, *, text: str = "words\n", whole: int = 1000) -> Hit:
    return Hit(file, place, f"{file}.txt", place + 1, place + 1, text, score, whole)


def test_neighbours_of_one_file_are_one_part_with_its_first_line() -> None:
    hits = [hit(2, 5, 9.0), hit(1, 1, 5.0), hit(2, 7, 4.0)]
    made = excerpts_of(hits, [hit(2, 6, 0.0)], most_tokens=1000)
    assert [(each.name, each.first_line, each.text.count("words")) for each in made] == [
        ("1.txt", 2, 1),
        ("2.txt", 6, 3),
    ]
    assert all(each.is_part for each in made)


def test_a_file_that_is_there_as_a_whole_is_no_part() -> None:
    (made,) = excerpts_of([hit(1, 0, 1.0, text="all of it", whole=9)], [], most_tokens=1000)
    assert not made.is_part
    assert "first_line" not in made.to_dict()


def test_what_is_worth_less_than_a_tenth_of_the_best_is_left() -> None:
    made = excerpts_of([hit(1, 0, 10.0), hit(2, 0, 0.9)], [], most_tokens=1000)
    assert [each.name for each in made] == ["1.txt"]


def test_tokens_and_characters_are_bounded_but_the_best_is_always_there() -> None:
    long = "word " * 400
    hits = [hit(n, 0, 10.0 - n / 100, text=long, whole=10**6) for n in range(100)]
    few = excerpts_of(hits, [], most_tokens=1500)
    assert 1 <= len(few) < 5
    many = excerpts_of(hits, [], most_tokens=10**9)
    assert sum(len(each.text) for each in many) <= MOST_CHARACTERS
    assert len(excerpts_of(hits, [], most_tokens=1)) == 1


def test_nothing_gives_nothing() -> None:
    assert excerpts_of([], [], most_tokens=1000) == ()
