"""Ceilings on spending, as values: what one leaves, what is held under it, and how it refuses.

There are three: a key's, the budget over all keys, the account's credits. A refusal for good comes
before one that is over as soon as requests in flight have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ultrai_sim import refusals
from ultrai_sim.charges import Need
from ultrai_sim.refusals import LimitSource, Refusal


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What may still be spent, and how much of it requests in flight hold; in USD.

    ``exhausted`` makes the refusal of a ceiling that leaves nothing.
    """

    source: LimitSource
    left: Decimal
    held: Decimal
    exhausted: Callable[[], Refusal]

    def check_open(self, need: Need) -> None:
        """Refuse where nothing is left; credits of exactly zero still serve what costs nothing."""
        serves_free = self.source == "openrouter_credits" and not need.worst
        if self.left < 0 or (self.left == 0 and not serves_free):
            raise self.exhausted()

    def check_room(self, need: Need) -> None:
        """Refuse a request that may cost more than is left, or than others in flight leave."""
        if need.worst > self.left:
            affordable = need.affordable(self.left)
            if self.source == "openrouter_key_limit" and not affordable:
                raise self.exhausted()
            raise refusals.cannot_afford(need.max_tokens, affordable, source=self.source)
        if need.worst > self.left - self.held:
            raise refusals.in_flight_exhausted()
