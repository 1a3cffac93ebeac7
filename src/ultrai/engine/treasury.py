"""The treasury: what a Run may spend, so that neither its cost cap nor a Budget can be exceeded.

Theory of operation. At the start every Slot holds the bound of its dearest Candidate for one
Attempt; the Ledger grants that in the transaction that checks every Budget. Attempts of a Slot run
one after another and reuse that hold; what a finished Attempt cost, or may have cost, is burnt.
Before an Attempt is sent the Ledger is told, and its hold topped up if burnt plus its own bound
exceed it; it is refused where the sum of all holds would pass the Run's cap, or a Budget says no.
A Slot that is done gives back what it did not burn. All amounts are nanodollars.

The cap is kept here, on the event loop and without awaiting; Budgets are kept by the Ledger. Where
the Ledger cannot be written, a Run goes on only if no hard Budget is known to hold for it.

The treasury does not know prices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from ultrai.domain.budget import Budget, Payer, Period
from ultrai.domain.errors import StoreError
from ultrai.domain.ledger import (
    Close,
    Grant,
    Identify,
    Place,
    Release,
    Reserve,
    Settle,
    Shortage,
    SlotHold,
    Start,
)
from ultrai.domain.money import format_usd
from ultrai.domain.outcome import NOT_BILLED, Cost, Usage
from ultrai.domain.value import value
from ultrai.engine.ports import Ledger


@value
class Claim:
    """An Attempt that wants to be sent; `bound_nanos` None: no price is known."""

    slot: int
    number: int
    model: str
    upstream: str
    bound_nanos: int | None


@value
class Bill:
    """What came of a sent Attempt. `posted_nanos` counts: the cost, or the bound if not known."""

    outcome: str
    cost: Cost
    posted_nanos: int
    usage: Usage
    generation_id: str | None = None
    provider: str | None = None


class Envelope:
    """One Run's money. `limit_nanos` None: no cap of its own."""

    def __init__(
        self, limit_nanos: int | None, ledger: Ledger, *, payer: Payer, now: Callable[[], str]
    ) -> None:
        self._limit_nanos = limit_nanos
        self._ledger = ledger
        self._payer = payer
        self._now = now
        self._holds: dict[int, int] = {}
        self._burnt: dict[int, int] = {}
        self._is_guarded = False
        self._is_open = False
        self._must_close = False

    @property
    def is_capped(self) -> bool:
        """Whether a cap or a hard Budget is in force, so that bounds must be provable."""
        return self._limit_nanos is not None or self._is_guarded

    @property
    def held_nanos(self) -> int:
        """The sum of all holds: what has been spent and what may still be."""
        return sum(self._holds.values())

    async def open(self, slots: Sequence[SlotHold]) -> Grant | Shortage | StoreError:
        """Hold every Slot's first Attempt; the caller has checked that the sum fits the cap.

        A StoreError is returned where the Ledger failed and no hard Budget is known: the Run may
        go on, unrecorded. Where one is known, it is raised.
        """
        try:
            granted = await self._ledger.reserve(Reserve(self._payer, tuple(slots)))
        except asyncio.CancelledError:
            self._ledger.post(Close(self._payer.run_id, self._now()))  # it may be granted still
            raise
        except StoreError as error:
            self._ledger.post(Close(self._payer.run_id, self._now()))  # the same
            if await self._ledger.guards(self._payer):
                raise
            self._hold({slot.slot: slot.wanted_nanos or 0 for slot in slots})
            return error
        if isinstance(granted, Grant):
            self._is_open = self._must_close = True
            self._is_guarded = granted.capped
            self._hold(granted.holds)
        return granted

    def fits(self, slot: int, bound_nanos: int | None) -> bool:
        """Whether one more Attempt of the Slot with this bound would be covered by the cap."""
        if self._limit_nanos is None:
            return True
        if bound_nanos is None:
            return False
        held = self._holds.get(slot, 0)
        needed = max(held, self._burnt.get(slot, 0) + bound_nanos)
        # What is held already counts too: where an upstream charged too much, nothing more is sent.
        return self.held_nanos - held + needed <= self._limit_nanos

    async def reserve(self, claim: Claim) -> str | None:
        """Cover one more Attempt and make it known; else why nothing may be sent."""
        if not self.fits(claim.slot, claim.bound_nanos):
            return f"another attempt on {claim.model} could pass the run's cost cap"
        held = self._holds.get(claim.slot, 0)
        needed = max(held, self._burnt.get(claim.slot, 0) + (claim.bound_nanos or 0))
        self._holds[claim.slot] = needed
        if not self._is_open:
            return None
        refused = await self._start(claim, top_up_nanos=needed - held)
        if refused is not None:
            self._holds[claim.slot] -= needed - held
        return refused

    def identify(self, generation_id: str, *, slot: int, number: int) -> None:
        """The upstream has given the Attempt an id: with it, its cost can be asked for later."""
        if self._is_open:
            self._ledger.post(Identify(self._place(slot, number), generation_id))

    def settle(self, slot: int, number: int, *, bill: Bill) -> None:
        """An Attempt that was reserved has ended; an Answer ends its Slot's need as well."""
        burnt = self._burnt.get(slot, 0)
        hold = self._holds.get(slot, 0)
        self._burnt[slot] = burnt + bill.posted_nanos
        is_last = bill.outcome == "answer"
        self._holds[slot] = self._burnt[slot] if is_last else max(hold, self._burnt[slot])
        if self._is_open:
            self._ledger.post(
                Settle(
                    place=self._place(slot, number),
                    at=self._now(),
                    outcome=bill.outcome,
                    cost=bill.cost,
                    posted_nanos=bill.posted_nanos,
                    held_nanos=hold - burnt - (self._holds[slot] - self._burnt[slot]),
                    usage=bill.usage,
                    generation_id=bill.generation_id,
                    provider=bill.provider,
                )
            )

    def not_sent(self, slot: int, number: int) -> None:
        """An Attempt that was reserved was not sent after all."""
        self.settle(slot, number, bill=Bill("cancelled", NOT_BILLED, 0, Usage()))

    def close_slot(self, slot: int) -> None:
        """The Slot is done: give back what it did not burn."""
        rest = self._holds.get(slot, 0) - self._burnt.get(slot, 0)
        self._holds[slot] = self._burnt.get(slot, 0)
        if self._is_open and rest:
            self._ledger.post(Release(self._payer.run_id, slot, self._now(), rest))

    def close(self) -> None:
        """The Run is over: nothing of it is held any more; that is committed with its Report."""
        if self._must_close:
            self._is_open = self._must_close = False
            self._ledger.post(Close(self._payer.run_id, self._now()))

    def _hold(self, holds: Mapping[int, int]) -> None:
        self._holds = dict(holds)
        self._burnt = dict.fromkeys(holds, 0)

    async def _start(self, claim: Claim, *, top_up_nanos: int) -> str | None:
        step = Start(
            place=self._place(claim.slot, claim.number),
            at=self._now(),
            model=claim.model,
            upstream=claim.upstream,
            bound_nanos=claim.bound_nanos,
            top_up_nanos=top_up_nanos,
        )
        try:
            granted = await self._ledger.start(step)
        except asyncio.CancelledError:
            # Nobody knows whether it will be granted; what is queued behind it fits both.
            self.not_sent(claim.slot, claim.number)
            self._ledger.post(Release(self._payer.run_id, claim.slot, self._now(), None))
            self._holds[claim.slot] = self._burnt[claim.slot]
            raise
        except StoreError as error:
            if not self._is_guarded:
                self._ledger.post(step)  # it is sent: to be recorded as soon as that is possible
                return None
            self._take_back(claim, top_up_nanos)
            return f"the ledger cannot be written, and a budget holds: {error}"
        if isinstance(granted, Shortage):
            return shortage_message(granted, claim.model)
        if granted is None:
            return "the ledger has closed this run"
        self._is_guarded |= granted.capped  # a Budget may have been set since the Run began
        return None

    def _take_back(self, claim: Claim, top_up_nanos: int) -> None:
        """Nobody knows whether it was granted; if it was, it was not sent and needs no more."""
        self._ledger.post(
            Settle(
                place=self._place(claim.slot, claim.number),
                at=self._now(),
                outcome="cancelled",
                cost=NOT_BILLED,
                posted_nanos=0,
                held_nanos=top_up_nanos,
            )
        )

    def _place(self, slot: int, number: int) -> Place:
        return Place(self._payer.run_id, slot, number)


def shortage_message(shortage: Shortage, what: str) -> str:
    """Why a Budget does not allow something, for people."""
    budget = shortage.budget
    if budget.closed:
        return f"the {describe(budget)} is closed: the upstream charged more than it was allowed to"
    if not shortage.needed_nanos:
        return f"no price of {what} is known, so the {describe(budget)} cannot be kept"
    return (
        f"{what} may cost ${format_usd(shortage.needed_nanos)}, and the {describe(budget)} "
        f"leaves ${format_usd(shortage.left_nanos)}"
    )


def describe(budget: Budget) -> str:
    """`budget NAME ($5 per day)`."""
    per = "in all" if budget.period is Period.TOTAL else f"per {budget.period.value}"
    return f"budget {budget.name} (${format_usd(budget.limit_nanos)} {per})"
