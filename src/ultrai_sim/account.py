"""The account: credits, keys, what is held for requests in flight, and the bill.

The ceilings of a request are looked at in the order that OpenRouter's answers suggest: its key's,
the budget over all keys, the credits; a balance below zero refuses `:free` models too. Its worst
case is held against all three until it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ultrai_sim import refusals
from ultrai_sim.bill import Bill, BillLine
from ultrai_sim.ceilings import Ceiling
from ultrai_sim.charges import Need
from ultrai_sim.free_tier import HIGH_QUOTA, HIGH_QUOTA_CREDITS, LOW_QUOTA, FreeTier
from ultrai_sim.keys import WORKSPACE_ID, Key
from ultrai_sim.providers import is_named
from ultrai_sim.terms import AccountTerms
from ultrai_sim.windows import Spending, day_of, reset_after

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Hold:
    """The worst case of a request in flight, held against its key and the account."""

    key: Key
    amount: Decimal


class Account:
    """Credits, keys, holds and the bill."""

    def __init__(self, terms: AccountTerms, keys: Iterable[Key]) -> None:
        self.terms = terms
        self.bought = Decimal(str(terms.credits_usd))
        self.spending = Spending()
        self.byok = Spending()
        self.held = NOTHING
        self.keys = {key.secret: key for key in keys}
        self.keys_made = 0
        quota = terms.free_daily_limit
        if quota is None:
            quota = HIGH_QUOTA if self.bought >= HIGH_QUOTA_CREDITS else LOW_QUOTA
        self.free_tier = FreeTier(terms.free_per_minute, quota, terms.free_counter_lag_s)
        self.bill = Bill()

    @property
    def used(self) -> Decimal:
        """What all generations cost, in USD."""
        return self.spending.total

    def find(self, key_hash: str) -> Key | None:
        """The inference key of a hash."""
        found = (key for key in self.keys.values() if key.hash == key_hash)
        return next((key for key in found if key.kind == "inference"), None)

    def reserve(self, key: Key, need: Need, *, now: float) -> Hold:
        """Hold the worst case of a request; raise the 402 or 403 that it meets instead."""
        ceilings = self._ceilings(key, now=now)
        for ceiling in ceilings:
            ceiling.check_open(need)
        for ceiling in ceilings:
            ceiling.check_room(need)
        self.held += need.worst
        key.held += need.worst
        return Hold(key, need.worst)

    def release(self, hold: Hold) -> None:
        """Give a hold back, whatever the answer came to."""
        self.held -= hold.amount
        hold.key.held -= hold.amount

    def post(self, line: BillLine) -> None:
        """Put a generation on the bill."""
        self.bill.add(line)
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
        free = paid < Decimal(str(self.terms.byok_allowance_usd))
        return NOTHING if free else Decimal(str(self.terms.byok_fee))

    def _ceilings(self, key: Key, *, now: float) -> list[Ceiling]:
        """All that a request of this key has to fit under, in the order in which it is asked."""
        credit = self.bought - self.spending.total
        found = [
            self._key_ceiling(key, now=now),
            self._budget_ceiling(now=now),
            Ceiling("openrouter_credits", credit, self.held, refusals.insufficient_credit),
        ]
        return [ceiling for ceiling in found if ceiling is not None]

    def _key_ceiling(self, key: Key, *, now: float) -> Ceiling | None:
        left = key.left(day_of(now))
        if left is None:
            return None

        def refuse() -> refusals.Refusal:
            period = key.limit_reset or "total"
            return refusals.key_limit_exceeded(period, status=self.terms.key_limit_status)

        return Ceiling("openrouter_key_limit", left, key.held, refuse)

    def _budget_ceiling(self, *, now: float) -> Ceiling | None:
        if self.terms.budget_usd is None:
            return None
        limit, interval = Decimal(str(self.terms.budget_usd)), self.terms.budget_interval
        spent = self.spending.within(interval, day=day_of(now))

        def refuse() -> refusals.Refusal:
            resets_at = None if interval is None else reset_after(interval, day_of(now))
            return refusals.budget_exceeded(float(limit), float(spent), resets_at=resets_at)

        return Ceiling("openrouter_workspace_budget", limit - spent, self.held, refuse)

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
