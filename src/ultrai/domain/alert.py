"""An Alert: something about money or keys that a person wants to be told, once.

A Standing says how things are, as a level: 0 is well. A Mark is the level that was told last. Where
a Standing is above its Mark an Alert is raised; where it has fallen the Mark falls with it, so that
the next rise is told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ALERT_VERSION = 1


class AlertKind(StrEnum):
    """What an Alert is about; the names are a contract."""

    BUDGET = "budget"
    BUDGET_CLOSED = "budget_closed"
    BUDGET_REFUSED = "budget_refused"
    SPEND_RATE = "spend_rate"
    UNKNOWN_COST = "unknown_cost"
    LEDGER_DRIFT = "ledger_drift"
    KEY_LIMIT = "key_limit"
    KEY_EXPIRY = "key_expiry"
    KEY_AGE = "key_age"
    FREE_QUOTA = "free_quota"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one thing stands now. `key` tells it from all others, `epoch` one period from the next.

    `facts` are JSON types; money in them is a decimal string in USD.
    """

    key: str
    kind: AlertKind
    subject: str
    level: int
    message: str
    epoch: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "level": self.level,
            "active": self.level > 0,
            "message": self.message,
            **self.facts,
        }


@dataclass(frozen=True, slots=True)
class Mark:
    """The level of a Standing that was told last, and since when (a stamp)."""

    key: str
    epoch: str
    level: int
    since: str


@dataclass(frozen=True, slots=True)
class Alert:
    """What is sent. `id` is the same however often it is delivered, so that receivers can tell."""

    id: str
    kind: AlertKind
    subject: str
    message: str
    at: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "v": ALERT_VERSION,
            "id": self.id,
            "kind": self.kind.value,
            "subject": self.subject,
            "message": self.message,
            "at": self.at,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Parcel:
    """An Alert on its way to one sink; `tries` counts the deliveries so far."""

    alert: Alert
    sink: str
    tries: int = 0
