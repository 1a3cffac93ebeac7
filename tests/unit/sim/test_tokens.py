"""Token counts differ between families as real ones do, and a text is the sum of its tokens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai_sim.tokens import FAMILIES, count, family_of, split

PROSE = (
    "A tide is the slow breathing of the sea. Twice a day the water climbs the beach, covers the "
    "rocks where children were looking for crabs, and goes back without any hurry. The moon pulls "
    "at the ocean; the earth turns underneath it. However, nobody should believe that this "
    "explanation is complete, because the continents are in the way."
)
CODE = """
def settle(world, order, *, rendered, delivered):
    tokens = rendered.answer.tokens
    if delivered is not None and order.stream:
        tokens = min(delivered, tokens)
    return replace(order, completion_tokens=tokens)
"""
ROWS = json.dumps(
    [
        {"id": n * 7919, "price": round(n * 1.37, 2), "at": "2026-11-23", "ok": n % 2 == 0}
        for n in range(40)
    ]
)
RUSSIAN = "Прилив — это медленное дыхание моря. Дважды в день вода поднимается на берег. " * 3
CHINESE = "潮汐是大海缓慢的呼吸。每天两次，海水爬上沙滩，淹没孩子们寻找螃蟹的岩石。" * 3


@pytest.mark.parametrize("family", FAMILIES)
@given(text=st.text(max_size=80))
def test_the_tokens_of_a_text_joined_are_the_text(family, text):
    pieces = split(text, family)
    assert "".join(pieces) == text
    assert all(pieces)
    assert count(text, family) == len(pieces)


def test_a_token_of_english_prose_holds_between_four_and_six_characters():
    assert 4 < len(PROSE) / count(PROSE, "GPT") < 6


# Measured with the real vocabularies, relative to a GPT's.
@pytest.mark.parametrize(
    ("text", "family", "least", "most"),
    [
        (PROSE, "Llama", 0.97, 1.05),
        (PROSE, "Qwen", 0.97, 1.05),
        (PROSE, "DeepSeek", 0.97, 1.08),
        (PROSE, "Mistral", 1.02, 1.12),
        (PROSE, "Claude", 1.03, 1.2),
        (PROSE, "Claude-4.7", 1.35, 1.65),
        (CODE, "Claude", 1.1, 1.4),
        (CODE, "Claude-4.7", 1.5, 1.9),
        (ROWS, "Llama", 0.97, 1.03),
        (ROWS, "Qwen", 1.15, 1.35),
        (ROWS, "Gemini", 1.15, 1.35),
        (RUSSIAN, "Claude", 1.3, 1.8),
        (RUSSIAN, "Llama", 1.05, 1.25),
        (CHINESE, "Qwen", 0.45, 0.75),
        (CHINESE, "Gemini", 0.45, 0.9),
    ],
)
def test_families_count_the_same_text_differently(text, family, least, most):
    assert least < count(text, family) / count(text, "GPT") < most


def test_the_same_meaning_costs_more_in_other_scripts():
    assert len(CHINESE) / count(CHINESE, "GPT") < len(RUSSIAN) / count(RUSSIAN, "GPT") < 4.0


@pytest.mark.parametrize(
    ("tokenizer", "model_id", "family"),
    [
        ("GPT", "openai/gpt-4o", "GPT"),
        ("Claude", "anthropic/claude-3-haiku", "Claude"),
        ("Claude", "anthropic/claude-3.7-sonnet", "Claude"),
        ("Claude", "anthropic/claude-sonnet-4.5", "Claude"),
        ("Claude", "anthropic/claude-4.5-sonnet-20250929", "Claude"),
        ("Claude", "anthropic/claude-4-sonnet-20250522", "Claude"),
        ("Claude", "anthropic/claude-opus-4.7", "Claude-4.7"),
        ("Claude", "anthropic/claude-sonnet-5", "Claude-4.7"),
        ("Claude", "anthropic/claude-fable-5.2", "Claude-4.7"),
        ("Claude", "someone/else", "Claude"),
        ("Gemma", "google/gemma-4-31b-it", "Gemini"),
        ("Llama4", "meta-llama/llama-4-maverick", "Llama"),
        ("Router", "openrouter/auto", "Other"),
        ("Unheard", "a/b", "Other"),
    ],
)
def test_every_catalogue_row_has_a_family(tokenizer, model_id, family):
    assert family_of(tokenizer, model_id) == family
