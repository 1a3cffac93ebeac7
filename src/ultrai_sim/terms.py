"""What an account is configured with; whatever cannot be is refused where it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ultrai_sim.reading import (
    Check,
    first_problem,
    money,
    one_of,
    seconds,
    share,
    texts,
    true_or_false,
    whole,
)
from ultrai_sim.windows import INTERVALS, Interval


class AccountTermsError(ValueError):
    """An account that cannot be; the text names the setting and what it may be."""


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What the account starts with, and which of OpenRouter's habits it meets.

    ``free_daily_limit`` None follows the credits: 50 a day below $10 ever bought, else 1000.
    ``free_counter_lag_s``: how late `/key` learns of a free request. ``key_limit_status``: with 403
    (as seen) or 402 (as documented) a key's ceiling refuses. ``budget_usd`` is a ceiling over all
    keys per ``budget_interval``. Providers named in ``byok`` are paid with the account's own keys:
    OpenRouter takes ``byok_fee`` of the list price, once ``byok_allowance_usd`` of it a month is
    used up. ``management_credits``: only a management key may read `/credits`. ``flex_price`` and
    ``priority_price`` are what these service tiers cost, as parts of the list price. Amounts are in
    USD. The four lists are a guardrail: models and providers, or patterns of them, that all keys
    may use, or may not; an empty list of allowed ones allows all.
    """

    credits_usd: str = "1000"
    free_per_minute: int = 20
    free_daily_limit: int | None = None
    free_counter_lag_s: float = 0.0
    key_limit_status: Literal[402, 403] = 403
    budget_usd: str | None = None
    budget_interval: Interval | None = None
    byok: tuple[str, ...] = ()
    byok_fee: str = "0.05"
    byok_allowance_usd: str = "25000"
    management_credits: bool = False
    flex_price: str = "0.5"
    priority_price: str = "2"
    allowed_models: tuple[str, ...] = ()
    ignored_models: tuple[str, ...] = ()
    allowed_providers: tuple[str, ...] = ()
    ignored_providers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no account could be."""
        problem = first_problem(self, ACCOUNT_CHECKS)
        if problem is not None:
            raise AccountTermsError(problem)

    @property
    def has_guardrail(self) -> bool:
        """Whether any model or provider may be barred."""
        models, providers = self.allowed_models, self.allowed_providers
        return bool(models or providers or self.ignored_models or self.ignored_providers)


ACCOUNT_CHECKS: Mapping[str, Check] = {
    "credits_usd": money,
    "free_per_minute": whole,
    "free_daily_limit": whole,
    "free_counter_lag_s": seconds,
    "key_limit_status": one_of(402, 403),
    "budget_usd": money,
    "budget_interval": one_of(*INTERVALS),
    "byok": texts,
    "byok_fee": share,
    "byok_allowance_usd": money,
    "management_credits": true_or_false,
    "flex_price": money,
    "priority_price": money,
    "allowed_models": texts,
    "ignored_models": texts,
    "allowed_providers": texts,
    "ignored_providers": texts,
}
