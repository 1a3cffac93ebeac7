"""Which Candidates a cost cap leaves, so that the worst case of a Run's first Attempts fits it.

Who is asked first in each Slot is never passed over for the cap: if those do not fit, the Run is
refused with the sum that they need. Dear Backups are passed over, the dearest first, until the
holds fit. A larger cap therefore never leaves fewer Candidates than a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence


def needed_nanos(slots: Sequence[Sequence[int]]) -> int:
    """The least cap: every Slot's first Candidate, at its bound. `slots` hold bounds in order."""
    return sum(bounds[0] for bounds in slots if bounds)


def backup_ceiling_nanos(slots: Sequence[Sequence[int]], cap_nanos: int) -> int | None:
    """The dearest bound that a Backup may have; None: not even the first Candidates fit."""
    if needed_nanos(slots) > cap_nanos:
        return None
    ceilings = sorted({bound for bounds in slots for bound in bounds[1:]}, reverse=True)
    for ceiling in ceilings:
        if held_nanos(slots, ceiling) <= cap_nanos:
            return ceiling
    return 0


def held_nanos(slots: Sequence[Sequence[int]], ceiling_nanos: int) -> int:
    """The sum of the holds when Backups above the ceiling are passed over."""
    return sum(
        max(bounds[0], *(bound for bound in bounds[1:] if bound <= ceiling_nanos), 0)
        for bounds in slots
        if bounds
    )
