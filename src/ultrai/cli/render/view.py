"""A View puts together what goes to standard output and what goes to standard error in a Run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ultrai.cli.render.allotment import sent_line
from ultrai.cli.render.board import Board
from ultrai.cli.render.cells import fit_tail, wrap_words
from ultrai.cli.render.palette import Style
from ultrai.cli.render.progress import progress_line
from ultrai.cli.render.remarks import Remarks
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.sheets import JsonLines, JsonReport, Sheet
from ultrai.cli.render.status import status_lines
from ultrai.cli.render.strip import Strip, paint_line
from ultrai.cli.render.summary import (
    next_lines,
    status_style,
    summary_table,
    unanswered_lines,
    verdict,
)
from ultrai.cli.render.table import Cell, Line, paragraph
from ultrai.cli.render.transcript import Transcript
from ultrai.cli.terminal import OutputLost, Terminal
from ultrai.domain.event import Event, EventType
from ultrai.domain.report import Report

_INDENT = 2
# They come by the hundred; what they change is drawn at the next tick.
_DELTAS = (EventType.TEXT_DELTA, EventType.REASONING_DELTA)


class Answers(Protocol):
    """What writes to standard output."""

    def apply(self, event: Event) -> None:
        """Take in one Event."""

    def finish(self, report: Report) -> None:
        """Write what is left."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the user wants it: the flags `--json`, `--jsonl` and `--plain`."""

    json: bool = False
    jsonl: bool = False
    plain: bool = False

    @property
    def is_machine_readable(self) -> bool:
        """Whether standard output is for programs."""
        return self.json or self.jsonl


class View:
    """Takes Events, ticks and remarks of one Run; `close` takes the strip away."""

    def __init__(
        self,
        output: Terminal,
        error: Terminal,
        *,
        manner: Manner,
        cap_nanos: int | None = None,
    ) -> None:
        self._output = output
        self._error = error
        self._manner = manner
        self._board = Board(cap_nanos)
        self._strip = Strip(error, output) if error.redraws else None
        self._transcript: Transcript | None = None
        self._lost: OutputLost | None = None
        self._answers = self._choose_answers()
        self._remarks = Remarks(brief=self._strip is not None)
        self._held: list[str] = []
        self._now_ms = 0

    def apply(self, event: Event) -> None:
        """Take in one Event. Raises ReaderGone when nobody reads standard output."""
        self._now_ms = max(self._now_ms, event.t_ms)
        self._board.apply(event)
        self._answers.apply(event)
        if self._strip is None:
            self._log(event)
            return
        self._held.extend(self._remarks.lines(event, self._board))
        if self._transcript is None or not self._transcript.is_streaming:
            self._say_held()
        if event.type not in _DELTAS or self._strip.is_away:
            self._draw()

    def tick(self, elapsed_ms: int) -> None:
        """Time has passed since the Run began."""
        self._now_ms = max(self._now_ms, elapsed_ms)
        if self._strip is not None:
            self._draw()

    def remark(self, text: str) -> None:
        """A line for the person on standard error."""
        line = self._error.palette.spell(one_line(text, limit=2000))
        if self._strip is None:
            self._error.write(f"{line}\n")
        else:
            rows = wrap_words(line, self._error.width - 1, indent="    ")
            painted = (self._error.palette.paint(row, Style.DIM) for row in rows)
            self._strip.print_remark("".join(f"{row}\n" for row in painted))
            self._draw()

    def finish(self, report: Report) -> None:
        """Write what is left, then the verdict.

        Raises OutputLost, naming what shows the Run, where standard output could not be written.
        """
        self.close()
        self._answers.finish(report)
        self._say_held()
        self.close()
        self._conclude(report)
        if self._lost is not None:
            hint = f"'ultrai show {report.id}' shows the run, which went on and is stored"
            raise OutputLost(str(self._lost), hint=hint)

    def _conclude(self, report: Report) -> None:
        if self._strip is not None and not self._manner.is_machine_readable:
            self._write_lines([(), *summary_table(report, width=self._error.width)])
        # For programs nothing was drawn and nothing logged: what ended is said here alone.
        watched = not self._manner.is_machine_readable or self._manner.plain
        self._write_wrapped(unanswered_lines(report, brief=True, watched=watched), Style.BAD)
        if self._manner.is_machine_readable and self._strip is None:
            return
        sent = sent_line(report)
        self._write_wrapped([sent] if sent else [], Style.DIM)
        self._write_wrapped([verdict(report)], status_style(report))
        if self._strip is not None and not self._manner.is_machine_readable:
            self._write_lines(next_lines(report, width=self._error.width))

    def _say_held(self) -> None:
        """Notices wait for the end of an answer, so that they do not stand in its middle."""
        held, self._held = self._held, []
        for line in held:
            self.remark(line)

    def close(self) -> None:
        """Take the strip away, whatever happened."""
        if self._strip is not None:
            self._strip.close()

    def _choose_answers(self) -> Answers:
        write = self._write_answers
        if self._manner.jsonl:
            return JsonLines(write)
        if self._manner.json:
            return JsonReport(write, indent=_INDENT if self._output.is_terminal else None)
        if not self._output.redraws:
            return Sheet(write)
        self._transcript = Transcript(
            write, width=lambda: self._output.width - 1, palette=self._output.palette
        )
        return self._transcript

    def _write_answers(self, text: str) -> None:
        """To standard output, until it cannot be written: the Run, which is paid for, goes on."""
        if self._lost is not None:
            return
        try:
            if self._strip is None:
                self._output.write(text)
            else:
                self._strip.print_text(text)
        except OutputLost as error:
            self._lost = error

    def _log(self, event: Event) -> None:
        if self._manner.is_machine_readable and not self._manner.plain:
            return
        lines = [*self._remarks.lines(event, self._board), progress_line(event, self._board)]
        for line in filter(None, lines):
            self._error.write(f"{self._error.palette.spell(one_line(line, limit=2000))}\n")

    def _draw(self) -> None:
        if self._strip is None or not self._board.run_id:
            return
        width = self._error.width - 1
        lines = status_lines(self._board, now_ms=self._now_ms, width=width)
        unfinished = self._transcript.unfinished if self._transcript else ""
        growing: list[Line] = [(Cell(fit_tail(unfinished, width)),)] if unfinished else []
        self._strip.show([*growing, *lines])

    def _write_wrapped(self, texts: list[str], style: Style) -> None:
        """Whole lines in a file, so that they can be searched; wrapped by words on a terminal."""
        for text in texts:
            self._write_lines(paragraph(text, style, width=self._error.table_width))

    def _write_lines(self, lines: list[Line]) -> None:
        palette = self._error.palette
        text = "".join(f"{paint_line(line, palette)}\n" for line in lines)
        if text:
            self._error.write(text)
