"""What an answer costs: exact `Decimal`s, and the doubles that go over the wire.

The wire's figure carries the noise of JavaScript's arithmetic and is printed as JavaScript prints
it, as the real one is; the exact one is what the bill adds up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ultrai_sim.intake import Intake, price_of, prompt_parts, tools_price
from ultrai_sim.windows import is_within

JS_EXPONENT_BELOW = -6
CONDITIONS = frozenset({"min_prompt_tokens", "utc_start", "utc_end", "utc_days"})

Prices = Mapping[str, Any]
"""Decimal strings in USD per unit, as a row of `/models` has them."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The cost of one answer: exact, and as the wire's doubles.

    ``exact`` is what the account pays and ``wire`` how that is printed. ``prompt``, ``completion``
    and ``extra`` (tools) are the list price. With the account's own provider key (BYOK) it pays
    the provider the list price, which is ``upstream`` then, and here only a fee.
    """

    exact: Decimal
    prompt: float
    completion: float
    extra: float = 0.0
    wire: str = ""
    upstream: Decimal | None = None

    @property
    def total(self) -> float:
        """The list price."""
        return self.prompt + self.completion + self.extra

    @property
    def is_byok(self) -> bool:
        """Whether the provider was paid with the account's own key."""
        return self.upstream is not None


FOR_NOTHING = Charge(Decimal(0), 0.0, 0.0, wire="0")


def js_number(value: float) -> str:
    """A double as JavaScript prints it: shortest digits, no exponent from 1e-6 up to 1e21."""
    text = repr(value)
    if value == int(value) and abs(value) < 1e21:  # noqa: PLR2004 - JavaScript's own border
        return str(int(value))
    if "e" not in text:
        return text
    mantissa, _, exponent = text.partition("e")
    if int(exponent) >= JS_EXPONENT_BELOW:
        return format(Decimal(text), "f")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def prices_at(pricing: Prices, prompt_tokens: int, *, now: float) -> Prices:
    """The prices of a prompt of so many tokens at a moment: with the overrides that hold then.

    An override holds if all its conditions do; of several, the later wins, price by price.
    """
    if "overrides" not in pricing:
        return pricing
    prices = dict(pricing)
    for override in prices.pop("overrides"):
        if _holds(override, prompt_tokens, now=now):
            prices |= {name: price for name, price in override.items() if name not in CONDITIONS}
    return prices


def _holds(override: Prices, prompt_tokens: int, *, now: float) -> bool:
    if "min_prompt_tokens" in override and prompt_tokens <= override["min_prompt_tokens"]:
        return False
    return is_within(
        now,
        start=int(override.get("utc_start", 0)),
        end=int(override.get("utc_end", 0)),
        days=override.get("utc_days"),
    )


@dataclass(frozen=True, slots=True)
class Need:
    """The most that a request can cost before any answer: what is ``fixed``, and per token."""

    fixed: Decimal
    per_token: Decimal
    max_tokens: int

    @classmethod
    def of(cls, prices: Prices, intake: Intake, *, max_tokens: int) -> Need:
        """The need of a prompt whose answer has at most so many tokens."""
        parts = sum((price * tokens for price, tokens in prompt_parts(prices, intake)), Decimal(0))
        fixed = parts + price_of(prices, "request") + tools_price(prices, intake)
        return cls(fixed, price_of(prices, "completion"), max_tokens)

    @property
    def worst(self) -> Decimal:
        """The whole of it, in USD."""
        return self.fixed + self.per_token * self.max_tokens

    def affordable(self, usd: Decimal) -> int:
        """How many tokens of an answer so much pays for, beside the prompt."""
        return max(int((usd - self.fixed) / self.per_token), 0) if self.per_token else 0


def charge(
    prices: Prices, intake: Intake, *, completion_tokens: int, fee: Decimal | None = None
) -> Charge:
    """What a prompt and an answer of so many tokens cost.

    ``fee`` is what OpenRouter takes of the list price where the account's own key pays the
    provider; None where OpenRouter pays it.
    """
    completion, request = price_of(prices, "completion"), price_of(prices, "request")
    extra = tools_price(prices, intake)
    parts = prompt_parts(prices, intake)
    prompt_usd = sum(float(price) * tokens for price, tokens in parts) + float(request)
    completion_usd = float(completion) * completion_tokens
    fixed = completion * completion_tokens + request + extra
    listed = sum((price * tokens for price, tokens in parts), fixed)
    total = prompt_usd + completion_usd + float(extra)
    return Charge(
        exact=listed if fee is None else listed * fee,
        prompt=prompt_usd,
        completion=completion_usd,
        extra=float(extra),
        wire=js_number(total if fee is None else total * float(fee)),
        upstream=None if fee is None else listed,
    )
