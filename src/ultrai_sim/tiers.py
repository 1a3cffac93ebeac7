"""Service tiers: cheaper and slower (`flex`), dearer and sooner (`priority`), or the default.

Only some providers offer them. Who asks for `flex` is served by those that have it, and by no other
one; where there is none, or a provider has no `priority`, the default serves. What counts for the
bill is the tier that served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ultrai_sim.charges import Prices
from ultrai_sim.endpoints import Endpoint
from ultrai_sim.manners import tier_of
from ultrai_sim.refusals import refuse
from ultrai_sim.terms import AccountTerms

ASKED: Mapping[str, str] = {
    "auto": "default",
    "default": "default",
    "fast": "priority",
    "flex": "flex",
    "priority": "priority",
    "scale": "default",
    "ultrafast": "priority",
}
"""What may be asked for, and the tier that is meant."""
PRIORITY = frozenset({"OpenAI", "Google", "Google AI Studio", "xAI"})
OFFERS: Mapping[str, frozenset[str]] = {"priority": PRIORITY, "flex": PRIORITY - {"xAI"}}
UNTIERED = frozenset({"request", "web_search", "discount", "overrides"})
"""What costs the same in every tier."""


def read_tier(body: Mapping[str, Any]) -> str:
    """The tier that a body asks for; 400 where there is none of that name."""
    asked = body.get("service_tier")
    if asked is None:
        return "default"
    if not isinstance(asked, str) or asked not in ASKED:
        raise refuse(400, f"service_tier: Invalid option: expected one of {'|'.join(ASKED)}")
    return ASKED[asked]


def by_tier(endpoints: Sequence[Endpoint], wanted: str) -> Sequence[Endpoint]:
    """The endpoints that may serve a tier, those that have it in front."""
    if wanted not in OFFERS:
        return endpoints
    offering = [endpoint for endpoint in endpoints if endpoint.provider in OFFERS[wanted]]
    if wanted == "flex" and offering:
        return offering
    return [*offering, *(endpoint for endpoint in endpoints if endpoint not in offering)]


def served_tier(wanted: str, provider: str) -> str | None:
    """The tier in which a provider serves what was asked for, as its answer names it."""
    return wanted if provider in OFFERS.get(wanted, ()) else tier_of(provider)


def tiered(prices: Prices, tier: str | None, *, terms: AccountTerms) -> Prices:
    """The prices of a tier."""
    if tier not in OFFERS:
        return prices
    factor = Decimal(str(terms.flex_price if tier == "flex" else terms.priority_price))
    return {
        name: price if name in UNTIERED else format(Decimal(str(price)) * factor, "f")
        for name, price in prices.items()
    }
