"""A Report is a fold over its Run's Events: `ReportFold` takes them one by one.

The live Run, the history of a finished one and the recovery of a killed one use this same code,
so what is on the disk is enough to say what happened. It does not know where Events come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from ultrai.domain.document import Document
from ultrai.domain.event import Event, EventType
from ultrai.domain.money import reported_nanos
from ultrai.domain.notice import Notice
from ultrai.domain.outcome import NO_USAGE, NOT_BILLED, Answer, Cost, CostState, Failure, Usage
from ultrai.domain.report import (
    AttemptReport,
    Partial,
    Report,
    RunStatus,
    SlotReport,
    SlotState,
    SummaryReport,
)


class _Attempt:
    """An Attempt under way: what its Events have said so far."""

    __slots__ = (
        "cost",
        "elapsed_ms",
        "failure",
        "first_token_ms",
        "generation_id",
        "model",
        "n",
        "outcome",
        "reasoning",
        "started_at",
        "text",
        "usage",
    )

    def __init__(self, n: int, facts: Mapping[str, object]) -> None:
        self.n = n
        self.model = str(facts["model"])
        self.started_at = str(facts["started_at"])
        self.elapsed_ms: int | None = None
        self.outcome: str | None = None
        self.failure: Failure | None = None
        self.generation_id: str | None = None
        self.usage: Usage | None = None
        # Until it ends an Attempt counts at its bound; a killed process leaves it so.
        at_most = facts.get("cost_usd_at_most")
        nanos = None if at_most is None else reported_nanos(str(at_most))
        self.cost = Cost(nanos, CostState.ESTIMATED)
        self.first_token_ms: int | None = None
        self.text: list[str] = []
        self.reasoning: list[str] = []

    def value(self) -> AttemptReport:
        partial = None
        if self.outcome != "answer" and (self.text or self.reasoning):
            partial = Partial("".join(self.text), "".join(self.reasoning) or None)
        return AttemptReport(
            n=self.n,
            model=self.model,
            started_at=self.started_at,
            elapsed_ms=self.elapsed_ms,
            outcome=self.outcome,
            failure=self.failure,
            generation_id=self.generation_id,
            usage=self.usage,
            cost=self.cost,
            partial=partial,
        )


class _Slot:
    """A Slot under way."""

    __slots__ = (
        "answer",
        "answered_by",
        "attempts",
        "elapsed_ms",
        "failure",
        "fallback",
        "first_token_ms",
        "fit",
        "index",
        "primary",
        "state",
        "usage",
    )

    def __init__(self, index: int, primary: str) -> None:
        self.index = index
        self.primary = primary
        self.state = SlotState.PENDING
        self.answer: Answer | None = None
        self.answered_by: str | None = None
        self.fallback = False
        self.first_token_ms: int | None = None
        self.usage: Usage | None = None
        self.elapsed_ms: int | None = None
        self.failure: Failure | None = None
        self.fit: Mapping[str, object] | None = None
        self.attempts: dict[int, _Attempt] = {}

    def value(self) -> SlotReport:
        return SlotReport(
            index=self.index,
            primary=self.primary,
            state=self.state,
            answered_by=self.answered_by,
            fallback=self.fallback,
            answer=self.answer,
            usage=self.usage,
            first_token_ms=self.first_token_ms,
            elapsed_ms=self.elapsed_ms,
            failure=self.failure,
            fit=self.fit,
            attempts=tuple(attempt.value() for attempt in self.attempts.values()),
        )


class ReportFold:
    """Takes Events in order; `report()` is the state they amount to, at any moment."""

    def __init__(self) -> None:
        self._id = ""
        self._status = RunStatus.RUNNING
        self._cocktail: str | None = None
        self._created_at = ""
        self._finished_at: str | None = None
        self._elapsed_ms: int | None = None
        self._resumed_from: str | None = None
        self._query: Mapping[str, object] = {}
        self._documents: tuple[Document, ...] = ()
        self._slots: list[_Slot] = []
        self._notices: list[Notice] = []
        self._summary: ReportFold | None = None
        self._sources: Sequence[Mapping[str, object]] = ()
        self._last_ms = 0

    def apply(self, event: Event) -> None:
        """Take in one Event; an Event of an unknown type changes nothing."""
        self._last_ms = event.t_ms
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)

    def report(self) -> Report:
        """The Report as it stands; its status is `running` until the Run has ended."""
        return Report(
            id=self._id,
            status=self._status,
            cocktail=self._cocktail,
            created_at=self._created_at,
            query=self._query,
            finished_at=self._finished_at,
            elapsed_ms=self._elapsed_ms,
            slots=tuple(slot.value() for slot in self._slots),
            notices=tuple(self._notices),
            summary=self._summarised(),
            documents=self._documents,
            resumed_from=self._resumed_from,
        )

    def interrupt(self) -> Report:
        """The Report of a Run whose process died: `interrupted`, its open Slots `cancelled`."""
        if self._status is RunStatus.RUNNING:
            if self._summary is not None:
                self._summary.interrupt()
            self._status = RunStatus.INTERRUPTED
            self._elapsed_ms = self._last_ms
            for slot in self._slots:
                if slot.state in (SlotState.PENDING, SlotState.RUNNING):
                    slot.state = SlotState.CANCELLED
                for attempt in slot.attempts.values():
                    attempt.outcome = attempt.outcome or "cancelled"
        return self.report()

    def _run_started(self, event: Event) -> None:
        facts = event.facts
        self._id = event.run_id
        self._cocktail = cast("str | None", facts.get("cocktail"))
        self._created_at = str(facts["created_at"])
        self._query = cast("Mapping[str, object]", facts["query"])
        self._resumed_from = cast("str | None", facts.get("resumed_from"))
        texts = cast("Sequence[str]", facts.get("texts") or ())
        known = cast("Sequence[Mapping[str, object]]", self._query.get("documents") or ())
        self._documents = tuple(
            Document(
                str(row["name"]),
                text,
                cast("int", row.get("first_line", 1)),
                cast("int | None", row.get("file_characters")),
            )
            for row, text in zip(known, texts, strict=False)
        )

    def _planned(self, event: Event) -> None:
        rows = cast("Sequence[Mapping[str, object]]", event.facts["slots"])
        self._slots = [_Slot(index, str(row["primary"])) for index, row in enumerate(rows)]

    def _summary_told(self, event: Event) -> None:
        """A summary's requests are told like Slots, of a Run of its own within this one."""
        inner = event.inner()
        if inner.type is EventType.PLANNED:
            self._summary = ReportFold()
            self._sources = cast("Sequence[Mapping[str, object]]", inner.facts["slots"])
        if self._summary is not None:
            self._summary.apply(inner)

    def _summarised(self) -> SummaryReport | None:
        if self._summary is None:
            return None
        return SummaryReport(self._summary.report().slots, tuple(self._sources))

    def _slot_started(self, event: Event) -> None:
        slot = self._slot(event)
        slot.state = SlotState.RUNNING
        slot.failure = slot.elapsed_ms = None  # it may be asked again after it was given up

    def _attempt_started(self, event: Event) -> None:
        number = event.attempt or 0
        slot = self._slot(event)
        slot.attempts[number] = _Attempt(number, event.facts)
        slot.fit = cast("Mapping[str, object] | None", event.facts.get("fit"))

    def _first_token(self, event: Event) -> None:
        self._attempt(event).first_token_ms = event.t_ms

    def _text_delta(self, event: Event) -> None:
        self._attempt(event).text.append(event.text or "")

    def _reasoning_delta(self, event: Event) -> None:
        self._attempt(event).reasoning.append(event.text or "")

    def _attempt_failed(self, event: Event) -> None:
        attempt = self._attempt(event)
        attempt.outcome = str(event.facts.get("outcome", "failure"))
        attempt.failure = event.failure
        self._settle(attempt, event)

    def _slot_answered(self, event: Event) -> None:
        slot = self._slot(event)
        slot.state = SlotState.ANSWERED
        slot.answer = event.answer
        slot.usage = event.usage
        slot.answered_by = str(event.facts["answered_by"])
        slot.fallback = bool(event.facts.get("fallback"))
        slot.elapsed_ms = event.t_ms
        attempt = slot.attempts.get(event.attempt or 0)
        if attempt is not None:
            attempt.outcome = "answer"
            slot.first_token_ms = attempt.first_token_ms
            self._settle(attempt, event)

    def _slot_failed(self, event: Event) -> None:
        slot = self._slot(event)
        slot.state = SlotState(str(event.facts.get("state", "failed")))
        slot.failure = event.failure
        slot.elapsed_ms = event.t_ms

    def _notice(self, event: Event) -> None:
        if event.notice is not None:
            self._notices.append(event.notice)

    def _report(self, event: Event) -> None:
        self._status = RunStatus(str(event.facts["status"]))
        self._finished_at = str(event.facts["finished_at"])
        self._elapsed_ms = cast("int", event.facts["elapsed_ms"])

    def _settle(self, attempt: _Attempt, event: Event) -> None:
        attempt.elapsed_ms = cast("int | None", event.facts.get("elapsed_ms"))
        attempt.generation_id = cast("str | None", event.facts.get("generation_id"))
        attempt.usage = None if event.usage == NO_USAGE else event.usage
        attempt.cost = event.cost or NOT_BILLED

    def _slot(self, event: Event) -> _Slot:
        return self._slots[event.slot or 0]

    def _attempt(self, event: Event) -> _Attempt:
        return self._slot(event).attempts[event.attempt or 0]


_HANDLERS: Mapping[EventType, Callable[[ReportFold, Event], None]] = {
    EventType.RUN_STARTED: ReportFold._run_started,
    EventType.PLANNED: ReportFold._planned,
    EventType.SLOT_STARTED: ReportFold._slot_started,
    EventType.ATTEMPT_STARTED: ReportFold._attempt_started,
    EventType.FIRST_TOKEN: ReportFold._first_token,
    EventType.TEXT_DELTA: ReportFold._text_delta,
    EventType.REASONING_DELTA: ReportFold._reasoning_delta,
    EventType.ATTEMPT_FAILED: ReportFold._attempt_failed,
    EventType.SLOT_ANSWERED: ReportFold._slot_answered,
    EventType.SLOT_FAILED: ReportFold._slot_failed,
    EventType.NOTICE: ReportFold._notice,
    EventType.SUMMARY: ReportFold._summary_told,
    EventType.REPORT: ReportFold._report,
}
