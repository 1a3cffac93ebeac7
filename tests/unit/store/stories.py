"""Runs told by hand and by Hypothesis, as the engine would tell them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from ultrai.domain.event import Event, EventType
from ultrai.domain.fold import ReportFold
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.outcome import (
    Answer,
    Cost,
    CostState,
    Failure,
    FailureKind,
    Phase,
    Remedy,
    ToolCall,
    Usage,
)
from ultrai.domain.report import Report

T = EventType
CREATED = "2026-11-23T20:00:00.000Z"
FINISHED = "2026-11-23T20:00:05.000Z"
REPORTED = Cost(1_200, CostState.REPORTED, "0.0000012")


class Teller:
    """Numbers the Events of one Run."""

    def __init__(self, run_id: str = "run_1") -> None:
        self.run_id = run_id
        self.events: list[Event] = []

    def tell(self, type_: EventType, **body: object) -> Event:
        seq = len(self.events)
        event = Event(seq=seq, run_id=self.run_id, t_ms=seq * 10, type=type_, **body)
        self.events.append(event)
        return event

    def begin(self, slots: int = 1, *, prompt: str = "hello", created_at: str = CREATED) -> None:
        query = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 1000}
        self.tell(
            T.RUN_STARTED, facts={"cocktail": "PREMIUM", "created_at": created_at, "query": query}
        )
        rows = [{"index": i, "primary": f"maker/m{i}", "candidates": []} for i in range(slots)]
        self.tell(T.PLANNED, facts={"slots": rows})
        for slot in range(slots):
            self.tell(T.SLOT_STARTED, slot=slot)

    def attempt(self, slot: int = 0, attempt: int = 1) -> None:
        facts = {"model": f"maker/m{slot}", "started_at": CREATED, "fallback": False}
        self.tell(T.ATTEMPT_STARTED, slot=slot, attempt=attempt, facts=facts)

    def text(self, text: str, slot: int = 0, attempt: int = 1) -> None:
        self.tell(T.TEXT_DELTA, slot=slot, attempt=attempt, text=text)

    def answer(self, text: str, slot: int = 0, attempt: int = 1) -> None:
        facts = {"elapsed_ms": 5, "answered_by": f"maker/m{slot}", "fallback": False}
        self.tell(
            T.SLOT_ANSWERED,
            slot=slot,
            attempt=attempt,
            answer=Answer(text, finish_reason="stop", received_at=CREATED),
            usage=Usage(3, 4),
            cost=REPORTED,
            facts=facts,
        )

    def end(self, status: str = "complete") -> None:
        facts = {"status": status, "finished_at": FINISHED, "elapsed_ms": 50, "exit_code": 0}
        self.tell(T.REPORT, facts=facts)


def whole_run(run_id: str, **beginning: object) -> list[Event]:
    """One Slot, one Answer."""
    teller = Teller(run_id)
    teller.begin(**beginning)
    teller.attempt()
    teller.text("an answer")
    teller.answer("an answer")
    teller.end()
    return teller.events


def folded(events: Iterable[Event]) -> Report:
    fold = ReportFold()
    for event in events:
        fold.apply(event)
    return fold.report()


COSTS = st.builds(
    Cost, st.none() | st.integers(0, 10**12), st.sampled_from(list(CostState)), st.none()
)
USAGES = st.none() | st.builds(Usage, *[st.none() | st.integers(0, 10**6)] * 4)
FAILURES = st.builds(
    Failure,
    st.sampled_from(list(FailureKind)),
    st.text(max_size=20),
    st.sampled_from(list(Phase)),
    st.none() | st.integers(400, 599),
    st.none() | st.floats(0, 100),
    st.text(max_size=20),
    st.none() | st.sampled_from(list(Remedy)),
)
CALLS = st.builds(ToolCall, st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
ANSWERS = st.builds(
    Answer,
    st.text(max_size=30),
    reasoning=st.none() | st.text(max_size=10),
    truncated=st.booleans(),
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
)
NOTICES = st.builds(
    Notice, st.sampled_from(list(NoticeCode)), st.text(max_size=20), st.none() | st.integers(0, 3)
)


@st.composite
def _attempt(draw: st.DrawFn, slot: int, number: int, *, last: bool) -> list[dict[str, object]]:
    here = {"slot": slot, "attempt": number}
    facts = {"model": f"maker/m{slot}", "started_at": CREATED}
    told = [{"type_": T.ATTEMPT_STARTED, **here, "facts": facts}]
    for text in draw(st.lists(st.text(max_size=8), max_size=6)):
        kind = draw(st.sampled_from([T.TEXT_DELTA, T.REASONING_DELTA]))
        told.append({"type_": kind, **here, "text": text})
    cost, usage = draw(COSTS), draw(USAGES)
    if last and draw(st.booleans()):
        facts = {"elapsed_ms": 9, "answered_by": "maker/other", "fallback": draw(st.booleans())}
        body = {"answer": draw(ANSWERS), "facts": facts}
        told.append({"type_": T.SLOT_ANSWERED, **here, "cost": cost, "usage": usage, **body})
    elif not last or draw(st.booleans()):
        outcome = draw(st.sampled_from(["failure", "cancelled"]))
        facts = {"elapsed_ms": 7, "generation_id": None, "outcome": outcome}
        body = {"failure": draw(FAILURES), "facts": facts}
        told.append({"type_": T.ATTEMPT_FAILED, **here, "cost": cost, "usage": usage, **body})
        told.append({"type_": T.ATTEMPT_WITHDRAWN, **here})
    return told


@st.composite
def _slot(draw: st.DrawFn, slot: int) -> list[dict[str, object]]:
    count = draw(st.integers(0, 3))
    told: list[dict[str, object]] = [{"type_": T.SLOT_STARTED, "slot": slot}]
    for number in range(1, count + 1):
        told += draw(_attempt(slot, number, last=number == count))
    if told[-1]["type_"] is not T.SLOT_ANSWERED and draw(st.booleans()):
        told.append({"type_": T.SLOT_FAILED, "slot": slot, "facts": {"state": "failed"}})
    return told


@st.composite
def runs(draw: st.DrawFn) -> Sequence[Event]:
    """A Run of up to three interleaved Slots, finished or broken off anywhere."""
    teller = Teller("run_0")
    count = draw(st.integers(1, 3))
    teller.begin(0, prompt=draw(st.text(max_size=20)))
    rows = [{"index": i, "primary": f"maker/m{i}"} for i in range(count)]
    planned = dataclasses.replace(teller.events[1], facts={"slots": rows})
    teller.events[1] = planned
    slots = [draw(_slot(index)) for index in range(count)]
    while remaining := [told for told in slots if told]:
        body = draw(st.sampled_from(remaining)).pop(0)
        teller.tell(**body)
        if draw(st.booleans()):
            teller.tell(T.NOTICE, notice=draw(NOTICES))
    if draw(st.booleans()):
        teller.end(draw(st.sampled_from(["complete", "degraded", "failed"])))
        return teller.events
    return teller.events[: draw(st.integers(2, len(teller.events)))]
