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

from collections.abc import Mapping, Sequence

from ultrai.domain.query import Message
from ultrai.domain.value import value

TEMPLATE_TOKENS_PER_MESSAGE = 16
TEMPLATE_TOKENS = 16
_ASCII_CHARACTERS_PER_TOKEN = 4.0
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


def estimate_tokens(messages: Sequence[Message], tokenizer: str | None) -> int:
    """About how many tokens the messages make, template included."""
    tokens = float(TEMPLATE_TOKENS)
    for message in messages:
        text = message.content
        ascii_count = len(text) if text.isascii() else sum(map(str.isascii, text))
        tokens += ascii_count / _ASCII_CHARACTERS_PER_TOKEN + (len(text) - ascii_count)
        tokens += 4
    return round(tokens * _FAMILY_FACTOR.get((tokenizer or "").lower(), 1.0))


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
