"""What an Attempt may cost and what it should have cost, from the Catalog's prices.

Prices are exact `Decimal`s in USD per unit; amounts are nanodollars, rounded up once. Overrides
follow OpenRouter's pricing object: all conditions of one must hold, and `min_prompt_tokens`, once
strictly exceeded, prices the whole request.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from ultrai.domain.attempt import PriceCap
from ultrai.domain.catalog import PriceOverride, Prices, Rates
from ultrai.domain.money import reserve_nanos
from ultrai.domain.outcome import Usage

_MILLION = 1_000_000
_LARGEST_PROMPT = 1 << 30
_ZERO = Decimal(0)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def rates_at(prices: Prices, prompt_tokens: int, *, moment: datetime) -> Rates:
    """The rates in force for a prompt of this size at this moment (aware, UTC)."""
    for override in prices.overrides:
        if _exceeds(override, prompt_tokens) and _covers(override, moment):
            return override.rates
    return prices.base


def dearest_rates(prices: Prices, prompt_tokens: int) -> Rates:
    """Per unit, the dearest that could apply to a prompt of up to this size, at any time."""
    base = prices.base
    if not prices.overrides and base.cache_write is None and base.internal_reasoning is None:
        return base
    candidates = [base]
    candidates += [o.rates for o in prices.overrides if _exceeds(o, prompt_tokens)]
    prompt = max(_dearest((r.prompt, r.cache_write) for r in candidates), _ZERO)
    completion = max(_dearest((r.completion, r.internal_reasoning) for r in candidates), _ZERO)
    request = max((r.request or _ZERO for r in candidates), default=_ZERO)
    return Rates(prompt=prompt, completion=completion, request=request or None)


def bound_nanos(prices: Prices, *, prompt_tokens: int, max_tokens: int, headroom: Decimal) -> int:
    """The most one Attempt can cost under the price cap that goes out with it."""
    rates = dearest_rates(prices, prompt_tokens)
    return rates_nanos(
        rates, prompt_tokens=prompt_tokens, completion_tokens=max_tokens, factor=headroom
    )


def affordable_tokens(prices: Prices, nanos: int, *, max_tokens: int, headroom: Decimal) -> int:
    """The largest prompt for which one Attempt's bound is no more than this; 0: there is none."""
    low, high = 0, _LARGEST_PROMPT
    while low < high:
        middle = (low + high + 1) // 2
        bound = bound_nanos(prices, prompt_tokens=middle, max_tokens=max_tokens, headroom=headroom)
        low, high = (middle, high) if bound <= nanos else (low, middle - 1)
    return low


def rates_nanos(
    rates: Rates, *, prompt_tokens: int, completion_tokens: int, factor: Decimal = Decimal(1)
) -> int:
    """These counts at these rates, times a factor, rounded up."""
    usd = rates.prompt * prompt_tokens + rates.completion * completion_tokens
    return reserve_nanos((usd + (rates.request or _ZERO)) * factor)


def price_cap(prices: Prices, *, prompt_tokens: int, headroom: Decimal) -> PriceCap:
    """The cap that makes `bound_nanos` provable, as the upstream wants it: per million tokens."""
    rates = dearest_rates(prices, prompt_tokens)
    return PriceCap(
        prompt=rates.prompt * headroom * _MILLION,
        completion=rates.completion * headroom * _MILLION,
        request=None if rates.request is None else rates.request * headroom,
    )


def reckoned_nanos(prices: Prices, usage: Usage, *, moment: datetime) -> int | None:
    """What this usage should have cost; None where the counts are not known."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    rates = rates_at(prices, usage.prompt_tokens, moment=moment)
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
    usd = rates.prompt * (usage.prompt_tokens - cached)
    usd += (rates.prompt if rates.cache_read is None else rates.cache_read) * cached
    usd += rates.completion * usage.completion_tokens + (rates.request or _ZERO)
    return reserve_nanos(usd)


def _dearest(pairs: Iterable[tuple[Decimal, Decimal | None]]) -> Decimal:
    return max(max(first, second or _ZERO) for first, second in pairs)


def _exceeds(override: PriceOverride, prompt_tokens: int) -> bool:
    return override.min_prompt_tokens is None or prompt_tokens > override.min_prompt_tokens


def _covers(override: PriceOverride, moment: datetime) -> bool:
    if override.utc_days and _DAYS[moment.weekday()] not in override.utc_days:
        return False
    if override.utc_start is None or override.utc_end is None:
        return True
    now = moment.hour * 100 + moment.minute
    if override.utc_start <= override.utc_end:
        return override.utc_start <= now < override.utc_end
    return now >= override.utc_start or now < override.utc_end
