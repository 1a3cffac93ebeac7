"""The Board: where each Slot of a Run stands, as its Events tell it, for people who watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import cast

from ultrai.cli.render.palette import Style
from ultrai.domain.event import Event, EventType
from ultrai.domain.money import reported_nanos
from ultrai.domain.outcome import Cost, CostState, Failure, Remedy

# English text in common tokenizers; only for the moving figure, which bears a tilde.
_CHARACTERS_PER_TOKEN = 4
_SECOND_MS = 1000


class SeatState(Enum):
    """How a seat looks: the word, the symbol, the style."""

    WAITING = ("waiting", "…", Style.DIM)
    ASKING = ("asking", "◌", Style.PLAIN)
    THINKING = ("thinking", "◍", Style.LIVE)
    STREAMING = ("streaming", "●", Style.LIVE)
    PAUSING = ("retrying", "↻", Style.ODD)
    DONE = ("done", "✓", Style.GOOD)
    FAILED = ("failed", "✗", Style.BAD)
    CANCELLED = ("cancelled", "–", Style.ODD)
    SKIPPED = ("skipped", "–", Style.DIM)

    @property
    def word(self) -> str:
        """The state in a word."""
        return self.value[0]

    @property
    def symbol(self) -> str:
        """The state in a character."""
        return self.value[1]

    @property
    def style(self) -> Style:
        """The state in a colour."""
        return self.value[2]


_OVER = (SeatState.DONE, SeatState.FAILED, SeatState.CANCELLED, SeatState.SKIPPED)


@dataclass(slots=True)
class Seat:
    """One Slot as the watcher sees it. `model` is who is being asked, or who answered.

    `first` is who is asked first: the primary, unless it is superseded or not ready. `verdict` is
    why it ended without an answer, where that is not what its last attempt has said already.
    """

    index: int
    primary: str
    first: str
    state: SeatState = SeatState.WAITING
    model: str | None = None
    fallback: bool = False
    attempts: int = 0
    failure: Failure | None = None
    verdict: Failure | None = None
    retry_at_ms: int | None = None
    started_ms: int | None = None
    first_token_ms: int | None = None
    characters: int = 0
    tokens: int | None = None
    ended_ms: int | None = None
    costs: list[Cost] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in _OVER

    @property
    def shown_tokens(self) -> str:
        """Output tokens: the upstream's count, or a guess with a tilde while they come."""
        if self.tokens is not None:
            return f"{self.tokens:,} tok"
        guess = self.characters // _CHARACTERS_PER_TOKEN
        return f"~{guess:,} tok" if guess else ""

    def tokens_per_second(self, now_ms: int) -> str:
        """Output tokens over the time since the first; empty where that means nothing."""
        end_ms = self.ended_ms if self.ended_ms is not None else now_ms
        tokens = self.tokens or self.characters // _CHARACTERS_PER_TOKEN
        if self.first_token_ms is None or self.started_ms is None or not tokens:
            return ""
        span_ms = end_ms - self.first_token_ms
        return f"{tokens * _SECOND_MS / span_ms:.0f} tok/s" if span_ms > 0 else ""

    @property
    def cost(self) -> Cost | None:
        """What its attempts are known to have cost so far; None before the first has ended."""
        if not self.costs:
            return None
        known = [cost.nanos for cost in self.costs if cost.nanos is not None]
        if all(cost.state.is_known for cost in self.costs):
            return Cost(sum(known), CostState.REPORTED)
        if len(known) < len(self.costs):
            return Cost(sum(known) or None, CostState.UNKNOWN_BILLED)
        return Cost(sum(known), CostState.ESTIMATED)


class Board:
    """Takes Events in order; a surface draws what it holds."""

    def __init__(self, cap_nanos: int | None = None) -> None:
        self.run_id = ""
        self.title = ""
        self.seats: list[Seat] = []
        self.low_nanos: int | None = None
        self.expected_nanos: int | None = None
        self.high_nanos: int | None = None
        self.cap_nanos = cap_nanos
        self.parts = 0  # of a summary, and how many of them are written
        self.parts_done = 0
        self.parts_costs: list[Cost] = []

    @property
    def spent_nanos(self) -> int:
        """The known part of what has been spent so far."""
        costs = [*self.parts_costs, *(cost for seat in self.seats for cost in seat.costs)]
        return sum(cost.nanos for cost in costs if cost.nanos is not None)

    @property
    def is_over(self) -> bool:
        """Whether every seat has ended."""
        return bool(self.seats) and all(seat.is_over for seat in self.seats)

    def seat(self, event: Event) -> Seat:
        """The seat that the Event concerns."""
        return self.seats[event.slot or 0]

    def apply(self, event: Event) -> None:
        """Take in one Event; those that change nothing visible are passed over."""
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)

    def _run_started(self, event: Event) -> None:
        self.run_id = event.run_id
        self.title = str(event.facts.get("cocktail") or "")

    def _planned(self, event: Event) -> None:
        rows = cast("Sequence[Mapping[str, object]]", event.facts["slots"])
        self.seats = [
            Seat(index, str(row["primary"]), _first(row)) for index, row in enumerate(rows)
        ]
        price = cast("Mapping[str, str | None]", event.facts.get("cost_usd") or {})
        self.low_nanos = _nanos(price.get("low"))
        self.expected_nanos = _nanos(price.get("expected"))
        self.high_nanos = _nanos(price.get("high"))

    def _summary(self, event: Event) -> None:
        inner = event.inner()
        if inner.type is EventType.PLANNED:
            self.parts = len(cast("Sequence[object]", inner.facts["slots"]))
        elif inner.type in (EventType.SLOT_ANSWERED, EventType.SLOT_FAILED):
            self.parts_done += 1
        if inner.cost is not None:
            self.parts_costs.append(inner.cost)

    def _slot_started(self, event: Event) -> None:
        self.seat(event).state = SeatState.ASKING

    def _attempt_started(self, event: Event) -> None:
        seat = self.seat(event)
        seat.state = SeatState.ASKING
        seat.model = str(event.facts["model"])
        seat.fallback = bool(event.facts.get("fallback"))
        seat.attempts += 1
        seat.started_ms = event.t_ms
        seat.first_token_ms = None
        seat.retry_at_ms = None
        seat.characters = 0
        seat.tokens = None

    def _first_token(self, event: Event) -> None:
        self.seat(event).first_token_ms = event.t_ms

    def _text(self, event: Event) -> None:
        self._grow(event, SeatState.STREAMING)

    def _reasoning(self, event: Event) -> None:
        self._grow(event, SeatState.THINKING)

    def _grow(self, event: Event, state: SeatState) -> None:
        seat = self.seat(event)
        seat.state = state
        seat.characters += len(event.text or "")

    def _attempt_failed(self, event: Event) -> None:
        seat = self.seat(event)
        seat.failure = event.failure
        if event.cost is not None:
            seat.costs.append(event.cost)
        wait_s = retry_wait_s(event)
        if wait_s is not None:
            seat.state = SeatState.PAUSING
            seat.retry_at_ms = event.t_ms + round(wait_s * _SECOND_MS)

    def _slot_answered(self, event: Event) -> None:
        seat = self.seat(event)
        seat.state = SeatState.DONE
        seat.model = str(event.facts.get("answered_by") or seat.model or seat.primary)
        seat.fallback = bool(event.facts.get("fallback"))
        seat.ended_ms = event.t_ms
        if event.usage is not None:
            seat.tokens = event.usage.completion_tokens
        if event.cost is not None:
            seat.costs.append(event.cost)

    def _slot_failed(self, event: Event) -> None:
        seat = self.seat(event)
        state = str(event.facts.get("state", "failed"))
        seat.state = _ENDS.get(state, SeatState.FAILED)
        seat.verdict = event.failure if event.failure != seat.failure else None
        seat.failure = event.failure or seat.failure
        seat.ended_ms = event.t_ms


def retry_wait_s(event: Event) -> float | None:
    """How long until the same model is asked again; None where it is not."""
    wait_s = event.facts.get("wait_s")
    if event.failure is None or event.failure.remedy is not Remedy.RETRY:
        return None
    return float(wait_s) if isinstance(wait_s, int | float) else None


def _first(row: Mapping[str, object]) -> str:
    candidates = cast("Sequence[object]", row.get("candidates") or ())
    return str(candidates[0]) if candidates else str(row["primary"])


def _nanos(usd: str | None) -> int | None:
    return None if usd is None else reported_nanos(usd)


_ENDS = {
    "failed": SeatState.FAILED,
    "cancelled": SeatState.CANCELLED,
    "skipped": SeatState.SKIPPED,
}

_HANDLERS = {
    EventType.RUN_STARTED: Board._run_started,  # noqa: SLF001 - the class's own table
    EventType.PLANNED: Board._planned,  # noqa: SLF001
    EventType.SUMMARY: Board._summary,  # noqa: SLF001
    EventType.SLOT_STARTED: Board._slot_started,  # noqa: SLF001
    EventType.ATTEMPT_STARTED: Board._attempt_started,  # noqa: SLF001
    EventType.FIRST_TOKEN: Board._first_token,  # noqa: SLF001
    EventType.TEXT_DELTA: Board._text,  # noqa: SLF001
    EventType.REASONING_DELTA: Board._reasoning,  # noqa: SLF001
    EventType.ATTEMPT_FAILED: Board._attempt_failed,  # noqa: SLF001
    EventType.SLOT_ANSWERED: Board._slot_answered,  # noqa: SLF001
    EventType.SLOT_FAILED: Board._slot_failed,  # noqa: SLF001
}
