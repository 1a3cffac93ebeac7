"""API keys: what one is configured with, and what one has spent.

There are two kinds. An inference key asks models; a management key looks after inference keys and
can ask nothing. The secret is known to whoever has it; everywhere else a key is its ``hash`` (the
SHA-256 of the secret) or its ``label``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal

from ultrai_sim.clock import LATEST, iso
from ultrai_sim.reading import Check, a_text, first_problem, money, one_of, true_or_false
from ultrai_sim.refusals import USER_ID
from ultrai_sim.windows import INTERVALS, Interval, Spending, reset_after

Kind = Literal["inference", "management"]
KINDS: tuple[Kind, ...] = ("inference", "management")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
WORKSPACE_ID = "00000000-0000-5000-8000-000000000001"


class KeyTermsError(ValueError):
    """A key that cannot be; the text names the setting and what it may be."""


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """One API key as it is configured.

    ``limit_usd`` is its ceiling, for ever or per ``limit_reset`` (``daily``, ``weekly``,
    ``monthly``). ``kind`` is ``inference`` or ``management``. ``expires_at`` is ISO-8601 in UTC.
    """

    key: str
    limit_usd: str | None = None
    limit_reset: Interval | None = None
    disabled: bool = False
    name: str = ""
    kind: Kind = "inference"
    expires_at: str | None = None
    include_byok_in_limit: bool = False

    def __post_init__(self) -> None:
        """Refuse what no key could be."""
        problem = first_problem(self, KEY_CHECKS)
        if problem is not None:
            raise KeyTermsError(problem)
        if self.expires_at is not None:
            moment_of(self.expires_at)


def a_secret(value: object) -> str | None:
    """A text that a header can carry, without blanks."""
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    return None if fits and value else f"expected letters and digits without blanks, not {value!r}"


KEY_CHECKS: Mapping[str, Check] = {
    "key": a_secret,
    "limit_usd": money,
    "limit_reset": one_of(*INTERVALS),
    "disabled": true_or_false,
    "name": a_text,
    "kind": one_of(*KINDS),
    "expires_at": a_text,
    "include_byok_in_limit": true_or_false,
}


def moment_of(text: str) -> float:
    """The stamp of an ISO-8601 text; `KeyTermsError` unless it has seconds and is in UTC."""
    try:
        if MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text).timestamp()
            if 0 <= moment <= LATEST:
                return moment
    except (ValueError, TypeError):
        pass
    form = "a moment in UTC, before the year 9000, like 2027-12-31T23:59:59Z"
    message = f"expires_at: {text!r} is not {form}"
    raise KeyTermsError(message)


@dataclass(slots=True, eq=False)
class Key:
    """A key and what was done with it. Stamps are seconds since the epoch.

    ``held`` is the worst case of what it has in flight, ``byok`` what providers were paid beside
    OpenRouter.
    """

    secret: str
    name: str
    kind: Kind = "inference"
    limit: Decimal | None = None
    limit_reset: Interval | None = None
    include_byok: bool = False
    disabled: bool = False
    expires_at: float | None = None
    created_at: float = 0.0
    updated_at: float | None = None
    last_used_at: float | None = None
    spending: Spending = field(default_factory=Spending)
    byok: Spending = field(default_factory=Spending)
    held: Decimal = Decimal(0)
    hash: str = field(init=False)
    label: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive what shows of the secret."""
        self.hash = sha256(self.secret.encode()).hexdigest()
        self.label = f"{self.secret[:12]}...{self.secret[-3:]}"

    @classmethod
    def of(cls, terms: KeyTerms, *, now: float) -> Key:
        """A fresh key."""
        return cls(
            terms.key,
            terms.name or f"Key {terms.key[-3:]}",
            terms.kind,
            None if terms.limit_usd is None else Decimal(str(terms.limit_usd)),
            terms.limit_reset,
            terms.include_byok_in_limit,
            terms.disabled,
            None if terms.expires_at is None else moment_of(terms.expires_at),
            created_at=now,
        )

    @property
    def expires_text(self) -> str | None:
        """When its time is over, as ISO-8601."""
        return _iso(self.expires_at)

    def is_expired(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def counted(self, interval: Interval | None, *, day: int) -> Decimal:
        """What counts against a ceiling over an interval."""
        spent = self.spending.within(interval, day=day)
        return spent + self.byok.within(interval, day=day) if self.include_byok else spent

    def left(self, day: int) -> Decimal | None:
        """What its ceiling leaves, below zero where it was passed; None without one."""
        return None if self.limit is None else self.limit - self.counted(self.limit_reset, day=day)

    def usage_fields(self, day: int) -> dict[str, Any]:
        """The figures that `/key` and `/keys` share."""
        left = self.left(day)
        return {
            "limit": None if self.limit is None else float(self.limit),
            "limit_remaining": None if left is None else float(max(left, Decimal(0))),
            "limit_reset": self.limit_reset,
            "include_byok_in_limit": self.include_byok,
            **_spent("usage", self.spending, day=day),
            **_spent("byok_usage", self.byok, day=day),
        }

    def item(self, day: int) -> dict[str, Any]:
        """A row of `/keys`."""
        return {
            "hash": self.hash,
            "name": self.name,
            "label": self.label,
            "disabled": self.disabled,
            **self.usage_fields(day),
            "created_at": iso(self.created_at),
            "updated_at": _iso(self.updated_at),
            "expires_at": self.expires_text,
            "last_used_at": _iso(self.last_used_at),
            "creator_user_id": USER_ID,
            "external_user": None,
            "workspace_id": WORKSPACE_ID,
        }

    def budget(self, day: int) -> dict[str, Any] | None:
        """Its ceiling as one of the ``budgets`` of `/key`; None without one."""
        left = self.left(day)
        if self.limit is None or left is None:
            return None
        resets_at = None if self.limit_reset is None else reset_after(self.limit_reset, day)
        return {
            "scope": "key_limit",
            "limit_usd": float(self.limit),
            "spend_usd": float(self.limit - left),
            "remaining_usd": float(max(left, Decimal(0))),
            "reset_interval": self.limit_reset,
            "resets_at": _iso(resets_at),
            "include_byok": self.include_byok,
            "guardrail_id": None,
            "budget_id": None,
        }


def _spent(name: str, spending: Spending, *, day: int) -> dict[str, float]:
    figures = {name: float(spending.total)}
    for interval in INTERVALS:
        figures[f"{name}_{interval}"] = float(spending.within(interval, day=day))
    return figures


def _iso(stamp: float | None) -> str | None:
    return None if stamp is None else iso(stamp)
