from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.nearest import did_you_mean, nearest

IDS = (
    "openai/gpt-4o",
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4.5",
    "anthropic/claude-haiku-4.5",
    "google/gemini-2.5-pro",
    "x-ai/grok-4.7",
    "deepseek/deepseek-r1",
    "mistralai/mistral-large",
)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("gpt4o", "openai/gpt-4o"),
        ("opnai/gpt-4o", "openai/gpt-4o"),
        ("openai/gpt4o-mini", "openai/gpt-4o-mini"),
        ("OPENAI/GPT-4O", "openai/gpt-4o"),
        ("anthropic/claude-sonet-4.5", "anthropic/claude-sonnet-4.5"),
        ("sonnet", "anthropic/claude-sonnet-4.5"),
        ("google/gemini2.5pro", "google/gemini-2.5-pro"),
        ("deepseek/r1", "deepseek/deepseek-r1"),
        ("mistral-large", "mistralai/mistral-large"),
        ("x-ai/grok-4", "x-ai/grok-4.7"),
    ],
)
def test_the_likeliest_id_comes_first(typed, first):
    assert nearest(typed, IDS)[0] == first


def test_a_word_that_differs_only_in_case_has_one_answer():
    assert nearest(" premium ", ["PREMIUM", "PREMIUMS"]) == ("PREMIUM",)


def test_a_word_like_nothing_has_no_answer():
    assert nearest("zzzzzz", IDS) == ()
    assert nearest("", IDS) == ()
    assert nearest("gpt", ()) == ()
    assert did_you_mean("zzzzzz", IDS) == ""


def test_the_question_names_up_to_three():
    assert did_you_mean("premum", ["PREMIUM", "SPEEDY"]) == "did you mean PREMIUM?"
    words = ["aaba", "aabb", "aabc", "aabd"]
    assert did_you_mean("aab", words) == "did you mean aaba, aabb or aabc?"


def test_a_word_too_long_for_a_typing_error_is_not_compared():
    assert nearest("a" * 10_000, ["a" * 9_999]) == ()


@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=12), st.integers(1, 5))
def test_the_answers_are_distinct_candidates_and_no_more_than_asked_for(word, candidates, n):
    found = nearest(word, candidates, n=n)
    assert len(found) <= n
    assert len(set(found)) == len(found)
    assert set(found) <= set(candidates)


@given(st.sampled_from(IDS))
def test_a_valid_word_is_nearest_to_itself(word):
    assert nearest(word, IDS) == (word,)
