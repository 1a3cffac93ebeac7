"""What monitors count, by model: sums over the ledger, so that they hold for all processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ultrai.domain.budget import BudgetState


@dataclass(frozen=True, slots=True)
class Meter:
    """One model of one upstream. `cost_nanos` is known; `unknown` Attempts cost at most `unsure`.

    `attempts` by outcome; `tokens` by type: input, output, reasoning, cached.
    """

    model: str
    upstream: str
    attempts: Mapping[str, int]
    tokens: Mapping[str, int]
    cost_nanos: int = 0
    unsure_nanos: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Meters:
    """Everything at one moment. `in_flight` Attempts were sent and are not over."""

    models: Sequence[Meter] = ()
    budgets: Sequence[BudgetState] = ()
    in_flight: int = 0
    unreconciled: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure as a monitor reads it."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {"name": self.name, "labels": dict(self.labels), "value": self.value}
