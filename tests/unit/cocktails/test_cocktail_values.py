from __future__ import annotations

import pytest

from ultrai.domain.cocktail import Cocktail, CocktailBook, Slot, is_model_id, parse_seat


def _cocktail(name: str, *primaries: str, source: str = "shipped") -> Cocktail:
    return Cocktail(name, tuple(Slot(primary) for primary in primaries), source=source)


def test_a_book_finds_a_cocktail_in_any_case():
    book = CocktailBook((_cocktail("PREMIUM", "a/b"), _cocktail("mine", "c/d")))
    assert book.find("premium") is book.cocktails[0]
    assert book.find(" Mine ") is book.cocktails[1]
    assert "MINE" in book
    assert book.find("other") is None
    assert 3 not in book


def test_a_users_cocktail_replaces_the_one_of_the_same_name_at_its_place():
    book = CocktailBook((_cocktail("ONE", "a/b"), _cocktail("TWO", "c/d")))
    merged = book.merged([_cocktail("one", "e/f", source="u.toml"), _cocktail("NEW", "g/h")])
    assert merged.names == ("one", "TWO", "NEW")
    assert merged.find("ONE") == _cocktail("one", "e/f", source="u.toml")
    assert book.names == ("ONE", "TWO")
    assert len(merged) == 3


def test_model_ids_are_distinct_with_the_primaries_first():
    cocktail = Cocktail("X", (Slot("a/1", ("b/2", "c/3")), Slot("c/3", ("a/1",)), Slot("a/1")))
    assert cocktail.model_ids == ("a/1", "c/3", "b/2")
    assert cocktail.slots[0].candidates == ("a/1", "b/2", "c/3")


@pytest.mark.parametrize(
    ("text", "seat"),
    [
        ("openai/gpt-4o", ("openai/gpt-4o", 1)),
        ("openai/gpt-4o*3", ("openai/gpt-4o", 3)),
        (" x-ai/grok-4-fast:free * 20 ", ("x-ai/grok-4-fast:free", 20)),
        ("ollama/hf.co/maker/model:Q4_K", ("ollama/hf.co/maker/model:Q4_K", 1)),
        ("~openai/gpt-latest", ("~openai/gpt-latest", 1)),
    ],
)
def test_a_seat_is_an_id_and_a_count(text, seat):
    assert parse_seat(text) == seat


@pytest.mark.parametrize(
    "text",
    [
        *("", "gpt-4o", "a/", "/b", "a b/c", "é/x", "a/\x1b[31m", "a/" + "b" * 300),
        *("a/b*", "a/b*0", "a/b*21", "a/b*-1", "a/b*1*1", "a/b*²", "a/b*03"),
    ],
)
def test_what_is_no_seat_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match="a model"):
        parse_seat(text)


def test_the_form_of_an_id_says_nothing_about_its_existence():
    assert is_model_id("nobody/nothing")
    assert not is_model_id("nothing")
    assert not is_model_id("a/b*2")
