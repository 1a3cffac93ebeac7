"""An Event: a fact in a Run, ordered and numbered. Surfaces and the Report read only these.

Every Event has the same head; what else it says is in its typed fields, None where they do not
apply. `facts` holds the plain values of rarer Events, JSON types only, so that a stored Event reads
back as it was.

| type | also carries |
|---|---|
| run_started | facts: cocktail, created_at, query, tags, texts, resumed_from |
| planned | facts: slots [{index, primary, candidates, …}], cost_usd {low, expected, high}, … |
| slot_started | facts: primary, candidates |
| attempt_started | facts: model, started_at, fallback, n_on_model, fit |
| first_token | — (`t_ms` is the moment) |
| text_delta, reasoning_delta | text |
| attempt_failed | failure, usage, cost, facts: elapsed_ms, generation_id, outcome, wait_s |
| attempt_withdrawn | — (surfaces drop the Attempt's text) |
| slot_answered | answer, usage, cost, facts: elapsed_ms, answered_by, fallback |
| slot_failed | failure (or None when cancelled), facts: state, elapsed_ms |
| notice | notice |
| summary | what the Event named by fact `of` has; fact `part` in place of the slot |
| report | facts: status, finished_at, elapsed_ms, exit_code; `report` in the live stream |

A delta may stand for several of its Attempt: those that a slow reader has not fetched, and those
that were stored together. Then its text is all of theirs, its `seq` the first one's, its fact
`merged` how many they were and its fact `last_seq` the last one's. Deltas of other Slots may lie
between; within a Slot nothing but text of that Attempt does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from ultrai.domain.value import value

if TYPE_CHECKING:
    from ultrai.domain.notice import Notice
    from ultrai.domain.outcome import Answer, Cost, Failure, Usage
    from ultrai.domain.report import Report

EVENT_VERSION = 1
_NOTHING: Mapping[str, object] = {}


class EventType(StrEnum):
    """The names of Events; a contract."""

    RUN_STARTED = "run_started"
    PLANNED = "planned"
    SLOT_STARTED = "slot_started"
    ATTEMPT_STARTED = "attempt_started"
    FIRST_TOKEN = "first_token"  # noqa: S105 - the name of an event, not a secret
    TEXT_DELTA = "text_delta"
    REASONING_DELTA = "reasoning_delta"
    ATTEMPT_FAILED = "attempt_failed"
    ATTEMPT_WITHDRAWN = "attempt_withdrawn"
    SLOT_ANSWERED = "slot_answered"
    SLOT_FAILED = "slot_failed"
    NOTICE = "notice"
    SYNTHESIS_STARTED = "synthesis_started"
    SYNTHESIS_DELTA = "synthesis_delta"
    SYNTHESIS_DONE = "synthesis_done"
    SUMMARY = "summary"
    REPORT = "report"


@value
class Event:
    """One fact. `seq` counts from 0 without gaps; `t_ms` is milliseconds since the Run began."""

    seq: int
    run_id: str
    t_ms: int
    type: EventType
    slot: int | None = None
    attempt: int | None = None
    text: str | None = None
    answer: Answer | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    notice: Notice | None = None
    facts: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    report: Report | None = None
    v: int = EVENT_VERSION

    def to_dict(self) -> dict[str, object]:
        """The JSON shape of the contract: head first, then only what applies."""
        shape: dict[str, object] = {
            "v": self.v,
            "seq": self.seq,
            "run_id": self.run_id,
            "t_ms": self.t_ms,
            "type": self.type.value,
        }
        if self.slot is not None:
            shape["slot"] = self.slot
        if self.attempt is not None:
            shape["attempt"] = self.attempt
        if self.report is not None:
            return {**shape, **self.report.to_dict()}
        if self.text is not None:
            shape["text"] = self.text
        self._add_values(shape)
        shape.update(self.facts)
        return shape

    def inner(self) -> Event:
        """Of a `summary` Event: the Event of a Slot that it stands for, the part as the Slot."""
        part = self.facts.get("part")
        return replace(
            self,
            type=EventType(str(self.facts["of"])),
            slot=part if isinstance(part, int) else None,
        )

    def _add_values(self, shape: dict[str, object]) -> None:
        for name, part in (
            ("answer", self.answer),
            ("failure", self.failure),
            ("usage", self.usage),
            ("notice", self.notice),
        ):
            if part is not None:
                shape[name] = part.to_dict()
        if self.cost is not None:
            shape.update(self.cost.to_dict())
            if self.cost.raw is not None:
                shape["cost_raw"] = self.cost.raw  # the upstream's own words, kept beside ours
