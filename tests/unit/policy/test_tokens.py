"""The bound on tokens holds whatever the text is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrai.domain.query import Message
from ultrai.policy.tokens import TEMPLATE_TOKENS, TEMPLATE_TOKENS_PER_MESSAGE, bound_tokens

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
