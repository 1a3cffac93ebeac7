"""The price tiers of the project's report, as a function of a model's completion price.

The report gives ranges in USD per million tokens with gaps between them: free 0, budget 0.06 to
0.50, standard 1 to 10, premium 15 to 60. Here each gap belongs to the tier below it, so that every
known price has exactly one tier and no model is called dearer than the report would call it.
"""

from __future__ import annotations

from decimal import Decimal

from ultrai.domain.catalog import Prices, PriceTier

_MILLION = 1_000_000
_STANDARD_FROM = Decimal(1)
_PREMIUM_FROM = Decimal(15)


def usd_per_million(usd_per_token: Decimal) -> Decimal:
    """The same price in the unit that people quote, exact."""
    return usd_per_token * _MILLION


def price_tier(prices: Prices | None) -> PriceTier | None:
    """The tier by base completion price; None when the price is not known beforehand.

    A model is free only if its prompts are free too; one that charges for prompts alone is judged
    by its prompt price.
    """
    if prices is None:
        return None
    price = usd_per_million(prices.base.completion or prices.base.prompt)
    if price == 0:
        return PriceTier.FREE
    if price < _STANDARD_FROM:
        return PriceTier.BUDGET
    if price < _PREMIUM_FROM:
        return PriceTier.STANDARD
    return PriceTier.PREMIUM
