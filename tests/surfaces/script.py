"""Runs written by hand: Events as the engine would tell them, for renderers to be tried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    Usage,
)
from ultrai.domain.report import Report

RUN_ID = "run_01JD0000000000000000000000"
STARTED = "2026-11-23T20:50:00.000Z"
FINISHED = "2026-11-23T20:50:07.000Z"


class Script:
    """Collects Events; the methods are named for what happens."""

    def __init__(self, *primaries: str, cocktail: str | None = "PREMIUM") -> None:
        self.events: list[Event] = []
        self.fold = ReportFold()
        self.now_ms = 0
        query = {"messages": [{"role": "user", "content": "What is a qubit?"}], "max_tokens": 1000}
        self._add(
            EventType.RUN_STARTED,
            facts={"cocktail": cocktail, "created_at": STARTED, "query": query},
        )
        slots = [{"index": i, "primary": p, "candidates": [p]} for i, p in enumerate(primaries)]
        price = {"low": "0.031", "expected": "0.04", "high": "0.058"}
        self._add(EventType.PLANNED, facts={"slots": slots, "cost_usd": price, "expected_ms": None})
        self._attempts = [0] * len(primaries)
        self._primaries = primaries
        for index, primary in enumerate(primaries):
            facts = {"primary": primary, "candidates": [primary]}
            self._add(EventType.SLOT_STARTED, index, facts=facts)

    def at(self, ms: int) -> Script:
        self.now_ms = ms
        return self

    def ask(self, slot: int, model: str | None = None) -> Script:
        primary = self._primaries[slot]
        self._attempts[slot] += 1
        facts = {
            "model": model or primary,
            "started_at": STARTED,
            "fallback": model is not None and model != primary,
            "primary": primary,
        }
        return self._add(EventType.ATTEMPT_STARTED, slot, facts=facts)

    def first(self, slot: int) -> Script:
        return self._add(EventType.FIRST_TOKEN, slot)

    def text(self, slot: int, text: str) -> Script:
        return self._add(EventType.TEXT_DELTA, slot, text=text)

    def think(self, slot: int, text: str) -> Script:
        return self._add(EventType.REASONING_DELTA, slot, text=text)

    def fail(
        self,
        slot: int,
        model: str,
        failure: Failure | None = None,
        *,
        wait_s: float = 0.0,
        cost: Cost | None = None,
    ) -> Script:
        facts = {
            "model": model,
            "elapsed_ms": 210,
            "generation_id": None,
            "outcome": "failure" if failure else "cancelled",
            "wait_s": wait_s,
        }
        return self._add(
            EventType.ATTEMPT_FAILED,
            slot,
            facts=facts,
            failure=failure,
            cost=cost or Cost(0, CostState.NOT_BILLED),
        )

    def withdraw(self, slot: int) -> Script:
        return self._add(EventType.ATTEMPT_WITHDRAWN, slot)

    def answer(
        self, slot: int, by: str, text: str, *, nanos: int = 4_800_000, truncated: bool = False
    ) -> Script:
        facts = {
            "answered_by": by,
            "fallback": by != self._primaries[slot],
            "elapsed_ms": 900,
            "generation_id": f"gen-{slot}",
        }
        answer = Answer(text, finish_reason="stop", truncated=truncated, model=by, provider="Here")
        return self._add(
            EventType.SLOT_ANSWERED,
            slot,
            facts=facts,
            answer=answer,
            usage=Usage(16, 412),
            cost=Cost(nanos, CostState.REPORTED),
        )

    def give_up(self, slot: int, failure: Failure | None, state: str = "failed") -> Script:
        return self._add(EventType.SLOT_FAILED, slot, facts={"state": state}, failure=failure)

    def note(self, code: NoticeCode, message: str) -> Script:
        return self._add(EventType.NOTICE, notice=Notice(code, message))

    def end(self, status: str = "complete") -> Script:
        self.now_ms = max(self.now_ms, 7000)
        facts = {"status": status, "finished_at": FINISHED, "elapsed_ms": self.now_ms}
        self._add(EventType.REPORT, facts=facts)
        self.events[-1] = replace(self.events[-1], report=self.fold.report())
        return self

    @property
    def report(self) -> Report:
        return self.fold.report()

    def _add(
        self,
        type_: EventType,
        slot: int | None = None,
        facts: Mapping[str, object] | None = None,
        **values: object,
    ) -> Script:
        in_attempt = slot is not None and type_ not in (
            EventType.SLOT_STARTED,
            EventType.SLOT_FAILED,
        )
        event = Event(
            seq=len(self.events),
            run_id=RUN_ID,
            t_ms=self.now_ms,
            type=type_,
            slot=slot,
            attempt=self._attempts[slot] if in_attempt and slot is not None else None,
            facts=facts or {},
            **values,  # type: ignore[arg-type]
        )
        self.events.append(event)
        self.fold.apply(event)
        return self


def rate_limited(remedy: Remedy = Remedy.NEXT_CANDIDATE) -> Failure:
    return Failure(
        FailureKind.RATE_LIMITED,
        "Rate limit exceeded",
        status=429,
        retry_after_s=3.0,
        advice="come back in 3 s, or add a backup",
        remedy=remedy,
    )


def cut_stream() -> Failure:
    return Failure(
        FailureKind.CUT_STREAM,
        "the stream ended before its end",
        phase=Phase.MID_STREAM,
        status=200,
        advice="ask again",
        remedy=Remedy.NEXT_CANDIDATE,
    )


def degraded_run() -> Script:
    """Three slots: one answers, one falls back in mid-stream, one is given up."""
    gpt, grok, gemini = "openai/gpt-4o", "x-ai/grok-4", "google/gemini-2.5-pro"
    script = Script(gpt, grok, gemini)
    script.note(NoticeCode.MODEL_CORRECTED, "xai/grok-4 was read as x-ai/grok-4.")
    script.ask(0).ask(1).ask(2)
    script.at(400).first(1).text(1, "A qubit is")
    script.at(500).first(0).text(0, "# Qubits\n\nA **qubit** is a two-level ")
    script.at(700).text(0, "quantum system.\n")
    script.at(800).fail(2, gemini, rate_limited(Remedy.RETRY), wait_s=1.5)
    script.at(900).fail(1, grok, cut_stream(), cost=Cost(1_200_000, CostState.ESTIMATED))
    script.withdraw(1).ask(1, "deepseek/deepseek-r1")
    script.at(1000).answer(0, gpt, "# Qubits\n\nA **qubit** is a two-level quantum system.\n")
    script.at(1100).think(1, "hm")
    script.at(1300).first(1).text(1, "It is a vector ")
    script.at(2300).ask(2).fail(2, gemini, rate_limited()).give_up(2, rate_limited())
    script.at(2500).text(1, "in a plane.").answer(
        1, "deepseek/deepseek-r1", "It is a vector in a plane."
    )
    return script.end("degraded")


def scripts_texts(events: Sequence[Event]) -> str:
    """All text that was streamed, in order."""
    return "".join(event.text or "" for event in events)
