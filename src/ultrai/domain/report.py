"""The Report: the final value of a Run. Its JSON shape is a contract (`to_dict`).

It says what was asked, who answered, who failed and why, and what it cost to the nanodollar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from ultrai.domain.document import Document
from ultrai.domain.money import format_usd
from ultrai.domain.notice import Notice
from ultrai.domain.outcome import (
    NOT_BILLED,
    Answer,
    Cost,
    CostState,
    Failure,
    FailureKind,
    Remedy,
    Usage,
)
from ultrai.domain.value import value


class RunStatus(StrEnum):
    """How a Run stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    DEGRADED = "degraded"
    FAILED = "failed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


class SlotState(StrEnum):
    """How a Slot stands."""

    PENDING = "pending"
    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


# The worst state of a Slot's attempts is the Slot's.
_WORST_FIRST = (
    CostState.UNKNOWN_BILLED,
    CostState.ESTIMATED,
    CostState.REPORTED,
    CostState.RECONCILED,
    CostState.NOT_BILLED,
)


@dataclass(frozen=True, slots=True)
class Partial:
    """What had arrived of an Attempt that yielded no Answer."""

    text: str
    reasoning: str | None = None

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {"text": self.text, "reasoning": self.reasoning}


@value
class AttemptReport:
    """One request to the upstream for one Candidate. `outcome` is None while it runs."""

    n: int
    model: str
    started_at: str
    elapsed_ms: int | None = None
    outcome: str | None = None
    failure: Failure | None = None
    generation_id: str | None = None
    usage: Usage | None = None
    cost: Cost = NOT_BILLED
    partial: Partial | None = None

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "n": self.n,
            "model": self.model,
            "started_at": self.started_at,
            "elapsed_ms": self.elapsed_ms,
            "outcome": self.outcome,
            "failure": self.failure.to_dict() if self.failure else None,
            "generation_id": self.generation_id,
            "usage": self.usage.to_dict() if self.usage else None,
            **self.cost.to_dict(),
            "partial": self.partial.to_dict() if self.partial else None,
        }


@value
class SlotReport:
    """One seat and what came of it. `failure` is why the Slot was given up.

    `fit` is what the model asked last got of the documents, as in `domain/fitting.py`.
    """

    index: int
    primary: str
    state: SlotState = SlotState.PENDING
    answered_by: str | None = None
    fallback: bool = False
    answer: Answer | None = None
    usage: Usage | None = None
    first_token_ms: int | None = None
    elapsed_ms: int | None = None
    failure: Failure | None = None
    attempts: tuple[AttemptReport, ...] = ()
    fit: Mapping[str, object] | None = None

    @property
    def cost(self) -> Cost:
        """The sum of the attempts; unknown parts make it a lower bound, all unknown makes it so."""
        if not self.attempts:
            return NOT_BILLED
        states = {attempt.cost.state for attempt in self.attempts}
        worst = next(state for state in _WORST_FIRST if state in states)
        amounts = [a.cost.nanos for a in self.attempts if a.cost.nanos is not None]
        unknown = any(a.cost.nanos is None for a in self.attempts)
        total = sum(amounts)
        return Cost(None if unknown and not total else total, worst)

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "index": self.index,
            "primary": self.primary,
            "state": self.state.value,
            "answered_by": self.answered_by,
            "fallback": self.fallback,
            "answer": self.answer.to_dict() if self.answer else None,
            "usage": self.usage.to_dict() if self.usage else None,
            **self.cost.to_dict(),
            "first_token_ms": self.first_token_ms,
            "elapsed_ms": self.elapsed_ms,
            "fit": None if self.fit is None else dict(self.fit),
            "failure": self.failure.to_dict() if self.failure else None,
            "attempts": [attempt.to_dict() for attempt in self.attempts],
        }


@value
class SummaryReport:
    """The requests that summarised documents for the Slots, each told like a Slot.

    `sources` say of each which lines of which document it summarised, on which level.
    """

    parts: tuple[SlotReport, ...]
    sources: tuple[Mapping[str, object], ...]

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        pairs = zip(self.parts, self.sources, strict=True)
        return {"parts": [{**source, **part.to_dict()} for part, source in pairs]}


@value
class Report:
    """The whole Run. `cocktail` is None where models were named one by one.

    `documents` are those that the Run was about, where they were small enough to be kept with it.
    """

    id: str
    status: RunStatus
    cocktail: str | None
    created_at: str
    query: Mapping[str, object]
    finished_at: str | None = None
    elapsed_ms: int | None = None
    slots: tuple[SlotReport, ...] = ()
    notices: tuple[Notice, ...] = ()
    resumed_from: str | None = None
    summary: SummaryReport | None = None
    documents: tuple[Document, ...] = ()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """All Answers in the order of the Slots."""
        return tuple(slot.answer for slot in self.slots if slot.answer is not None)

    @property
    def cost_nanos(self) -> int | None:
        """The known sum in nanodollars; None when nothing of it is known."""
        costs = [slot.cost for slot in self._seats]
        total = sum(cost.nanos for cost in costs if cost.nanos is not None)
        if not total and any(cost.nanos is None for cost in costs):
            return None
        return total

    @property
    def cost_known(self) -> bool:
        """Whether `cost_nanos` is the whole truth."""
        return all(a.cost.state.is_known for slot in self._seats for a in slot.attempts)

    @property
    def usage(self) -> Usage:
        """Token counts summed over every attempt that reported any; None: nobody said."""
        said = [a.usage for slot in self._seats for a in slot.attempts if a.usage]
        return Usage(
            **{
                part.name: _sum_known([getattr(usage, part.name) for usage in said])
                for part in fields(Usage)
            }
        )

    @property
    def _seats(self) -> tuple[SlotReport, ...]:
        """All that cost money: the Slots, and the requests of a summary."""
        return self.slots if self.summary is None else (*self.slots, *self.summary.parts)

    @property
    def exit_code(self) -> int:
        """The command line's exit code for this outcome (INTERFACES: exit codes)."""
        if self.status is RunStatus.INTERRUPTED:
            return 130
        if self.status is RunStatus.COMPLETE:
            return 0
        if self.status is RunStatus.REFUSED:
            return 5
        if self._was_stopped():
            return 6
        if self.status is RunStatus.DEGRADED:
            return 3
        kinds = {slot.failure.kind for slot in self.slots if slot.failure}
        return 2 if kinds == {FailureKind.BAD_REQUEST} else 4

    def _was_stopped(self) -> bool:
        return any(
            attempt.failure is not None and attempt.failure.remedy is Remedy.STOP_UPSTREAM
            for slot in self._seats
            for attempt in slot.attempts
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        cost = self.cost_nanos
        usage = self.usage
        return {
            "id": self.id,
            "status": self.status.value,
            "cocktail": self.cocktail,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "elapsed_ms": self.elapsed_ms,
            "query": dict(self.query),
            "slots": [slot.to_dict() for slot in self.slots],
            "synthesis": None,
            "summary": None if self.summary is None else self.summary.to_dict(),
            "usage": usage.to_dict(),
            "cost_usd": None if cost is None else format_usd(cost),
            "cost_known": self.cost_known,
            "notices": [notice.to_dict() for notice in self.notices],
            "resumed_from": self.resumed_from,
        }


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a history. `cost_known`: whether `cost_nanos` is the whole truth."""

    id: str
    created_at: str
    status: RunStatus
    cocktail: str | None
    cost_nanos: int | None
    prompt: str
    cost_known: bool

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract."""
        return {
            "id": self.id,
            "created_at": self.created_at,
            "status": self.status.value,
            "cocktail": self.cocktail,
            "cost_usd": None if self.cost_nanos is None else format_usd(self.cost_nanos),
            "cost_known": self.cost_known,
            "prompt": self.prompt,
        }


def _sum_known(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
