"""Answers on a terminal, as ordinary scrollback: one streams, the others are printed whole.

Theory of operation. At most one Slot has the focus; its text comes out row by row. A Slot that
ends meanwhile is kept back and printed whole, in the order of ending, when the focus is free; then
the next Slot that gets more text has the focus. Text that was printed is never taken back: when its
Attempt is withdrawn, a line says so, and whatever comes next stands under a new rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ultrai.cli.render.cells import RowWriter, cell_length, fit
from ultrai.cli.render.palette import Palette, Style
from ultrai.cli.render.phrases import failure_cause
from ultrai.cli.render.safety import Cleaner, clean, one_line
from ultrai.domain.event import Event, EventType
from ultrai.domain.outcome import Answer, Failure
from ultrai.domain.report import Report, RunStatus

_HEADING = "#"


@dataclass(slots=True)
class _Seat:
    """A Slot's text: what its current Attempt has written, and what became of it."""

    primary: str = ""
    model: str = ""
    pieces: list[str] = field(default_factory=list)
    answer: Answer | None = None
    failure: Failure | None = None
    shown: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def title(self) -> str:
        model = one_line(self.model or self.primary)
        fallback = self.model and self.primary and self.model != self.primary
        return f"{model} (for {one_line(self.primary)})" if fallback else model


class Transcript:
    """Takes Events in order and writes text for the scrollback through `write`."""

    def __init__(
        self, write: Callable[[str], None], *, width: Callable[[], int], palette: Palette
    ) -> None:
        self._write = write
        self._width = width
        self._palette = palette
        self._seats: dict[int, _Seat] = {}
        self._focus: int | None = None
        self._ended: list[int] = []
        self._rows = RowWriter(width())
        self._cleaner = Cleaner()
        self._fresh = True

    @property
    def unfinished(self) -> str:
        """The row that still grows; a status strip shows it above itself."""
        return self._rows.unfinished

    @property
    def is_streaming(self) -> bool:
        """Whether an answer has begun and not ended."""
        return self._focus is not None

    def apply(self, event: Event) -> None:
        """Take in one Event."""
        handler = _HANDLERS.get(event.type)
        if handler is not None:
            handler(self, event)

    def finish(self, report: Report) -> None:
        """Print what is left: answers kept back, and after an interruption what had arrived."""
        self._release()
        self._print_ended()
        for slot in report.slots:
            seat = self._seats.setdefault(slot.index, _Seat(primary=slot.primary))
            if slot.answer is not None and not seat.shown:
                seat.answer, seat.model = slot.answer, slot.answered_by or slot.primary
                self._print_whole(slot.index)
            elif report.status is RunStatus.INTERRUPTED and seat.text and not seat.shown:
                self._print_rule(f"{seat.title} (incomplete)")
                self._print_body(seat.text)

    def _started(self, event: Event) -> None:
        seat = self._seat(event)
        seat.primary = str(event.facts.get("primary", seat.primary))

    def _attempt_started(self, event: Event) -> None:
        if self._focus == event.slot:
            self._withdrawn(event)
        seat = self._seat(event)
        seat.primary = str(event.facts.get("primary") or seat.primary)
        seat.model = str(event.facts["model"])
        seat.pieces = []
        seat.shown = False

    def _text(self, event: Event) -> None:
        index = event.slot or 0
        seat = self._seat(event)
        seat.pieces.append(event.text or "")
        if self._focus is None:
            self._take_focus(index)
        elif self._focus == index:
            self._stream(event.text or "")

    def _attempt_failed(self, event: Event) -> None:
        self._seat(event).failure = event.failure

    def _withdrawn(self, event: Event) -> None:
        index = event.slot or 0
        seat = self._seat(event)
        if self._focus == index:
            cause = f", {failure_cause(seat.failure)}" if seat.failure else ""
            who = one_line(seat.model)
            self._end_text(f"the text above is withdrawn: {who} broke off{cause}")
        seat.pieces = []
        self._free()

    def _answered(self, event: Event) -> None:
        index = event.slot or 0
        seat = self._seat(event)
        seat.answer = event.answer
        seat.model = str(event.facts.get("answered_by") or seat.model)
        if self._focus == index:
            self._complete(seat)
            self._free()
        elif self._focus is None:
            self._print_whole(index)
        else:
            self._ended.append(index)

    def _failed(self, event: Event) -> None:
        index = event.slot or 0
        seat = self._seat(event)
        if self._focus == index:
            failure = event.failure or seat.failure
            cause = f", {failure_cause(failure)}" if failure else ""
            self._end_text(f"the text above is incomplete: {one_line(seat.model)} stopped{cause}")
        self._free()

    def _seat(self, event: Event) -> _Seat:
        return self._seats.setdefault(event.slot or 0, _Seat())

    def _complete(self, seat: _Seat) -> None:
        """End the focused text; where the Answer holds more than was streamed, print that too."""
        whole = seat.answer.text if seat.answer else ""
        streamed = seat.text
        if whole != streamed and whole.startswith(streamed):
            self._stream(whole[len(streamed) :])
        self._end_text(_remark(seat.answer))

    def _print_whole(self, index: int) -> None:
        seat = self._seats[index]
        self._print_rule(seat.title)
        self._print_body(seat.answer.text if seat.answer else "")
        remark = _remark(seat.answer)
        if remark:
            self._print_remark(remark)
        seat.shown = True

    def _take_focus(self, index: int) -> None:
        seat = self._seats[index]
        self._focus = index
        self._print_rule(seat.title)
        self._rows = RowWriter(self._width())
        self._cleaner = Cleaner()
        self._stream(seat.text)

    def _stream(self, text: str) -> None:
        self._rows.width = self._width()
        self._print_rows(self._rows.feed(self._cleaner.feed(text)))

    def _end_text(self, remark: str | None) -> None:
        rows = self._rows.feed(self._cleaner.flush())
        self._print_rows([*rows, *self._rows.flush()])
        if self._focus is not None:
            self._seats[self._focus].shown = True
        if remark:
            self._print_remark(remark)
        self._focus = None

    def _release(self) -> None:
        if self._focus is not None:
            self._end_text("the text above is incomplete: the run ended here")

    def _free(self) -> None:
        """If the focus is free now, print those that have ended meanwhile."""
        if self._focus is None:
            self._print_ended()

    def _print_ended(self) -> None:
        ended, self._ended = self._ended, []
        for index in ended:
            self._print_whole(index)

    def _print_body(self, text: str) -> None:
        rows = RowWriter(self._width())
        self._print_rows([*rows.feed(clean(text)), *rows.flush()])

    def _print_rule(self, title: str) -> None:
        width = self._width()
        line = fit(f"── {title} ", width - 2)
        line += "─" * max(0, width - 1 - cell_length(line))
        before = "" if self._fresh else "\n"
        self._fresh = False
        self._write(f"{before}{self._paint(line, Style.BOLD)}\n")

    def _print_rows(self, rows: list[str]) -> None:
        if rows:
            styled = (
                self._palette.paint(row, Style.BOLD) if row.startswith(_HEADING) else row
                for row in rows
            )
            self._write("".join(f"{row}\n" for row in styled))

    def _print_remark(self, remark: str) -> None:
        rows = RowWriter(self._width())
        for row in [*rows.feed(f"[{remark}]"), *rows.flush()]:
            self._write(f"{self._paint(row, Style.ODD)}\n")

    def _paint(self, text: str, style: Style) -> str:
        return self._palette.paint(self._palette.spell(text), style)


def _remark(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    if answer.tool_calls and not answer.text:
        names = ", ".join(one_line(call.name) for call in answer.tool_calls)
        return f"no text: the model asks for {names} to be called"
    if answer.truncated:
        return "cut by the token limit; --max-tokens raises it"
    return "from the cache" if answer.cached else None


_HANDLERS = {
    EventType.SLOT_STARTED: Transcript._started,  # noqa: SLF001 - the class's own table
    EventType.ATTEMPT_STARTED: Transcript._attempt_started,  # noqa: SLF001
    EventType.TEXT_DELTA: Transcript._text,  # noqa: SLF001
    EventType.ATTEMPT_FAILED: Transcript._attempt_failed,  # noqa: SLF001
    EventType.ATTEMPT_WITHDRAWN: Transcript._withdrawn,  # noqa: SLF001
    EventType.SLOT_ANSWERED: Transcript._answered,  # noqa: SLF001
    EventType.SLOT_FAILED: Transcript._failed,  # noqa: SLF001
}
