"""Money and quotas: what an answer costs, what the account has left, the free tier's windows.

The bill kept here is independent of anything a client computes: exact `Decimal` arithmetic beside
the double that goes over the wire, which carries the noise of JavaScript's arithmetic as the real
one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ultrai_sim import refusals
from ultrai_sim.catalogue import Model
from ultrai_sim.intake import Intake, price_of, prompt_parts, tools_price

MINUTE_S = 60.0
DAY_S = 86_400.0
CREDITS_FOR_HIGH_QUOTA = 10
JS_EXPONENT_BELOW = -6


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What the account starts with.

    ``free_daily_limit`` None follows the credits: 50 a day below $10 ever bought, else 1000.
    """

    credits_usd: str = "1000"
    free_per_minute: int = 20
    free_daily_limit: int | None = None


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """One API key: an optional ceiling in USD, and whether it still works."""

    key: str
    limit_usd: str | None = None
    limit_reset: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """The cost of one answer: exact, and as the wire's doubles. ``extra`` is what tools cost."""

    exact: Decimal
    prompt: float
    completion: float
    extra: float = 0.0

    @property
    def total(self) -> float:
        """What `usage.cost` says."""
        return self.prompt + self.completion + self.extra


@dataclass(slots=True)
class BillLine:
    """One generation on the bill. ``cost_wire`` is the literal that `usage.cost` carried."""

    generation_id: str
    model: str
    key: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: str
    cost_wire: str
    billed: bool
    cancelled: bool


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


def prices_at(model: Model, prompt_tokens: int) -> Mapping[str, Any]:
    """The prices of a model for a prompt of so many tokens: with the overrides that hold."""
    prices: Mapping[str, Any] = model.pricing
    for override in prices.get("overrides", ()):
        if prompt_tokens > override.get("min_prompt_tokens", 0):
            prices = {**prices, **override}
    return prices


def rates(model: Model, prompt_tokens: int) -> tuple[Decimal, Decimal, Decimal]:
    """USD per prompt token, per completion token and per request, with the overrides that hold."""
    prices = prices_at(model, prompt_tokens)
    prompt, completion, request = (
        price_of(prices, name) for name in ("prompt", "completion", "request")
    )
    return prompt, completion, request


def charge(model: Model, intake: Intake, *, completion_tokens: int) -> Charge:
    """What a prompt and an answer of so many tokens cost."""
    prices = prices_at(model, intake.tokens)
    completion, request = price_of(prices, "completion"), price_of(prices, "request")
    extra = tools_price(prices, intake)
    parts = prompt_parts(prices, intake)
    fixed = completion * completion_tokens + request + extra
    return Charge(
        exact=sum((price * tokens for price, tokens in parts), fixed),
        prompt=sum(float(price) * tokens for price, tokens in parts) + float(request),
        completion=float(completion) * completion_tokens,
        extra=float(extra),
    )


@dataclass(slots=True)
class FreeTier:
    """The windows of `:free` models, over all keys of the account."""

    per_minute: int
    daily_limit: int
    starts: deque[float] = field(default_factory=deque)
    day: int = -1
    used: int = 0

    def used_on(self, now: float) -> int:
        """How many free requests this UTC day has seen."""
        return self.used if int(now // DAY_S) == self.day else 0

    def admit(self, now: float) -> None:
        """Count one start, or raise the 429 of the window that is full."""
        today = int(now // DAY_S)
        if today != self.day:
            self.day, self.used = today, 0
        if self.used >= self.daily_limit:
            reset_ms = int((today + 1) * DAY_S * 1000)
            raise refusals.free_limit("per-day", self.daily_limit, reset_ms=reset_ms)
        while self.starts and self.starts[0] <= now - MINUTE_S:
            self.starts.popleft()
        if len(self.starts) >= self.per_minute:
            reset_ms = int((self.starts[0] + MINUTE_S) * 1000)
            raise refusals.free_limit("per-min", self.per_minute, reset_ms=reset_ms)
        self.starts.append(now)
        self.used += 1


class Account:
    """Credits, keys, holds and the bill."""

    def __init__(self, terms: AccountTerms, keys: Mapping[str, KeyTerms]) -> None:
        self.bought = Decimal(terms.credits_usd)
        self.used = Decimal(0)
        self.held = Decimal(0)
        self.keys = dict(keys)
        self.used_by_key: dict[str, Decimal] = dict.fromkeys(keys, Decimal(0))
        quota = terms.free_daily_limit
        if quota is None:
            quota = 1000 if self.bought >= CREDITS_FOR_HIGH_QUOTA else 50
        self.free_tier = FreeTier(terms.free_per_minute, quota)
        self.bill: list[BillLine] = []

    def reserve(self, key: str, model: Model, *, prompt: int, max_tokens: int) -> Decimal:
        """Hold the worst case of a request; raise the 402 or 403 that it meets instead."""
        if self.bought < self.used or (self.bought == self.used and not model.is_free):
            raise refusals.insufficient_credit()
        limit = self.keys[key].limit_usd
        if limit is not None and self.used_by_key[key] >= Decimal(limit):
            raise refusals.key_limit_exceeded(self.keys[key].limit_reset or "total")
        per_prompt, per_token, per_request = rates(model, prompt)
        fixed = per_prompt * prompt + per_request
        worst = fixed + per_token * max_tokens
        left = self.bought - self.used
        if worst > left:
            affordable = max(int((left - fixed) / per_token), 0) if per_token else 0
            raise refusals.cannot_afford(max_tokens, affordable)
        if worst > left - self.held:
            raise refusals.in_flight_exhausted()
        self.held += worst
        return worst

    def release(self, hold: Decimal) -> None:
        """Give a hold back, whatever the answer came to."""
        self.held -= hold

    def post(self, line: BillLine) -> None:
        """Put a generation on the bill."""
        self.bill.append(line)
        if line.billed:
            amount = Decimal(line.cost_usd)
            self.used += amount
            self.used_by_key[line.key] += amount

    def key_body(self, key: str, now: float) -> dict[str, Any]:
        """The answer of `/key`."""
        terms = self.keys[key]
        used = self.used_by_key[key]
        limit = None if terms.limit_usd is None else Decimal(terms.limit_usd)
        free_used = self.free_tier.used_on(now)
        spent = float(used)
        return {
            "data": {
                "label": f"{key[:12]}...{key[-3:]}",
                "limit": None if limit is None else float(limit),
                "limit_remaining": None if limit is None else float(max(limit - used, Decimal(0))),
                "limit_reset": terms.limit_reset,
                "include_byok_in_limit": False,
                **dict.fromkeys(("usage", "usage_daily", "usage_weekly", "usage_monthly"), spent),
                **dict.fromkeys(("byok_usage", "byok_usage_daily", "byok_usage_weekly"), 0),
                "byok_usage_monthly": 0,
                "is_free_tier": self.bought < CREDITS_FOR_HIGH_QUOTA,
                "is_management_key": False,
                "is_provisioning_key": False,
                "expires_at": None,
                "creator_user_id": refusals.USER_ID,
                "organization_id": None,
                "workspace_id": None,
                "allowed_data_regions": ["global"],
                "free_model_daily_requests": {
                    "used": free_used,
                    "limit": self.free_tier.daily_limit,
                    "remaining": max(self.free_tier.daily_limit - free_used, 0),
                },
                "budgets": [],
                "effective_budget": None,
                "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is unused."},
            }
        }
