from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.policy.selection import (
    LONG_PROMPT_CHARACTERS,
    SHORT_DEADLINE_S,
    SMALL_CAP_NANOS,
    Circumstances,
    choose_cocktail,
)

FOUR = ("PREMIUM", "SPEEDY", "BUDGET", "DEPTH")
FILLER = "Our garden has apple trees and a pond, and last year the frost came late. " * 4
CENT = 10_000_000


@pytest.mark.parametrize(
    ("prompt", "cocktail", "because"),
    [
        ("What is the capital of Peru?", "SPEEDY", "the question is short"),
        ("Explain quantum computing in simple terms.", "SPEEDY", "the question is short"),
        (FILLER + "What should we plant?", "PREMIUM", "nothing in the question"),
        ("Explain monads in depth.", "DEPTH", "asks for depth"),
        ("Walk me through it step by step.", "DEPTH", "asks for depth"),
        ("Compare Kant and Hume.", "DEPTH", "asks for depth"),
        ("Prove that there are infinitely many primes.", "DEPTH", "asks for depth"),
        ("What are the trade-offs of B-trees?", "DEPTH", "asks for depth"),
        ("Find the derivative of x^2 sin x.", "DEPTH", "mathematical"),
        (r"Evaluate \int_0^1 e^x dx", "DEPTH", "mathematical"),
        ("Write a Python function that reverses a list.", "PREMIUM", "about code"),
        ("Why?\n```\nfor x in y: pass\n```", "PREMIUM", "about code"),
        ("Traceback (most recent call last):\n  boom", "PREMIUM", "about code"),
        ("import os\nprint(1)  # why is nothing shown?", "PREMIUM", "about code"),
        ("From the import duties of 1880, who gained?", "SPEEDY", "the question is short"),
        ("Classify this review: good soup.", "BUDGET", "classifying"),
        ("Is this spam? Answer yes or no.", "BUDGET", "classifying"),
        ("What is the sentiment of 'meh'?", "BUDGET", "classifying"),
        ("Summarise: " + FILLER, "BUDGET", "summarising"),
        (FILLER + "TL;DR please", "BUDGET", "summarising"),
        ("Summarize this.\n" + "word " * LONG_PROMPT_CHARACTERS, "SPEEDY", "a long text"),
        ("word " * LONG_PROMPT_CHARACTERS, "PREMIUM", "the prompt is long"),
        ("Summarise step by step: " + FILLER, "DEPTH", "asks for depth"),
        ("", "SPEEDY", "the question is short"),
    ],
)
def test_the_question_decides(prompt, cocktail, because):
    choice = choose_cocktail(Circumstances(prompt))
    assert choice.cocktail == cocktail
    assert because in choice.reason


@pytest.mark.parametrize(
    ("circumstances", "cocktail", "because"),
    [
        ({"deadline_s": SHORT_DEADLINE_S}, "SPEEDY", "the deadline is short"),
        ({"deadline_s": SHORT_DEADLINE_S + 1}, "DEPTH", "asks for depth"),
        ({"max_cost_nanos": SMALL_CAP_NANOS}, "BUDGET", "the cost cap is small"),
        ({"max_cost_nanos": SMALL_CAP_NANOS + 1}, "DEPTH", "asks for depth"),
        ({"ready_share": {"DEPTH": 0.0}}, "PREMIUM", "none of DEPTH's slots has a ready model"),
        ({"ready_share": {"DEPTH": 0.4}}, "PREMIUM", "fewer than half of DEPTH's slots"),
        ({"ready_share": {"DEPTH": 0.6}}, "DEPTH", "asks for depth"),
        (
            {"max_cost_nanos": 5 * CENT, "expected_cost_nanos": {"DEPTH": 6 * CENT, "PREMIUM": 1}},
            "PREMIUM",
            "DEPTH is expected to cost more than the cap",
        ),
        (
            {"max_cost_nanos": 5 * CENT, "expected_cost_nanos": {"DEPTH": None}},
            "PREMIUM",
            "DEPTH's cost is not known",
        ),
        ({"expected_cost_nanos": {"DEPTH": None}}, "DEPTH", "asks for depth"),
        (
            {"deadline_s": 30.0, "expected_latency_s": {"DEPTH": 40.0, "PREMIUM": 31.0}},
            "SPEEDY",
            "PREMIUM is expected to take longer than the deadline",
        ),
        ({"expected_latency_s": {"DEPTH": None}, "deadline_s": 30.0}, "DEPTH", "asks for depth"),
    ],
)
def test_the_circumstances_overrule_the_question(circumstances, cocktail, because):
    choice = choose_cocktail(Circumstances("Compare Kant and Hume.", **circumstances))
    assert choice.cocktail == cocktail
    assert because in choice.reason


def test_asked_depth_counts_whatever_the_prompt_says():
    choice = choose_cocktail(Circumstances("Why is the sky blue?", asked_depth=True))
    assert choice.cocktail == "DEPTH"


def test_under_a_cap_that_nothing_fits_the_cheapest_is_taken():
    costs = {"PREMIUM": 40, "SPEEDY": 20, "BUDGET": 30, "DEPTH": None}
    choice = choose_cocktail(Circumstances("Hi", max_cost_nanos=10, expected_cost_nanos=costs))
    assert choice.cocktail == "SPEEDY"
    assert choice.reason == (
        "SPEEDY was chosen because the cost cap is small, though SPEEDY is expected to cost more "
        "than the cap: no cocktail fits better."
    )


def test_a_cocktail_without_any_ready_model_is_the_last_resort():
    shares = {"PREMIUM": 0.0, "SPEEDY": 0.0, "BUDGET": 0.2, "DEPTH": 0.0}
    latencies = {"BUDGET": 500.0}
    choice = choose_cocktail(
        Circumstances("Hi", deadline_s=100, ready_share=shares, expected_latency_s=latencies)
    )
    assert choice.cocktail == "BUDGET"


def test_words_in_the_middle_of_a_long_text_are_no_instructions():
    text = "Translate.\n" + "lorem ipsum " * 200 + "compare and prove" + " dolor sit" * 200
    assert choose_cocktail(Circumstances(text)).cocktail == "PREMIUM"


_SHARES = st.dictionaries(st.sampled_from(FOUR), st.floats(0, 1))
_COSTS = st.dictionaries(st.sampled_from(FOUR), st.none() | st.integers(0, 10**12))
_TIMES = st.dictionaries(st.sampled_from(FOUR), st.none() | st.floats(0, 1000))


@given(
    st.builds(
        Circumstances,
        prompt=st.text(max_size=300),
        asked_depth=st.booleans(),
        deadline_s=st.none() | st.floats(0, 1000),
        max_cost_nanos=st.none() | st.integers(0, 10**12),
        ready_share=_SHARES,
        expected_cost_nanos=_COSTS,
        expected_latency_s=_TIMES,
    )
)
def test_one_of_the_four_is_always_chosen_with_one_sentence_that_names_it(circumstances):
    choice = choose_cocktail(circumstances)
    assert choice.cocktail in FOUR
    assert choice.reason.startswith(f"{choice.cocktail} was chosen")
    assert choice.reason.endswith(".")
    assert "\n" not in choice.reason
    dead = {name for name, share in circumstances.ready_share.items() if share <= 0}
    assert choice.cocktail not in dead or dead == set(FOUR)


def test_a_prompt_of_a_million_characters_is_decided_on_its_ends():
    hostile = "\\" + " " * 1_000_000 + "{" * 1_000_000
    assert choose_cocktail(Circumstances(hostile)).cocktail in FOUR
