"""What a picture of the money shows: sums by day, and how Budgets are used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ultrai.domain.budget import BudgetState


@dataclass(frozen=True, slots=True)
class DayChart:
    """Nanodollars on each of `days`, which follow one another without a gap (UTC, ISO dates).

    `models` are the known costs, the dearest first, the rest together as the last one. `unsure`
    bounds what is not known; `answers` are counted.
    """

    days: Sequence[str]
    models: Mapping[str, Sequence[int]]
    unsure: Sequence[int]
    answers: Sequence[int]

    @property
    def costs(self) -> Sequence[int]:
        """What each day cost, as far as it is known."""
        return [sum(day) for day in zip(*self.models.values(), strict=True)]

    @property
    def per_answer(self) -> Sequence[int | None]:
        """What an answer cost on each day; None where there was none, or a cost is not known."""
        return [
            None if unsure or not answers else cost // answers
            for cost, unsure, answers in zip(self.costs, self.unsure, self.answers, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Burn:
    """How a Budget is used up in its current period.

    `points` are moments with what was posted up to then. `ends` is None for a total. At the pace
    of the period so far it is used up at `out_at`, which may lie after its end; None: never.
    """

    state: BudgetState
    began: datetime
    now: datetime
    ends: datetime | None
    points: Sequence[tuple[datetime, int]]
    out_at: datetime | None

    @property
    def is_too_fast(self) -> bool:
        """Whether it will not last to the end of its period."""
        return self.out_at is not None and (self.ends is None or self.out_at < self.ends)
