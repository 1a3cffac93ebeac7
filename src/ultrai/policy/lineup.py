"""Who is asked next in a Slot: order, diversity and open circuits, as one pure choice.

The order: the Primary (or its successor), then ready Backups that no other Slot uses, then ready
ones that another Slot uses, then those whose circuit is open, the one that reopens first in front.
A Candidate that is not usable for another reason is never asked.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from ultrai.domain.plan import NotReadyReason, PlannedCandidate
from ultrai.domain.value import value

_SOMETIMES = frozenset({NotReadyReason.COOLING_DOWN})


@value
class Turn:
    """The next Candidate. `shared`: another Slot uses the model; `cooling`: its circuit is open."""

    candidate: PlannedCandidate
    shared: bool = False
    cooling: bool = False

    @property
    def is_backup(self) -> bool:
        """Whether the Candidate stands behind another in its Slot."""
        return self.candidate.role == "backup"


def next_turn(
    candidates: Iterable[PlannedCandidate], *, asked: Container[str], taken: Container[str]
) -> Turn | None:
    """Whose turn it is; None when nobody usable is left.

    `asked` are the models this Slot has done with, `taken` those that another Slot is asking or has
    an Answer of.
    """
    left = [c for c in candidates if c.model not in asked]
    ready = [c for c in left if c.is_ready]
    for candidate in ready:
        if candidate.role != "backup":
            return Turn(candidate)
    for candidate in ready:
        if candidate.model not in taken:
            return Turn(candidate)
    if ready:
        return Turn(ready[0], shared=True)
    cooling = [c for c in left if c.not_ready is not None and c.not_ready.reason in _SOMETIMES]
    if not cooling:
        return None
    first = min(cooling, key=_reopens)
    return Turn(first, shared=first.role == "backup" and first.model in taken, cooling=True)


def _reopens(candidate: PlannedCandidate) -> float:
    verdict = candidate.not_ready
    return 0.0 if verdict is None or verdict.until_s is None else verdict.until_s
