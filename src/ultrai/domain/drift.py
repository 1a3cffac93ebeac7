"""What the upstream has counted against what the ledger has, and what explains a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ultrai.domain.money import format_usd


@dataclass(frozen=True, slots=True)
class Activity:
    """One row of the upstream's own bill: a completed day (UTC) and a model of one key."""

    day: str
    model: str
    usage_nanos: int
    requests: int


@dataclass(frozen=True, slots=True)
class DailySpending:
    """The ledger's counterpart. `unsure_nanos` bounds what Attempts cost that are not known.

    `billed` counts the Attempts that the upstream may have charged for, also nothing.
    """

    day: str
    model: str
    cost_nanos: int = 0
    unsure_nanos: int = 0
    unknown: int = 0
    attempts: int = 0
    billed: int = 0
    answers: int = 0


class Cause(StrEnum):
    """Why two figures are what they are, the plainest reason that covers the difference.

    `agrees`: equal, but for rounding. `unknown_cost`: the ledger does not know all costs.
    `in_flight`: requests are under way. `lag`: the upstream counts minutes later.
    `midnight`: one counted for the day before or after. `before_ledger`: the span began before the
    ledger knew the key. `outside`: the key was used by others. `missing`: the upstream counts less.
    """

    AGREES = "agrees"
    UNKNOWN_COST = "unknown_cost"
    IN_FLIGHT = "in_flight"
    LAG = "lag"
    MIDNIGHT = "midnight"
    BEFORE_LEDGER = "before_ledger"
    OUTSIDE = "outside"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One span (`today`, `week`, `month`, `ever` or a day), of a model or of all.

    `unexplained_nanos` is how far the upstream's figure lies beyond all that the ledger allows for:
    positive where it counts more. Requests are None where the upstream does not say.
    """

    span: str
    model: str | None
    upstream_nanos: int
    ledger_nanos: int
    unsure_nanos: int
    cause: Cause
    unexplained_nanos: int = 0
    upstream_requests: int | None = None
    ledger_requests: int | None = None

    @property
    def nanos(self) -> int:
        """The upstream's figure less what the ledger knows."""
        return self.upstream_nanos - self.ledger_nanos

    @property
    def percent(self) -> Decimal | None:
        """The difference in per cent of the upstream's figure; None where that is 0."""
        if not self.upstream_nanos:
            return None
        share = Decimal(100 * self.nanos) / self.upstream_nanos
        return share.quantize(Decimal("0.01"))

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD."""
        return {
            "span": self.span,
            "model": self.model,
            "upstream_usd": format_usd(self.upstream_nanos),
            "ledger_usd": format_usd(self.ledger_nanos),
            "ledger_unknown_usd_at_most": format_usd(self.unsure_nanos),
            "difference_usd": format_usd(self.nanos),
            "difference_percent": None if self.percent is None else str(self.percent),
            "cause": self.cause.value,
            "unexplained_usd": format_usd(self.unexplained_nanos),
            "upstream_requests": self.upstream_requests,
            "ledger_requests": self.ledger_requests,
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """The whole comparison of one key. `days` is None where the upstream did not tell them.

    `problem` says why not, in one line.
    """

    key: str | None
    label: str | None
    begins: str | None
    spans: Sequence[Difference]
    days: Sequence[Difference] | None
    problem: str = ""

    @property
    def unexplained(self) -> Sequence[Difference]:
        """The rows that nothing explains."""
        return [row for row in (*self.spans, *(self.days or ())) if row.unexplained_nanos]

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "key": self.key,
            "label": self.label,
            "ledger_begins": self.begins,
            "explained": not self.unexplained,
            "spans": [row.to_dict() for row in self.spans],
            "days": None if self.days is None else [row.to_dict() for row in self.days],
            "problem": self.problem or None,
        }
