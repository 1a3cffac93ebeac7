"""Token counts without a tokenizer: an estimate for expectations, a bound for promises.

The bound is provable: byte-level tokenizers never make more tokens than there are UTF-8 bytes, and
each message adds a small constant of template tokens. A lone surrogate, which UTF-8 has no bytes
for, counts as the three bytes that are sent in its place. The estimate counts what can be counted
fast (characters by script, words, numbers, punctuation) and weighs it for each tokenizer family
(`policy/token_weights.py`). What a model has counted so far corrects the estimate (`TokenCounts`)
and never the bound. A plan adds a margin to it, wider where no exact tokenizer was at hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from operator import mul

from ultrai.domain.query import Message
from ultrai.domain.value import value
from ultrai.policy.token_weights import ASSUMED, MEASURED, UNKNOWN, Weights, count_marks

TEMPLATE_TOKENS_PER_MESSAGE = 16
TEMPLATE_TOKENS = 16
_THOUSANDTHS = 1000
_PER_MESSAGE = 4
_PRIOR = 200
_MEMORY = 100_000
_MOST_TIMES = 4
_MEASURED_MARGIN = 1.3
_ASSUMED_MARGIN = 1.6
_MAKERS: Mapping[str, str] = {
    "anthropic": "Claude",
    "deepseek": "DeepSeek",
    "google": "Gemini",
    "meta-llama": "Llama3",
    "mistralai": "Mistral",
    "openai": "GPT",
    "qwen": "Qwen",
    "x-ai": "Grok",
}
_CLAUDE_VERSION = re.compile(r"claude\D*?(\d+)(?:[.-](\d{1,2})(?!\d))?")
_NEW_CLAUDE = (4, 7)
_OLD_GPT = re.compile(r"gpt-(?:3\.5|4(?![\w.]))")


@value
class Scale:
    """How a tokenizer family's tokens are reckoned: in weights of thousandths of a token.

    `margin` is what a plan multiplies an estimate by. `is_measured`: with it, less than one text in
    a thousand has more tokens than planned, by the family's exact tokenizer (`docs/tokens.md`).
    """

    weights: Weights
    margin: float
    is_measured: bool

    @property
    def dearest_character(self) -> int:
        """No character weighs more."""
        *characters, words, marks, humps, digits = self.weights
        return max(characters) + words + marks + humps + digits

    def weigh(self, text: str) -> int:
        """The text's weight. Never more than the sum of its parts' weights."""
        return sum(map(mul, count_marks(text), self.weights))

    def most_weight(self, tokens: int) -> int:
        """The most that a text may weigh to be planned at no more than these tokens."""
        return math.floor(tokens * _THOUSANDTHS / self.margin)


def scale_of(tokenizer: str | None) -> Scale:
    """The scale of the upstream's `architecture.tokenizer`; of one that is not known, the dearest.

    Claude is the exception: it makes more tokens than all others.
    """
    name = (tokenizer or "").lower()
    measured = MEASURED.get(name)
    if measured is not None:
        return Scale(measured, _MEASURED_MARGIN, is_measured=True)
    return Scale(ASSUMED.get(name, UNKNOWN), _ASSUMED_MARGIN, is_measured=False)


def family_of(model_id: str, listed: str | None = None) -> str | None:
    """The tokenizer's family: as `listed`, or else the maker's; by the version where that tells.

    Claude before 4.7 and GPT before 4o have tokenizers of their own, which no catalogue says. None:
    not known.
    """
    maker, _, name = model_id.lower().rpartition("/")
    if listed is None and name.startswith("gemma"):
        return "Gemma"
    if listed is None and name.startswith("llama-4"):
        return "Llama4"
    family = listed or _MAKERS.get(maker.removeprefix("~"))
    if family == "Claude":
        version = _CLAUDE_VERSION.search(name)
        is_old = version and (int(version[1]), int(version[2] or 0)) < _NEW_CLAUDE
        return "Claude3" if is_old else family
    return "CL100K" if family == "GPT" and _OLD_GPT.match(name) else family


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
    weight = sum(scale.weigh(message.read) for message in messages)
    return TEMPLATE_TOKENS + _PER_MESSAGE * len(messages) + round(weight / _THOUSANDTHS)


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


def window_tokens(estimate: int, tokenizer: str | None = None) -> int:
    """An estimate with the family's margin: what a window must hold beside the output."""
    return math.ceil(estimate * scale_of(tokenizer).margin)


def bound_tokens(messages: Sequence[Message]) -> int:
    """No tokenizer makes more tokens of the messages than this."""
    size = sum(len(m.read.encode("utf-8", "surrogatepass")) for m in messages)
    return TEMPLATE_TOKENS + size + TEMPLATE_TOKENS_PER_MESSAGE * len(messages)
