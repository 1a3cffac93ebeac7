"""Token counts without a tokenizer: an estimate for expectations, a bound for promises.

The bound is provable: byte-level tokenizers never make more tokens than there are UTF-8 bytes, and
each message adds a small constant of template tokens. A lone surrogate, which UTF-8 has no bytes
for, counts as the three bytes that are sent in its place. The estimate is a rule of thumb, about
four ASCII characters or one other character to a token, times a factor per tokenizer family
(relative to o200k, as measured on English, code and mixed scripts; recent Claude models make many
more tokens). What a model has counted so far corrects the estimate (`TokenCounts`) and never the
bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ultrai.domain.query import Message
from ultrai.domain.value import value

TEMPLATE_TOKENS_PER_MESSAGE = 16
TEMPLATE_TOKENS = 16
_ASCII_CHARACTERS_PER_TOKEN = 4.0
_THOUSANDTHS = 1000
_CHARACTER_WEIGHT = 1000
_WINDOW_MARGIN = 1.15
_PRIOR = 200
_MEMORY = 100_000
_MOST_TIMES = 4

# The upstream's `architecture.tokenizer` -> tokens relative to o200k, the dearer of prose and code.
_FAMILY_FACTOR: Mapping[str, float] = {
    "claude": 1.65,
    "gemini": 1.15,
    "gemma": 1.15,
    "mistral": 1.16,
    "qwen": 1.10,
    "qwen3": 1.10,
    "llama2": 1.25,
    "llama3": 1.12,
    "llama4": 1.12,
    "grok": 1.10,
    "deepseek": 1.06,
}


@value
class Scale:
    """How a tokenizer family's tokens are reckoned: in weights of thousandths of a token."""

    factor: float
    margin: float

    @property
    def dearest_character(self) -> int:
        """No character weighs more."""
        return math.ceil(_CHARACTER_WEIGHT * self.factor)

    def weigh(self, text: str) -> int:
        """The text's weight. Never more than the sum of its parts' weights."""
        size = len(text)
        others = 0 if text.isascii() else size - len(text.encode("ascii", "ignore"))
        ascii_weight = (size - others) * _CHARACTER_WEIGHT / _ASCII_CHARACTERS_PER_TOKEN
        return math.ceil((ascii_weight + others * _CHARACTER_WEIGHT) * self.factor)

    def most_weight(self, tokens: int) -> int:
        """The most that a text may weigh to be planned at no more than these tokens."""
        return math.floor(tokens * _THOUSANDTHS / self.margin)


def scale_of(tokenizer: str | None) -> Scale:
    """The scale of the upstream's `architecture.tokenizer`; None or unknown: o200k's."""
    return Scale(_FAMILY_FACTOR.get((tokenizer or "").lower(), 1.0), _WINDOW_MARGIN)


def text_tokens(text: str, tokenizer: str | None) -> int:
    """About how many tokens a text makes, without any template."""
    return round(scale_of(tokenizer).weigh(text) / _THOUSANDTHS)


def planned_tokens(text: str, tokenizer: str | None) -> int:
    """The tokens to plan for a text, margin included, without any template."""
    scale = scale_of(tokenizer)
    return math.ceil(scale.weigh(text) * scale.margin / _THOUSANDTHS)


def estimate_tokens(messages: Sequence[Message], tokenizer: str | None) -> int:
    """About how many tokens the messages make, template included."""
    scale = scale_of(tokenizer)
    template = TEMPLATE_TOKENS + 4 * len(messages)
    return round(
        template * scale.factor + sum(scale.weigh(m.content) for m in messages) / _THOUSANDTHS
    )


@value
class TokenCounts:
    """What a model counted of prompts, and what was estimated for the same ones without this.

    Both start with `_PRIOR` tokens that agree, so that a few short prompts move little, and are
    halved beyond `_MEMORY`, so that they stay small and what was long ago fades. All integers:
    the same answers give the same estimates on every machine.
    """

    native: int = 0
    estimated: int = 0

    def add(self, native: int, estimate: int) -> TokenCounts:
        """With one more prompt. Counts that no tokenizer makes are left out."""
        if native <= 0 or estimate <= 0:
            return self
        limited = min(native, estimate * _MOST_TIMES)
        counts = TokenCounts(self.native + limited, self.estimated + estimate)
        if counts.estimated <= _MEMORY:
            return counts
        return TokenCounts(counts.native // 2, counts.estimated // 2)

    def correct(self, estimate: int) -> int:
        """The estimate times the ratio, at least half and at most four times of it."""
        corrected = estimate * (self.native + _PRIOR) // (self.estimated + _PRIOR)
        return min(max(corrected, -(-estimate // 2)), estimate * _MOST_TIMES)


def window_tokens(estimate: int) -> int:
    """An estimate with a margin: what a window must hold beside the output."""
    return round(estimate * _WINDOW_MARGIN)


def bound_tokens(messages: Sequence[Message]) -> int:
    """No tokenizer makes more tokens of the messages than this."""
    size = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in messages)
    return TEMPLATE_TOKENS + size + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
