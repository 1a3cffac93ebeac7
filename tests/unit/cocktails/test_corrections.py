from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.corrections import Corrections, correct
from ultrai.settings.cocktails import shipped_file

LLAMA = "meta-llama/llama-3.3-70b-instruct"
TABLES = Corrections(
    prefixes={"xai/": "x-ai/", "meta/": "meta-llama/"},
    deprecated={
        "meta/llama-2-70b-chat": LLAMA,
        "anthropic/claude-3.5-sonnet": "anthropic/claude-3.7-sonnet",
    },
    clarifications={"mistralai/mixtral-8x7b": "mistralai/mixtral-8x7b-instruct"},
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("xai/grok-4", "x-ai/grok-4"),
        ("XAI/grok-4", "x-ai/grok-4"),
        ("xai/grok-4-fast:free", "x-ai/grok-4-fast:free"),
        ("meta/llama-4-maverick", "meta-llama/llama-4-maverick"),
        ("meta/llama-2-70b-chat", LLAMA),
        ("meta-llama/llama-2-70b-chat", LLAMA),
        ("Meta/Llama-2-70B-chat", LLAMA),
        ("anthropic/claude-3.5-sonnet", "anthropic/claude-3.7-sonnet"),
        ("mistralai/mixtral-8x7b", "mistralai/mixtral-8x7b-instruct"),
        ("mistralai/mixtral-8x7b:free", "mistralai/mixtral-8x7b-instruct:free"),
    ],
)
def test_a_wrong_id_becomes_the_right_one(written, meant):
    correction = correct(written, TABLES)
    assert correction is not None
    assert (correction.original, correction.corrected) == (written, meant)


@pytest.mark.parametrize(
    "model_id",
    [
        *("openai/gpt-4o", "x-ai/grok-4", LLAMA, "mistralai/mixtral-8x7b-instruct"),
        *("xai", "", "meta", "metaphor/model", "anthropic/claude-3.5-sonnet-extended"),
    ],
)
def test_a_right_id_is_left_alone(model_id):
    assert correct(model_id, TABLES) is None


def test_a_correction_says_why_in_one_sentence():
    correction = correct("xai/grok-4", TABLES)
    assert correction is not None
    assert correction.message == (
        "xai/grok-4 was read as x-ai/grok-4: the prefix xai/ is written x-ai/."
    )


def test_two_corrections_of_one_id_are_both_told():
    tables = Corrections(prefixes={"old/": "new/"}, deprecated={"other/x": "old/y"})
    correction = correct("other/x", tables)
    assert correction is not None
    assert correction.corrected == "new/y"
    assert correction.reason == (
        "other/x is deprecated and replaced by old/y; the prefix old/ is written new/"
    )


def test_a_suffix_of_the_replacement_wins_over_the_ids_own():
    tables = Corrections(deprecated={"a/b": "a/c:free"})
    correction = correct("a/b:nitro", tables)
    assert correction is not None
    assert correction.corrected == "a/c:free"


def test_an_id_that_the_table_names_with_its_suffix_is_found_so():
    tables = Corrections(deprecated={"a/b:free": "a/c"})
    assert correct("a/b", tables) is None
    correction = correct("a/b:free", tables)
    assert correction is not None
    assert correction.corrected == "a/c"


def test_tables_that_go_in_a_circle_correct_nothing():
    circle = Corrections(deprecated={"a/b": "a/c", "a/c": "a/b"})
    assert correct("a/b", circle) is None
    assert correct("x/1", Corrections(prefixes={"x/": "y/", "y/": "x/"})) is None
    assert correct("x/1", Corrections(prefixes={"x/": "x/x/"})) is None


def test_a_users_corrections_win_over_the_shipped_ones():
    merged = TABLES.merged(Corrections(deprecated={"meta/llama-2-70b-chat": "meta/llama-9"}))
    correction = correct("meta-llama/llama-2-70b-chat", merged)
    assert correction is not None
    assert correction.corrected == "meta-llama/llama-9"
    assert correct("xai/grok-4", merged) is not None


_MAKERS = st.sampled_from(["a", "b", "B", "ab", "xai"])
_IDS = st.builds(
    lambda maker, slug, suffix: f"{maker}/{slug}{suffix}",
    _MAKERS,
    st.sampled_from(["x", "y", "Y", "x-y"]),
    st.sampled_from(["", ":free", ":nitro"]),
)
_PREFIXES = st.builds("{}/".format, _MAKERS)
_TABLES = st.builds(
    Corrections,
    prefixes=st.dictionaries(_PREFIXES, _PREFIXES, max_size=4),
    deprecated=st.dictionaries(_IDS, _IDS, max_size=6),
    clarifications=st.dictionaries(_IDS, _IDS, max_size=6),
)


@given(_IDS, _TABLES)
def test_correcting_twice_is_correcting_once_whatever_the_tables(model_id, tables):
    correction = correct(model_id, tables)
    if correction is not None:
        assert correct(correction.corrected, tables) is None


@given(st.text(max_size=40))
def test_any_text_can_be_corrected_with_the_shipped_tables(text):
    correction = correct(text, TABLES)
    if correction is not None:
        assert correct(correction.corrected, TABLES) is None


def test_no_shipped_cocktail_needs_a_correction():
    shipped = shipped_file()
    assert not [i for i in shipped.model_ids if correct(i, shipped.corrections)]
