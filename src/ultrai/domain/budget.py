"""Budgets: ceilings over what is spent in a scope and a period. Scopes nest: all that fit apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.money import format_usd
from ultrai.domain.value import value


class Period(StrEnum):
    """How long a ceiling holds before it starts anew; UTC. Weeks begin on Monday."""

    RUN = "run"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Scope(StrEnum):
    """What a ceiling is over. All but `global` have a subject, such as one key or one tag."""

    GLOBAL = "global"
    ENVIRONMENT = "environment"
    KEY = "key"
    USER = "user"
    FEATURE = "feature"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Budget:
    """One ceiling. A hard one is never exceeded; a soft one only warns.

    `subject` is what the scope is about (`team=x` for a tag, "" for `global`). A budget is `closed`
    when the upstream charged more than it was allowed to: nothing more is spent under it.
    """

    name: str
    scope: Scope
    subject: str
    period: Period
    limit_nanos: int
    hard: bool = True
    closed: bool = False

    def to_dict(self) -> dict[str, object]:
        """JSON types, without the amounts, which depend on the moment."""
        return {
            "name": self.name,
            "scope": self.scope.value,
            "subject": self.subject or None,
            "period": self.period.value,
            "hard": self.hard,
            "closed": self.closed,
        }


@value
class Payer:
    """On whose account a Run spends: what every entry of the Run is told apart by.

    `key` is the fingerprint of the upstream's key, never the key. `began_at` is the Run's stamp: a
    Run counts in the period in which it began.
    """

    run_id: str
    began_at: str
    key: str | None = None
    environment: str | None = None
    user: str | None = None
    feature: str | None = None
    tags: Mapping[str, str] | None = None

    def subjects(self, scope: Scope) -> tuple[str, ...]:
        """What a Budget of this scope may have as its subject to hold for this Run."""
        if scope is Scope.GLOBAL:
            return ("",)
        if scope is Scope.TAG:
            return tuple(f"{name}={text}" for name, text in (self.tags or {}).items())
        subject: str | None = getattr(self, scope.value)
        return () if subject is None else (subject,)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A Budget with what has been spent and what is held in its current period, in nanodollars.

    `unknown` counts Attempts whose cost nobody knows (yet); they stand in `posted` at their bound.
    `since` is the stamp at which the period began, or "" for a total.
    """

    budget: Budget
    posted_nanos: int
    held_nanos: int
    unknown: int
    since: str

    @property
    def left_nanos(self) -> int:
        """What may still be reserved."""
        return max(0, self.budget.limit_nanos - self.posted_nanos - self.held_nanos)

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD."""
        return {
            **self.budget.to_dict(),
            "limit_usd": format_usd(self.budget.limit_nanos),
            "spent_usd": format_usd(self.posted_nanos),
            "held_usd": format_usd(self.held_nanos),
            "left_usd": format_usd(self.left_nanos),
            "unknown": self.unknown,
            "since": self.since or None,
        }
