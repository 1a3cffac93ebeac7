"""What a Run has said and the database does not have yet. Pure: Events in, rows out.

Theory of operation. Deltas of one Attempt that follow one another are merged into one Event, which
keeps the first `seq` and says in its fact `merged` how many it was. An Answer repeats the text of
its Attempt, so deltas of that Attempt that still wait are dropped; their numbers stay covered by
the row's `first_seq` and `last_seq`. Every other Event ends the merging, so the order in which
things happened is the order of the rows.

The money of a Run is tallied on the way, by the rules of `Report.cost_nanos`, so that its row can
be finished without reading its Events back. A test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ultrai.domain.event import Event, EventType
from ultrai.domain.ledger import FIRST_SUMMARY_SLOT
from ultrai.domain.outcome import NOT_BILLED, Cost, CostState
from ultrai.store.encoding import clean, encode_events

Row = dict[str, Any]

PROMPT_CAP = 65_536  # characters of the prompt in the Run's row; its Events hold all of it

# Members as constants: an enum's own hash and attribute lookup cost more than the rest of `take`.
_ATTEMPT_STARTED = EventType.ATTEMPT_STARTED
_TEXT_DELTA = EventType.TEXT_DELTA
_REASONING_DELTA = EventType.REASONING_DELTA
_SYNTHESIS_DELTA = EventType.SYNTHESIS_DELTA
_SLOT_ANSWERED = EventType.SLOT_ANSWERED
_ATTEMPT_FAILED = EventType.ATTEMPT_FAILED
_SUMMARY = EventType.SUMMARY
_UNSETTLED = Cost(None, CostState.ESTIMATED)


def is_delta(event: Event) -> bool:
    """Whether the Event is a piece of text, which may wait and be merged."""
    kind = event.type
    return kind is _TEXT_DELTA or kind is _REASONING_DELTA or kind is _SYNTHESIS_DELTA


class _Delta:
    """Deltas of one Attempt that became one."""

    __slots__ = ("first", "last_seq", "parts")

    def __init__(self, first: Event) -> None:
        self.first = first
        self.last_seq = first.seq
        self.parts = [first.text or ""]

    def add(self, event: Event) -> None:
        """One more."""
        self.last_seq = event.seq
        self.parts.append(event.text or "")

    def belongs_to(self, event: Event) -> bool:
        """Whether it is text of the Event's Attempt."""
        return self.first.slot == event.slot and self.first.attempt == event.attempt

    def value(self) -> Event:
        """The one Event."""
        if len(self.parts) == 1:
            return self.first
        merged = {"merged": len(self.parts), "last_seq": self.last_seq}
        return replace(self.first, text="".join(self.parts), facts=merged)


class RunBuffer:
    """One Run's pending Events and the tally of its money."""

    __slots__ = (
        "_costs",
        "_deltas",
        "_entries",
        "_first_seq",
        "_last_seq",
        "delta_chars",
        "run_id",
    )

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.delta_chars = 0
        self._entries: list[Event | _Delta] = []
        self._deltas: dict[tuple[EventType, int | None, int | None], _Delta] = {}
        self._first_seq = -1
        self._last_seq = -1
        self._costs: dict[tuple[int, int], Cost] = {}

    def take_delta(self, event: Event) -> None:
        """Add a piece of text."""
        if not self._entries:
            self._first_seq = event.seq
        self._last_seq = event.seq
        key = (event.type, event.slot, event.attempt)
        text = event.text or ""
        self.delta_chars += len(text)
        delta = self._deltas.get(key)
        if delta is None:
            delta = self._deltas[key] = _Delta(event)
            self._entries.append(delta)
        else:
            delta.add(event)

    def take_fact(self, event: Event) -> None:
        """Add any other Event."""
        if not self._entries:
            self._first_seq = event.seq
        self._last_seq = event.seq
        self._deltas.clear()
        if event.type is _SLOT_ANSWERED:
            self._drop_text_of(event)
        self._tally(event)
        self._entries.append(event)

    def take_row(self, into: list[Row]) -> None:
        """Move what is pending, if anything, into a row of `events`."""
        if not self._entries:
            return
        events = [e if isinstance(e, Event) else e.value() for e in self._entries]
        row: Row = {
            "run_id": self.run_id,
            "first_seq": self._first_seq,
            "last_seq": self._last_seq,
            "payload": encode_events(events),
        }
        self._entries.clear()
        self._deltas.clear()
        self.delta_chars = 0
        into.append(row)

    def cost(self) -> tuple[int | None, bool]:
        """Nanodollars so far (None: nothing of it is known), and whether that is all of it."""
        amounts = [cost.nanos for cost in self._costs.values()]
        total = sum(nanos for nanos in amounts if nanos is not None)
        known = all(cost.state.is_known for cost in self._costs.values())
        return (None if not total and None in amounts else total), known

    def _drop_text_of(self, event: Event) -> None:
        self._entries = [
            entry
            for entry in self._entries
            if isinstance(entry, Event) or not entry.belongs_to(event)
        ]

    def _tally(self, event: Event) -> None:
        if event.type is _SUMMARY:
            event = event.inner()
            event = replace(event, slot=FIRST_SUMMARY_SLOT + (event.slot or 0))
        kind = event.type
        if kind is _ATTEMPT_STARTED:
            self._costs[event.slot or 0, event.attempt or 0] = _UNSETTLED
        elif kind is _SLOT_ANSWERED or kind is _ATTEMPT_FAILED:
            attempt = (event.slot or 0, event.attempt or 0)
            if attempt in self._costs:
                self._costs[attempt] = event.cost or NOT_BILLED


def run_row(event: Event) -> Row:
    """The row of `runs` for a `run_started` Event; its owner is filled in when it is written."""
    facts = event.facts
    prompt = clean(_prompt(cast("Mapping[str, object]", facts.get("query") or {})))
    if len(prompt) > PROMPT_CAP:
        prompt = f"{prompt[: PROMPT_CAP - 1]}…"
    return {
        "id": event.run_id,
        "created_at": facts.get("created_at") or "",
        "status": "running",
        "cocktail": facts.get("cocktail"),
        "prompt": prompt,
        "search_text": prompt.casefold(),
        "cost_nanos": None,
        "cost_known": False,
        "finished_at": None,
    }


def ending_row(event: Event, buffer: RunBuffer) -> Row:
    """What a `report` Event changes in the row of `runs`."""
    cost_nanos, cost_known = buffer.cost()
    return {
        "run_id": event.run_id,
        "new_status": event.facts.get("status") or "failed",
        "new_cost_nanos": cost_nanos,
        "new_cost_known": cost_known,
        "new_finished_at": event.facts.get("finished_at"),
    }


def _prompt(query: Mapping[str, object]) -> str:
    messages = cast("Sequence[Mapping[str, object]]", query.get("messages") or ())
    for message in reversed(messages):
        if message.get("role") == "user":
            return str(message.get("content") or "")
    return ""
