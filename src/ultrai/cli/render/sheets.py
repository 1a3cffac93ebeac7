"""What goes to standard output when nobody watches: answers in the Slots' order, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from ultrai.cli.render.safety import clean, one_line
from ultrai.domain.event import Event, EventType
from ultrai.domain.report import Report, RunStatus, SlotReport, SlotState

Write = Callable[[str], None]

# Inside JSON these can only stand in strings, where an escape means the same.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def json_line(value: Mapping[str, object], *, indent: int | None = None) -> str:
    """One JSON text with a line feed; no character in it does anything to a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"


class JsonReport:
    """The Report as one JSON object, at the end."""

    def __init__(self, write: Write, *, indent: int | None = None) -> None:
        self._write = write
        self._indent = indent

    def apply(self, event: Event) -> None:
        """Nothing is written before the end."""

    def finish(self, report: Report) -> None:
        """Write the Report."""
        self._write(json_line(report.to_dict(), indent=self._indent))


class JsonLines:
    """Every Event as a line, as it happens; the last bears the Report's fields."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def apply(self, event: Event) -> None:
        """Write the Event."""
        self._write(json_line(event.to_dict()))

    def finish(self, report: Report) -> None:
        """The Report was the last Event."""


class Sheet:
    """Answers as plain text, whole, in the order of the Slots, as soon as that order allows.

    Where the Run has several Slots, each answer stands under a heading `## model`. After an
    interruption, what had arrived of the others follows, marked as incomplete.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._settled: dict[int, tuple[str, str] | None] = {}
        self._slots = 0
        self._next = 0
        self._begun = False

    def apply(self, event: Event) -> None:
        """Write an answer when it has come and those before it are settled."""
        if event.type is EventType.PLANNED:
            slots = event.facts.get("slots")
            self._slots = len(slots) if isinstance(slots, list | tuple) else 0
        elif event.type is EventType.SLOT_ANSWERED and event.answer is not None:
            model = str(event.facts.get("answered_by") or event.answer.model)
            self._settle(event.slot or 0, (model, event.answer.text))
        elif event.type is EventType.SLOT_FAILED:
            self._settle(event.slot or 0, None)

    def finish(self, report: Report) -> None:
        """Write what is left."""
        self._slots = len(report.slots)
        for slot in report.slots:
            if slot.index >= self._next:
                self._put(_answer_of(slot) or self._settled.get(slot.index))
        self._next = self._slots
        if report.status is RunStatus.INTERRUPTED:
            for slot in report.slots:
                self._put(_partial_of(slot))

    def _settle(self, index: int, sheet: tuple[str, str] | None) -> None:
        self._settled[index] = sheet
        while self._next in self._settled:
            self._put(self._settled[self._next])
            self._next += 1

    def _put(self, sheet: tuple[str, str] | None) -> None:
        if sheet is None:
            return
        model, text = sheet
        parts = ["\n"] if self._begun else []
        if self._slots > 1:
            parts.append(f"## {one_line(model)}\n\n")
        body = clean(text).rstrip("\n")
        parts.append(f"{body}\n")
        self._begun = True
        self._write("".join(parts))


def _answer_of(slot: SlotReport) -> tuple[str, str] | None:
    if slot.answer is None:
        return None
    return slot.answered_by or slot.primary, slot.answer.text


def _partial_of(slot: SlotReport) -> tuple[str, str] | None:
    if slot.state is SlotState.ANSWERED:
        return None
    for attempt in reversed(slot.attempts):
        if attempt.partial is not None and attempt.partial.text:
            return f"{attempt.model} (incomplete)", attempt.partial.text
    return None
