"""The treasury: a Run's envelope, so that its cost cap cannot be exceeded.

Theory of operation. At the start every Slot holds the bound of its dearest Candidate for one
Attempt. Attempts of a Slot run one after another and reuse that hold; what a finished Attempt cost,
or may have cost, is burnt. The next Attempt tops the hold up if burnt plus its own bound exceed it,
and is refused where the sum of all holds would pass the cap. A Slot that is done gives back what it
did not burn. All amounts are nanodollars, all steps happen on the event loop without awaiting.

The treasury does not know prices, and without a cap it only adds up.
"""

from __future__ import annotations

from ultrai.domain.catalog import Catalog
from ultrai.domain.errors import BudgetRefusal
from ultrai.domain.money import format_usd
from ultrai.domain.plan import NotReadyReason, Plan, PlannedCandidate, PlannedSlot
from ultrai.domain.query import Limits


class Envelope:
    """One Run's money. `limit_nanos` None: no cap."""

    def __init__(self, limit_nanos: int | None) -> None:
        self._limit_nanos = limit_nanos
        self._holds: dict[int, int] = {}
        self._burnt: dict[int, int] = {}

    @property
    def is_capped(self) -> bool:
        """Whether a cap is in force."""
        return self._limit_nanos is not None

    @property
    def held_nanos(self) -> int:
        """The sum of all holds: what has been spent and what may still be."""
        return sum(self._holds.values())

    def open_slot(self, slot: int, bound_nanos: int) -> None:
        """Hold the first Attempt's worst case; the caller has checked that the sum fits."""
        self._holds[slot] = bound_nanos
        self._burnt[slot] = 0

    def fits(self, slot: int, bound_nanos: int | None) -> bool:
        """Whether one more Attempt of the Slot with this bound would be covered."""
        if self._limit_nanos is None:
            return True
        if bound_nanos is None:
            return False
        needed = self._burnt.get(slot, 0) + bound_nanos
        held = self._holds.get(slot, 0)
        return needed <= held or self.held_nanos - held + needed <= self._limit_nanos

    def reserve(self, slot: int, bound_nanos: int | None) -> bool:
        """Cover one more Attempt of the Slot; False: refused, nothing may be sent."""
        if not self.fits(slot, bound_nanos):
            return False
        needed = self._burnt.get(slot, 0) + (bound_nanos or 0)
        self._holds[slot] = max(self._holds.get(slot, 0), needed)
        return True

    def burn(self, slot: int, cost_nanos: int | None) -> None:
        """An Attempt has ended and cost this much, or may have."""
        burnt = self._burnt.get(slot, 0) + (cost_nanos or 0)
        self._burnt[slot] = burnt
        self._holds[slot] = max(self._holds.get(slot, 0), burnt)

    def close_slot(self, slot: int) -> None:
        """The Slot is done: give back what it did not burn."""
        self._holds[slot] = self._burnt.get(slot, 0)


def check_envelope(plan: Plan, limits: Limits, *, catalog: Catalog) -> None:
    """Raise BudgetRefusal when the worst case of the first Attempts does not fit the cost cap."""
    cap = limits.max_cost_nanos
    if cap is None:
        return
    for slot in plan.slots:
        for candidate in slot.candidates:
            if _lacks_price(candidate, slot, catalog=catalog):
                raise BudgetRefusal(
                    f"no price of {candidate.model} is known, so a cost cap cannot be kept; "
                    "nothing was sent",
                    hint="leave --max-cost out, or ask a model with a listed price",
                )
    needed = sum(slot.first.bound_nanos or 0 for slot in plan.slots if slot.first is not None)
    if needed > cap:
        raise BudgetRefusal(
            f"the worst case of this run is ${format_usd(needed)}, over the cap of "
            f"${format_usd(cap)}; nothing was sent",
            hint=f"allow --max-cost {format_usd(needed)}, or lower --max-tokens",
        )


def _lacks_price(candidate: PlannedCandidate, slot: PlannedSlot, *, catalog: Catalog) -> bool:
    """Whether the Slot rests on a Candidate whose price nobody knows."""
    verdict = candidate.not_ready
    if verdict is None:
        return not catalog.knows(candidate.upstream)
    alone = not any(each.is_usable for each in slot.candidates)
    return alone and verdict.reason is NotReadyReason.PRICE_UNKNOWN
