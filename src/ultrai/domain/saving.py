"""What was not spent, by what kept it from being spent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.money import format_usd


class SavingSource(StrEnum):
    """What saved something; each word is stable."""

    CACHE = "cache"
    FITTING = "fitting"
    PROMPT_CACHE = "prompt_cache"
    SELECTION = "selection"


@dataclass(frozen=True, slots=True)
class Saving:
    """Of one source: how often, and how much. `nanos` None: nobody knows.

    `unknown` counts those of `times` whose amount is not known and not in `nanos`. `method` says
    how the amount was come by.
    """

    source: SavingSource
    times: int
    nanos: int | None
    unknown: int
    method: str

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD, null where it is not known."""
        return {
            "source": self.source.value,
            "times": self.times,
            "saved_usd": None if self.nanos is None else format_usd(self.nanos),
            "unknown": self.unknown,
            "method": self.method,
        }
