"""What a cost cap and the Budgets would make of a Run, told before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.budget import BudgetState
from ultrai.domain.money import format_usd


class Verdict(StrEnum):
    """Whether a Run is asked as planned, with less text, with fewer Slots, or not at all."""

    FITS = "fits"
    SHRUNK = "shrunk"
    FEWER_SLOTS = "fewer_slots"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Prospect:
    """The verdict now; others may spend meanwhile.

    `held_nanos` is what the Run would hold from its start, its worst case, of which what is not
    needed is given back; None where a price is not known, or nothing would be held. `budgets` hold
    for the Run. `message` says why it is not asked as planned, `hint` what helps.
    """

    verdict: Verdict
    held_nanos: int | None
    budgets: tuple[BudgetState, ...] = ()
    message: str = ""
    hint: str = ""

    def to_dict(self) -> dict[str, object]:
        """JSON types, for `ultrai plan --json`."""
        return {
            "verdict": self.verdict.value,
            "held_usd": None if self.held_nanos is None else format_usd(self.held_nanos),
            "message": self.message or None,
            "hint": self.hint or None,
            "budgets": [state.to_dict() for state in self.budgets],
        }
