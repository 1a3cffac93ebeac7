"""The account behind a key: OpenRouter's `GET /key`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from ultrai.domain.attempt import Account
from ultrai.domain.money import reported_nanos
from ultrai.upstream.config import UpstreamConfig
from ultrai.upstream.lenient import integer, mapping, text
from ultrai.upstream.lookup import Lookup
from ultrai.upstream.masking import mask


async def read_account(config: UpstreamConfig, lookup: Lookup) -> Account | None:
    """What the key may do; None without a key, or of a server that is not OpenRouter.

    Raises UpstreamUnavailable.
    """
    if not config.is_openrouter or not config.has_key:
        return None
    data = mapping(mapping(await lookup.get("/key")).get("data"))
    if not data:
        raise lookup.unavailable("the account's description is empty")
    free = mapping(data.get("free_model_daily_requests"))
    is_free_tier = data.get("is_free_tier")
    label = text(data.get("label"))
    return Account(
        label=None if label is None else mask(config.key, label),
        limit_nanos=nanos_of(data.get("limit")),
        limit_remaining_nanos=nanos_of(data.get("limit_remaining")),
        usage_nanos=nanos_of(data.get("usage")),
        free_used=integer(free.get("used")),
        free_limit=integer(free.get("limit")),
        is_free_tier=is_free_tier if isinstance(is_free_tier, bool) else None,
        usage_day_nanos=nanos_of(data.get("usage_daily")),
        expires_at=text(data.get("expires_at")),
        usage_week_nanos=nanos_of(data.get("usage_weekly")),
        usage_month_nanos=nanos_of(data.get("usage_monthly")),
    )


def nanos_of(value: object) -> int | None:
    """An amount in USD as nanodollars; an overdrawn one is 0, for nothing is left."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        usd = Decimal(value)
    except InvalidOperation:
        return None
    return 0 if usd.is_finite() and usd < 0 else reported_nanos(usd)
