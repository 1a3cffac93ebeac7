"""What stands at the end of a Run: the verdict, a table, who did not answer, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import (
    brief_failure_line,
    cost_words,
    count,
    duration,
    failure_line,
    money,
    short_names,
)
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out
from ultrai.domain.outcome import CostState
from ultrai.domain.report import Report, RunStatus, SlotReport, SlotState

_COLUMNS = (
    Column("", "right"),
    Column(""),
    Column("answered by", flexible=True, least=20),
    Column("for", rank=5, flexible=True),
    Column("first", "right", rank=3),
    Column("total", "right", rank=2),
    Column("tokens", "right", rank=4),
    Column("cost", "right", rank=1),
)
_NEXT_COLUMNS = (Column(""), Column(""), Column("", rank=1))
_STATES = {
    SlotState.ANSWERED: ("✓", Style.GOOD),
    SlotState.FAILED: ("✗ failed", Style.BAD),
    SlotState.CANCELLED: ("– cancelled", Style.ODD),
    SlotState.SKIPPED: ("– skipped", Style.DIM),
    SlotState.RUNNING: ("… running", Style.DIM),
    SlotState.PENDING: ("… waiting", Style.DIM),
}
_STATUS_STYLES = {RunStatus.COMPLETE: Style.GOOD, RunStatus.DEGRADED: Style.ODD}


def verdict(report: Report) -> str:
    """`degraded: 3 of 4 answered · $0.0123 · 12.3 s · run_…`, on one line."""
    answered = sum(slot.answer is not None for slot in report.slots)
    cost = money(report.cost_nanos)
    if not report.cost_known and report.cost_nanos is not None:
        cost = f"~{cost} (not all of it is known)"
    parts = [f"{report.status.value}: {answered} of {len(report.slots)} answered", cost]
    parts.extend([duration(report.elapsed_ms)] if report.elapsed_ms is not None else [])
    return " · ".join([*parts, report.id])


def unanswered_lines(report: Report, *, brief: bool, watched: bool = False) -> list[str]:
    """For each Slot without an Answer: who, why, and at the end what a person can do.

    `brief`: the upstream's words are shortened; `ultrai show` has them in full. `watched`: that a
    Slot was cancelled has been seen, and there is nothing to do about it.
    """
    return [
        f"[{slot.index + 1}] {_asked(slot)} {_why(slot, brief=brief)}"
        for slot in report.slots
        if slot.answer is None and not (watched and slot.state is SlotState.CANCELLED)
    ]


def summary_table(report: Report, *, width: int | None) -> list[Line]:
    """One line for each Slot."""
    ids = [(slot.primary, slot.answered_by, _first_asked(slot)) for slot in report.slots]
    names = short_names([model for row in ids for model in row if model])
    rows = [_row(slot, names) for slot in report.slots]
    return lay_out(_COLUMNS, rows, width=width, header=True)


def status_style(report: Report) -> Style:
    """How the verdict is painted."""
    return _STATUS_STYLES.get(report.status, Style.BAD)


def next_commands(report: Report) -> list[tuple[str, str]]:
    """The three commands that make sense now, each with what it does."""
    run = report.id
    show = (f"ultrai show {run}", "read it again")
    export = (f"ultrai export {run} --format html", "a page to keep or pass on")
    files = " -f …" if report.query.get("documents") and not report.documents else ""
    resume = (f"ultrai ask --resume {run}{files}", "ask the unanswered again")
    why = (f"ultrai show {run} --failed-only", "each attempt and its failure")
    if report.status is RunStatus.REFUSED:
        prices = ("ultrai models --tier budget", "cheaper models")
        return [("ultrai plan …", "the price before asking"), prices, why]
    if report.status is RunStatus.COMPLETE and all(slot.answer for slot in report.slots):
        return [show, export, ("ultrai history", "what you asked before")]
    if report.answers:
        return [resume, why, export]
    return [why, ("ultrai ready", "which models can be asked now"), resume]


def next_lines(report: Report, *, width: int | None) -> list[Line]:
    """The next commands with what each does, where there is room for that."""
    rows = [
        [Cell("" if place else "next", Style.DIM), Cell(command), Cell(purpose, Style.DIM)]
        for place, (command, purpose) in enumerate(next_commands(report))
    ]
    # A command is for copying: it is never cut, a narrow terminal breaks it.
    least = max(len(command) for command, _ in next_commands(report)) + len("next  ")
    room = None if width is None else max(width, least)
    return lay_out(_NEXT_COLUMNS, rows, width=room, header=False)


def _row(slot: SlotReport, names: Mapping[str, str]) -> Sequence[Cell]:
    word, style = _STATES[slot.state]
    usage = slot.usage
    tokens = usage.completion_tokens if usage else None
    fallback = slot.fallback and slot.answered_by is not None
    return (
        Cell(str(slot.index + 1), Style.DIM),
        Cell(word, style),
        Cell(one_line(names[slot.answered_by or _first_asked(slot)])),
        Cell(one_line(names[slot.primary]) if fallback else ""),
        Cell(duration(slot.first_token_ms)),
        Cell(duration(slot.elapsed_ms)),
        Cell("–" if tokens is None else f"{tokens:,}"),
        Cell(cost_words(slot.cost) if slot.attempts else "–"),
    )


def _asked(slot: SlotReport) -> str:
    others = len({attempt.model for attempt in slot.attempts}) - 1
    first = one_line(_first_asked(slot))
    return f"{first} (and {count(others, 'backup')})" if others > 0 else first


def _first_asked(slot: SlotReport) -> str:
    """Who was asked: not the primary where another stands in its place."""
    return slot.attempts[0].model if slot.attempts else slot.primary


def _why(slot: SlotReport, *, brief: bool) -> str:
    attempts = count(len(slot.attempts), "attempt")
    failure = slot.failure
    if failure is None and slot.state is SlotState.CANCELLED:
        return f"cancelled after {attempts}"
    if failure is None:
        failure = next((a.failure for a in reversed(slot.attempts) if a.failure), None)
    if failure is None:
        return f"{slot.state.value} after {attempts}"
    cost = slot.cost
    billed = ""
    if cost.state is not CostState.NOT_BILLED:
        billed = f", cost {cost_words(cost)}"
    words = brief_failure_line(failure) if brief else failure_line(failure)
    return f"{slot.state.value} after {attempts}{billed}: {words}"
