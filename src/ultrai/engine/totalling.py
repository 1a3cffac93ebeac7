"""What a whole Plan may cost: the sum over its Slots and its summary, where all of it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ultrai.domain.plan import Bracket, PlannedSlot, PlannedSummary

NO_PRICE = Bracket(None, None, None)


def cost_of(slots: Sequence[PlannedSlot], summary: PlannedSummary | None) -> Bracket:
    """One Attempt for each Slot and each request of the summary."""
    firsts = [slot.first for slot in slots]
    if not any(firsts):
        return NO_PRICE  # nobody would be asked, and no price is known: none of it is 0
    more = Bracket(0, 0, 0) if summary is None else summary.cost_nanos
    return Bracket(
        low=_total([more.low, *(c.low_nanos if c else 0 for c in firsts)]),
        expected=_total([more.expected, *(c.expected_nanos if c else 0 for c in firsts)]),
        high=_total([more.high, *(slot.dearest_nanos for slot in slots)]),
    )


def _total(amounts: Iterable[int | None]) -> int | None:
    known = list(amounts)
    return None if None in known else sum(amount for amount in known if amount is not None)
