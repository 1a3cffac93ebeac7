"""Past runs for people: a list of them, and one in full."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.allotment import allotment_lines
from ultrai.cli.render.cells import RowWriter, cell_length, fit
from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import cost_words, duration, failure_line, money
from ultrai.cli.render.provenance import messages_of
from ultrai.cli.render.safety import clean, one_line
from ultrai.cli.render.summary import status_style, summary_table, verdict
from ultrai.cli.render.table import Cell, Column, Line, lay_out, paragraph
from ultrai.domain.report import AttemptReport, Report, RunStatus, RunSummary, SlotReport

_HISTORY_COLUMNS = (
    Column("run"),
    Column("asked at", rank=3),
    Column("status", rank=1),
    Column("cocktail", rank=4),
    Column("cost", "right", rank=2),
    Column("prompt", flexible=True),
)
_STATUS_STYLES = {RunStatus.COMPLETE: Style.GOOD, RunStatus.DEGRADED: Style.ODD}
_RULE_IN_FILES = 60
_SECONDS = len("2026-11-23T20:50:00")


def history_table(runs: Sequence[RunSummary], *, width: int | None) -> list[Line]:
    """One line for each run, newest first."""
    rows = [
        [
            Cell(run.id),
            Cell(_moment(run.created_at)),
            Cell(run.status.value, _STATUS_STYLES.get(run.status, Style.BAD)),
            Cell(one_line(run.cocktail or "–")),
            Cell(_cost(run)),
            Cell(one_line(run.prompt, limit=120)),
        ]
        for run in runs
    ]
    return lay_out(_HISTORY_COLUMNS, rows, width=width, header=True)


def report_lines(report: Report, *, failed_only: bool, width: int | None) -> list[Line]:
    """A Report in full: the question, each answer with its provenance, failures, the verdict."""
    lines: list[Line] = [(Cell(verdict(report), status_style(report)),)]
    title = one_line(report.cocktail or "models named one by one")
    lines.append((Cell(f"{title} · asked {_moment(report.created_at)} UTC", Style.DIM),))
    if not failed_only:
        for role, content in messages_of(report):
            lines.extend([(), (Cell(f"{role}:", Style.DIM),), *_body(content, width)])
    for slot in report.slots:
        if slot.answer is None or not failed_only:
            lines.extend([(), *_slot_lines(slot, width)])
    if not report.slots:
        lines.extend([(), (Cell("no slot was begun"),)])
    lines.append(())
    if not failed_only:
        lines.extend(summary_table(report, width=width))
    for notice in report.notices:
        lines.extend(paragraph(f"note: {one_line(notice.message)}", Style.ODD, width=width))
    return lines


def _cost(run: RunSummary) -> str:
    """An amount, after `~` where not all of it is known."""
    is_sure = run.cost_known or run.cost_nanos is None
    return money(run.cost_nanos) if is_sure else f"~{money(run.cost_nanos)}"


def _slot_lines(slot: SlotReport, width: int | None) -> list[Line]:
    lines = [_rule(_slot_title(slot), width)]
    for text in allotment_lines(slot):
        lines.extend(paragraph(text, Style.DIM, width=width))
    if slot.answer is not None:
        lines.extend(_body(slot.answer.text, width))
        if slot.answer.truncated:
            lines.append((Cell("[cut by the token limit]", Style.ODD),))
    if slot.answer is None or len(slot.attempts) > 1:
        for attempt in slot.attempts:
            lines.extend(_attempt_lines(attempt, width))
    if slot.answer is None:
        lines.extend(_partial_lines(slot, width))
        if slot.failure is not None and not slot.attempts:
            lines.extend(paragraph(failure_line(slot.failure), Style.BAD, width=width))
    return lines


def _slot_title(slot: SlotReport) -> str:
    if slot.answer is None:
        return f"{one_line(slot.primary)}: {slot.state.value}"
    who = one_line(slot.answered_by or slot.primary)
    return f"{who} (for {one_line(slot.primary)})" if slot.fallback else who


def _attempt_lines(attempt: AttemptReport, width: int | None) -> list[Line]:
    head = f"attempt {attempt.n}: {one_line(attempt.model)}, {duration(attempt.elapsed_ms)}"
    if attempt.failure is not None:
        text = f"{head}, {cost_words(attempt.cost)}: {failure_line(attempt.failure)}"
        return paragraph(text, Style.BAD, width=width)
    return paragraph(f"{head}, {attempt.outcome or 'running'}", Style.DIM, width=width)


def _partial_lines(slot: SlotReport, width: int | None) -> list[Line]:
    for attempt in reversed(slot.attempts):
        if attempt.partial is not None and attempt.partial.text:
            head = f"what had arrived from {one_line(attempt.model)}:"
            return [(Cell(head, Style.DIM),), *_body(attempt.partial.text, width)]
    return []


def _body(text: str, width: int | None) -> list[Line]:
    if width is None:
        return [(Cell(line),) for line in clean(text).rstrip("\n").split("\n")]
    rows = RowWriter(width - 1)
    return [(Cell(row),) for row in [*rows.feed(clean(text).rstrip("\n")), *rows.flush()]]


def _rule(title: str, width: int | None) -> Line:
    room = _RULE_IN_FILES if width is None else width - 1
    line = f"── {title} " if width is None else fit(f"── {title} ", room - 1)
    return (Cell(line + "─" * max(0, room - cell_length(line)), Style.BOLD),)


def _moment(stamp: str) -> str:
    return stamp[:_SECONDS].replace("T", " ")
