"""The Plan: the pure result of planning a Run, made before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ultrai.domain.fitting import Fit, Lines
from ultrai.domain.money import format_usd
from ultrai.domain.notice import Notice
from ultrai.domain.prospect import Prospect
from ultrai.domain.value import value


class NotReadyReason(StrEnum):
    """Why a Candidate is not usable now."""

    NOT_LISTED = "not_listed"
    EXPIRED = "expired"
    PRICE_UNKNOWN = "price_unknown"
    OVER_PRICE_CAP = "over_price_cap"
    WINDOW_TOO_SMALL = "window_too_small"
    COOLING_DOWN = "cooling_down"
    QUOTA_EXHAUSTED = "quota_exhausted"
    NO_TEXT_OUTPUT = "no_text_output"
    NO_KEY = "no_key"


@dataclass(frozen=True, slots=True)
class NotReady:
    """The verdict against a Candidate. `until_s` is on the clock's epoch (Unix seconds)."""

    reason: NotReadyReason
    message: str
    until_s: float | None = None


@value
class PlannedCandidate:
    """A model that may fill a Slot, with what one Attempt on it would ask for and cost.

    `max_tokens` includes headroom for reasoning; `max_tokens_limit` is the most the model allows.
    Amounts are nanodollars for one Attempt; None: no price is known. `dropped` are parameters the
    model does not support. `replaces` is the retired id in whose place the model stands. `fit` is
    what it gets of the Query's documents; None: there are none.
    """

    model: str
    upstream: str
    role: str  # "primary", "successor" or "backup"
    max_tokens: int
    not_ready: NotReady | None = None
    prompt_tokens: int = 0
    low_nanos: int | None = None
    expected_nanos: int | None = None
    bound_nanos: int | None = None
    expected_ms: int | None = None
    dropped: tuple[str, ...] = ()
    reasons: bool = False
    max_tokens_limit: int | None = None
    replaces: str | None = None
    fit: Fit | None = None

    @property
    def is_ready(self) -> bool:
        """Whether readiness holds nothing against it."""
        return self.not_ready is None

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked when it must be: ready, or only its circuit is open."""
        verdict = self.not_ready
        return verdict is None or verdict.reason is NotReadyReason.COOLING_DOWN

    def to_dict(self) -> dict[str, object]:
        """JSON types, for `ultrai plan --json` and the `planned` Event."""
        verdict = self.not_ready
        return {
            "model": self.model,
            "role": self.role,
            "ready": verdict is None,
            "not_ready": None
            if verdict is None
            else {"reason": verdict.reason.value, "message": verdict.message},
            "max_tokens": self.max_tokens,
            "prompt_tokens": self.prompt_tokens,
            "fit": None if self.fit is None else self.fit.to_dict(),
            "cost_usd": {
                "low": _usd(self.low_nanos),
                "expected": _usd(self.expected_nanos),
                "high": _usd(self.bound_nanos),
            },
            "expected_ms": self.expected_ms,
            "dropped_parameters": list(self.dropped),
        }


@value
class PlannedSlot:
    """One Slot with its Candidates in the order in which they are tried."""

    index: int
    primary: str
    candidates: tuple[PlannedCandidate, ...]

    @property
    def first(self) -> PlannedCandidate | None:
        """The Candidate that is asked first: a ready one, else one whose circuit is open."""
        usable = [c for c in self.candidates if c.is_usable]
        return next((c for c in usable if c.is_ready), usable[0] if usable else None)

    @property
    def dearest_nanos(self) -> int | None:
        """The dearest usable Candidate's bound for one Attempt; None when any is unknown."""
        bounds = [c.bound_nanos for c in self.candidates if c.is_usable]
        if any(bound is None for bound in bounds):
            return None
        return max((bound for bound in bounds if bound is not None), default=0)

    def to_dict(self) -> dict[str, object]:
        """JSON types, for `ultrai plan --json` and the `planned` Event."""
        return {
            "index": self.index,
            "primary": self.primary,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }


@value
class Bracket:
    """Lowest, expected and highest of something; None: not known."""

    low: int | None
    expected: int | None
    high: int | None

    def to_dict(self) -> dict[str, object]:
        """JSON types: amounts in USD."""
        return {
            "low": _usd(self.low),
            "expected": _usd(self.expected),
            "high": _usd(self.high),
        }


@value
class PlannedPart:
    """One request that summarises, planned like a Slot: which lines of which document.

    Level 0 summarises the text itself, each further one the summaries of the one before.
    """

    slot: PlannedSlot
    name: str
    lines: Lines
    level: int

    def to_facts(self) -> dict[str, object]:
        """JSON types, for the Event that announces it."""
        return {
            "primary": self.slot.primary,
            "name": self.name,
            **self.lines.to_dict(),
            "level": self.level,
        }


@value
class PlannedSummary:
    """The requests that summarise documents before Slots are asked, level after level.

    `part_tokens` is the size of the parts of the first level, `most_tokens` what the smallest room
    holds of summaries; `cost_nanos` is that of all requests, one Attempt each.
    """

    parts: tuple[PlannedPart, ...]
    part_tokens: int
    most_tokens: int
    cost_nanos: Bracket

    @property
    def model(self) -> str:
        """Who writes it."""
        return self.parts[0].slot.primary

    def to_dict(self) -> dict[str, object]:
        """JSON types, for `ultrai plan --json`."""
        return {
            "model": self.model,
            "backups": [c.model for c in self.parts[0].slot.candidates[1:]],
            "requests": len(self.parts),
            "cost_usd": self.cost_nanos.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Who would be asked, in which order, and what it may cost and take.

    `prospect`: what a cost cap and the Budgets make of it, where that was looked at.
    """

    cocktail: str | None
    slots: tuple[PlannedSlot, ...]
    cost_nanos: Bracket
    expected_ms: int | None
    notices: tuple[Notice, ...] = ()
    summary: PlannedSummary | None = None
    prospect: Prospect | None = None

    def to_facts(self) -> dict[str, object]:
        """The short form that the `planned` Event carries."""
        slots = [
            {
                "index": slot.index,
                "primary": slot.primary,
                "candidates": [c.model for c in slot.candidates if c.is_ready],
            }
            for slot in self.slots
        ]
        return {
            "slots": slots,
            "cost_usd": self.cost_nanos.to_dict(),
            "expected_ms": self.expected_ms,
        }

    def to_dict(self) -> dict[str, object]:
        """JSON types, for `ultrai plan --json`."""
        return {
            "cocktail": self.cocktail,
            "slots": [slot.to_dict() for slot in self.slots],
            "summary": None if self.summary is None else self.summary.to_dict(),
            "cost_usd": self.cost_nanos.to_dict(),
            "expected_ms": self.expected_ms,
            "notices": [notice.to_dict() for notice in self.notices],
            "prospect": None if self.prospect is None else self.prospect.to_dict(),
        }


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)
