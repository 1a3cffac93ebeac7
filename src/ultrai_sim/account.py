"""The account: credits, keys, what is held for requests in flight, and the bill.

The ceilings of a request are looked at in the order that OpenRouter's answers suggest: its key's,
the budget over all keys, the credits; a balance below zero refuses `:free` models too. Its worst
case is held against all three until it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from ultrai_sim import refusals
from ultrai_sim.bill import BillLine
from ultrai_sim.charges import Prices, worst_case
from ultrai_sim.free_tier import HIGH_QUOTA, HIGH_QUOTA_CREDITS, LOW_QUOTA, FreeTier
from ultrai_sim.keys import WORKSPACE_ID, Key
from ultrai_sim.providers import is_named
from ultrai_sim.refusals import LimitSource
from ultrai_sim.windows import Interval, Spending, day_of, reset_after

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What the account starts with, and which of OpenRouter's habits it meets.

    ``free_daily_limit`` None follows the credits: 50 a day below $10 ever bought, else 1000.
    ``free_counter_lag_s``: how late `/key` learns of a free request. ``key_limit_status``: with 403
    (as seen) or 402 (as documented) a key's ceiling refuses. ``budget_usd`` is a ceiling over all
    keys per ``budget_interval``. Providers named in ``byok`` are paid with the account's own keys:
    OpenRouter takes ``byok_fee`` of the list price, once ``byok_allowance_usd`` of it a month is
    used up. ``management_credits``: only a management key may read `/credits`.
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


@dataclass(frozen=True, slots=True)
class Hold:
    """The worst case of a request in flight, held against its key and the account."""

    key: Key
    amount: Decimal


class Account:
    """Credits, keys, holds and the bill."""

    def __init__(self, terms: AccountTerms, keys: Iterable[Key]) -> None:
        self.terms = terms
        self.bought = Decimal(terms.credits_usd)
        self.spending = Spending()
        self.byok = Spending()
        self.held = NOTHING
        self.keys = {key.secret: key for key in keys}
        quota = terms.free_daily_limit
        if quota is None:
            quota = HIGH_QUOTA if self.bought >= HIGH_QUOTA_CREDITS else LOW_QUOTA
        self.free_tier = FreeTier(terms.free_per_minute, quota, terms.free_counter_lag_s)
        self.bill: list[BillLine] = []

    @property
    def used(self) -> Decimal:
        """What all generations cost, in USD."""
        return self.spending.total

    def find(self, key_hash: str) -> Key | None:
        """The inference key of a hash."""
        found = (key for key in self.keys.values() if key.hash == key_hash)
        return next((key for key in found if key.kind == "inference"), None)

    def reserve(
        self, key: Key, prices: Prices, *, prompt: int, max_tokens: int, now: float
    ) -> Hold:
        """Hold the worst case of a request; raise the 402 or 403 that it meets instead."""
        worst, per_token = worst_case(prices, prompt=prompt, max_tokens=max_tokens)
        ceilings: list[tuple[LimitSource, Decimal, Decimal]] = []
        if key.limit is not None:
            ceilings.append(("openrouter_key_limit", self._key_left(key, now=now), key.held))
        if self.terms.budget_usd is not None:
            left = self._budget_left(self.terms.budget_usd, now=now)
            ceilings.append(("openrouter_workspace_budget", left, self.held))
        credit = self.bought - self.spending.total
        if credit < 0 or (credit == 0 and worst):
            raise refusals.insufficient_credit()
        ceilings.append(("openrouter_credits", credit, self.held))
        for source, left, held in ceilings:
            if worst > left:
                spare = left - (worst - per_token * max_tokens)
                affordable = max(int(spare / per_token), 0) if per_token else 0
                if source == "openrouter_key_limit" and not affordable:
                    raise self._key_refusal(key)
                raise refusals.cannot_afford(max_tokens, affordable, source=source)
            if worst > left - held:
                raise refusals.in_flight_exhausted()
        self.held += worst
        key.held += worst
        return Hold(key, worst)

    def release(self, hold: Hold) -> None:
        """Give a hold back, whatever the answer came to."""
        self.held -= hold.amount
        hold.key.held -= hold.amount

    def post(self, line: BillLine) -> None:
        """Put a generation on the bill."""
        self.bill.append(line)
        day, key = line.day, line.key
        key.last_used_at = line.created_at
        if line.cost:
            self.spending.add(line.cost, day=day)
            key.spending.add(line.cost, day=day)
        if line.upstream:
            self.byok.add(line.upstream, day=day)
            key.byok.add(line.upstream, day=day)

    def fee(self, provider: str, *, now: float) -> Decimal | None:
        """What OpenRouter takes of a list price that it does not pay itself; None where it does."""
        if not any(is_named(provider, name) for name in self.terms.byok):
            return None
        paid = self.byok.within("monthly", day=day_of(now))
        free = paid < Decimal(self.terms.byok_allowance_usd)
        return NOTHING if free else Decimal(self.terms.byok_fee)

    def _key_left(self, key: Key, *, now: float) -> Decimal:
        """What a key's ceiling leaves; its refusal where that is nothing."""
        left = key.left(day_of(now)) or NOTHING
        if left <= 0:
            raise self._key_refusal(key)
        return left

    def _key_refusal(self, key: Key) -> refusals.Refusal:
        period = key.limit_reset or "total"
        return refusals.key_limit_exceeded(period, status=self.terms.key_limit_status)

    def _budget_left(self, budget_usd: str, *, now: float) -> Decimal:
        """What the budget over all keys leaves; its refusal where that is nothing."""
        limit, interval = Decimal(budget_usd), self.terms.budget_interval
        spent = self.spending.within(interval, day=day_of(now))
        if spent >= limit:
            resets_at = None if interval is None else reset_after(interval, day_of(now))
            raise refusals.budget_exceeded(float(limit), float(spent), resets_at=resets_at)
        return limit - spent

    def key_body(self, key: Key, now: float) -> dict[str, Any]:
        """The answer of `/key`."""
        day = day_of(now)
        budget = key.budget(day)
        manages = key.kind == "management"
        return {
            "data": {
                "label": key.label,
                **key.usage_fields(day),
                "is_free_tier": self.bought <= 0,
                "is_management_key": manages,
                "is_provisioning_key": manages,
                "expires_at": key.expires_text,
                "creator_user_id": refusals.USER_ID,
                "organization_id": None,
                "workspace_id": WORKSPACE_ID,
                "allowed_data_regions": ["global"],
                "free_model_daily_requests": self.free_tier.daily_requests(now),
                "budgets": [] if budget is None else [budget],
                "effective_budget": budget,
                "rate_limit": {
                    "requests": -1,
                    "interval": "10s",
                    "note": "This field is deprecated and safe to ignore.",
                },
            }
        }
