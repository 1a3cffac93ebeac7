"""The ledger's nouns: what is written about money, and what is asked of it.

Every Entry moves two sums of the Run's budgets: what is *held* (may still be spent) and what is
*posted* (was spent, or must be taken to have been). An Attempt has one settlement, and perhaps
corrections after it; nothing is ever changed or removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.budget import Budget, Payer
from ultrai.domain.outcome import NO_USAGE, Cost, Usage
from ultrai.domain.value import value

FIRST_SUMMARY_SLOT = 1000
"""Where the requests of a summary have their places: behind all Slots of a Run."""


class EntryKind(StrEnum):
    """What an Entry does.

    `reservation` holds money before anything is sent, `release` gives back what was not needed,
    `settlement` says what an Attempt cost, `correction` what it turned out to have cost.
    """

    RESERVATION = "reservation"
    RELEASE = "release"
    SETTLEMENT = "settlement"
    CORRECTION = "correction"


@value
class Place:
    """Which Attempt of which Run; `attempt` counts from 1 within the Slot."""

    run_id: str
    slot: int
    attempt: int


@value
class SlotHold:
    """What one Slot wants to hold: enough for its dearest Candidate, or `least` for its first.

    None: the price is not known.
    """

    slot: int
    wanted_nanos: int | None
    least_nanos: int | None


@value
class Reserve:
    """Hold money for a Run before anything of it is sent."""

    payer: Payer
    slots: tuple[SlotHold, ...]


@value
class Start:
    """An Attempt is about to be sent: make that known, and top its Slot's hold up."""

    place: Place
    at: str
    model: str
    upstream: str
    bound_nanos: int | None
    top_up_nanos: int


@value
class Identify:
    """The upstream's id for an Attempt under way."""

    place: Place
    generation_id: str


@value
class Settle:
    """An Attempt is over. `held_nanos` is how much less its Slot holds from now on.

    `outcome` is `answer`, `failure` or `cancelled`. `posted_nanos` counts against budgets: the
    figure where it is known, else the bound.
    """

    place: Place
    at: str
    outcome: str
    cost: Cost
    posted_nanos: int
    held_nanos: int
    usage: Usage = NO_USAGE
    generation_id: str | None = None
    provider: str | None = None


@value
class Release:
    """A Slot gives back what it does not need any more; None: whatever it holds."""

    run_id: str
    slot: int
    at: str
    held_nanos: int | None


@value
class Close:
    """A Run is over; whatever it still holds is given back."""

    run_id: str
    at: str


@value
class Correct:
    """What an Attempt really cost, as the upstream said afterwards; or that nobody will say."""

    place: Place
    at: str
    cost: Cost
    usage: Usage = NO_USAGE
    normalised: Usage = NO_USAGE
    provider: str | None = None


@value
class Defer:
    """The upstream does not know yet what an Attempt cost; ask again, not before `next_try_at`."""

    place: Place
    at: str
    next_try_at: str


Step = Reserve | Start | Identify | Settle | Release | Close | Correct | Defer


class RefusalReason(StrEnum):
    """Why a Budget does not allow something."""

    SPENT = "spent"
    PRICE_UNKNOWN = "price_unknown"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Shortage:
    """A Budget in scope does not allow it: so much was wanted, so much is left.

    `used_nanos` is spent and held already; it passes the limit where that was lowered since.
    """

    budget: Budget
    reason: RefusalReason
    needed_nanos: int
    left_nanos: int
    used_nanos: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """Money is held. `capped`: a hard Budget is in scope, so bounds must be provable.

    `holds` says what each Slot got, by index; `exceeded` are soft Budgets that this may exceed.
    """

    holds: Mapping[int, int]
    capped: bool = False
    exceeded: tuple[Budget, ...] = ()


@value
class OpenAttempt:
    """An Attempt that is over and whose cost the upstream is still to be asked for."""

    place: Place
    model: str
    upstream: str
    key: str | None
    sent_at: str
    posted_nanos: int
    generation_id: str | None
    tries: int = 0
    first_try_at: str | None = None
    next_try_at: str | None = None
