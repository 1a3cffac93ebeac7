"""The bound on tokens holds whatever the text is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.query import Message
from ultrai.policy.tokens import (
    TEMPLATE_TOKENS,
    TEMPLATE_TOKENS_PER_MESSAGE,
    TokenCounts,
    bound_tokens,
    family_of,
    planned_tokens,
    scale_of,
    text_tokens,
    window_tokens,
)

TEMPLATE = TEMPLATE_TOKENS + TEMPLATE_TOKENS_PER_MESSAGE


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("abc", 3), ("\u00e9", 2), ("\u20ac", 3), ("\U0001f600", 4), ("a\ud800b", 5)],
)
def test_the_bound_is_the_bytes_of_the_text_and_the_template(text: str, size: int) -> None:
    assert bound_tokens([Message("user", text)]) == TEMPLATE + size


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_no_text_is_sent_with_more_bytes_than_the_bound_counts(text: str) -> None:
    sent = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert bound_tokens([Message("user", text)]) - TEMPLATE == len(sent.encode())


def counted(native: int, estimate: int, *, times: int) -> TokenCounts:
    counts = TokenCounts()
    for _ in range(times):
        counts = counts.add(native, estimate)
    return counts


def test_nothing_counted_changes_nothing() -> None:
    assert [TokenCounts().correct(estimate) for estimate in (0, 1, 1000)] == [0, 1, 1000]


def test_a_short_prompt_moves_little_and_many_long_ones_give_the_ratio() -> None:
    assert counted(20, 10, times=1).correct(1000) == 1047
    assert counted(1500, 1000, times=40).correct(1000) == 1497


@pytest.mark.parametrize(("native", "corrected"), [(1, 500), (10**9, 4000)])
def test_the_ratio_is_at_least_a_half_and_at_most_four(native: int, corrected: int) -> None:
    found = counted(native, 10_000, times=50).correct(1000)
    assert abs(found - corrected) <= corrected // 100


@pytest.mark.parametrize(("native", "estimate"), [(0, 10), (-5, 10), (10, 0)])
def test_counts_that_no_tokenizer_makes_are_left_out(native: int, estimate: int) -> None:
    assert TokenCounts(7, 7).add(native, estimate) == TokenCounts(7, 7)


def test_a_model_that_counts_anew_is_followed() -> None:
    counts = counted(2000, 1000, times=500)
    for _ in range(500):
        counts = counts.add(1000, 1000)
    assert 1000 <= counts.correct(1000) <= 1050


@given(st.lists(st.tuples(st.integers(-5, 10**7), st.integers(-5, 10**6)), max_size=60))
def test_the_sums_stay_small_and_the_correction_within_its_limits(
    prompts: list[tuple[int, int]],
) -> None:
    counts = TokenCounts()
    for native, estimate in prompts:
        counts = counts.add(native, estimate)
    assert 0 <= counts.estimated <= 10**6
    assert 0 <= counts.native <= 4 * 10**6
    assert 500 <= counts.correct(1000) <= 4000


TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=60) | st.text(
    "aZ0 \n.é我न😀\ud83d", max_size=60
)
FAMILIES = st.sampled_from([None, "GPT", "Claude", "Qwen3", "Gemini", "SmolLM2"])


@given(TEXTS, TEXTS, FAMILIES)
def test_a_text_never_weighs_more_than_its_parts(left: str, right: str, family: str | None) -> None:
    scale = scale_of(family)
    assert scale.weigh(left + right) <= scale.weigh(left) + scale.weigh(right)


@given(st.characters(codec=None, exclude_categories=()), FAMILIES)
def test_no_character_weighs_more_than_the_dearest(character: str, family: str | None) -> None:
    assert scale_of(family).weigh(character) <= scale_of(family).dearest_character


@given(TEXTS, FAMILIES)
def test_a_limit_holds_what_is_planned_and_no_more(text: str, family: str | None) -> None:
    planned = planned_tokens(text, family)
    assert scale_of(family).weigh(text) <= scale_of(family).most_weight(planned)
    assert text_tokens(text, family) <= planned


def test_a_family_without_an_exact_tokenizer_has_the_wider_margin() -> None:
    assert scale_of("Claude").is_measured
    for family in ("Grok", "Gemini", "Nova", None):
        assert not scale_of(family).is_measured
        assert window_tokens(1000, family) > window_tokens(1000, "Claude") > 1000


@pytest.mark.parametrize(
    ("model_id", "listed", "family"),
    [
        ("anthropic/claude-3-haiku", "Claude", "Claude3"),
        ("anthropic/claude-3-7-sonnet-20250219", "Claude", "Claude3"),
        ("anthropic/claude-sonnet-4.5", None, "Claude3"),
        ("anthropic/claude-4.6-sonnet-20260217", "Claude", "Claude3"),
        ("anthropic/claude-opus-4.7", "Claude", "Claude"),
        ("anthropic/claude-sonnet-5-20260630", "Claude", "Claude"),
        ("~anthropic/claude-sonnet-latest", None, "Claude"),
        ("openai/gpt-4", "GPT", "CL100K"),
        ("openai/gpt-4-turbo", None, "CL100K"),
        ("openai/gpt-3.5-turbo-16k", "GPT", "CL100K"),
        ("openai/gpt-4o-mini", "GPT", "GPT"),
        ("openai/gpt-4.1", "GPT", "GPT"),
        ("openai/gpt-5", None, "GPT"),
        ("google/gemma-3-27b-it", None, "Gemma"),
        ("google/gemini-2.5-pro", None, "Gemini"),
        ("meta-llama/llama-4-maverick", None, "Llama4"),
        ("meta-llama/llama-2-70b", "Llama2", "Llama2"),
        ("someone/anything", None, None),
        ("anything", "Qwen3", "Qwen3"),
    ],
)
def test_the_family_is_the_listed_one_or_the_makers_by_its_version(
    model_id: str, listed: str | None, family: str | None
) -> None:
    assert family_of(model_id, listed) == family
