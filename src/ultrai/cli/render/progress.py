"""Progress without redrawing: one line for each change of state, for logs and screen readers."""

from __future__ import annotations

from ultrai.cli.render.board import Board, retry_wait_s
from ultrai.cli.render.phrases import (
    brief_failure_line,
    cost_words,
    count,
    duration,
    money,
    stake,
)
from ultrai.cli.render.safety import one_line
from ultrai.domain.event import Event, EventType
from ultrai.domain.outcome import CostState


def progress_line(event: Event, board: Board) -> str | None:
    """The line for an Event that `board` has taken in; None where nothing changed for people."""
    describe = _LINES.get(event.type)
    return None if describe is None else describe(event, board)


def _planned(_event: Event, board: Board) -> str:
    title = one_line(board.title) or "models"
    line = f"{title}: asking {count(len(board.seats), 'model')}"
    line += f", {stake(board.low_nanos, board.high_nanos, expected=board.expected_nanos)}"
    return line if board.cap_nanos is None else f"{line}, cap {money(board.cap_nanos)}"


def _summary(event: Event, board: Board) -> str | None:
    """When it begins, and for about every tenth of it."""
    of, parts, done = event.inner().type, board.parts, board.parts_done
    if of is EventType.PLANNED:
        return f"summarising first, in {count(parts, 'part')}"
    is_end = of in (EventType.SLOT_ANSWERED, EventType.SLOT_FAILED)
    if not is_end or done * _STEPS // parts == (done - 1) * _STEPS // parts:
        return None
    return f"summarised {done} of {count(parts, 'part')}"


def _attempt_started(event: Event, board: Board) -> str:
    seat = board.seat(event)
    line = f"{_slot(event)} asking {one_line(seat.model or seat.primary)}"
    return f"{line} for {one_line(seat.primary)}" if seat.fallback else line


def _first_token(event: Event, board: Board) -> str:
    seat = board.seat(event)
    return f"{_slot(event)} {one_line(seat.model or '')} started after {duration(event.t_ms)}"


def _attempt_failed(event: Event, board: Board) -> str:
    seat = board.seat(event)
    who = one_line(seat.model or seat.primary)
    if event.failure is None:
        cost = event.cost
        is_free = cost is None or cost.state is CostState.NOT_BILLED
        billed = "" if cost is None or is_free else f", cost {cost_words(cost)}"
        return f"{_slot(event)} {who} cancelled{billed}"
    wait_s = retry_wait_s(event)
    then = "" if wait_s is None else f", again in {wait_s:.1f} s"
    return f"{_slot(event)} {who} failed{then}: {brief_failure_line(event.failure)}"


def _withdrawn(event: Event, board: Board) -> str:
    seat = board.seat(event)
    return f"{_slot(event)} what {one_line(seat.model or seat.primary)} had written is withdrawn"


def _answered(event: Event, board: Board) -> str:
    seat = board.seat(event)
    parts = [f"{_slot(event)} {one_line(seat.model or seat.primary)} answered"]
    if seat.fallback:
        parts[0] += f" for {one_line(seat.primary)}"
    parts.append(duration(event.t_ms))
    parts.extend([seat.shown_tokens] if seat.shown_tokens else [])
    parts.extend([cost_words(seat.cost)] if seat.cost else [])
    return ", ".join(parts)


def _failed(event: Event, board: Board) -> str | None:
    """Why, or that nobody was asked; where its last attempt has said so already, nothing."""
    seat = board.seat(event)
    line = f"{_slot(event)} {one_line(seat.model or seat.primary)} {seat.state.word}"
    if seat.verdict is not None:
        return f"{line}: {brief_failure_line(seat.verdict)}"
    return None if seat.attempts else line


def _slot(event: Event) -> str:
    return f"[{(event.slot or 0) + 1}]"


_STEPS = 10
_LINES = {
    EventType.PLANNED: _planned,
    EventType.SUMMARY: _summary,
    EventType.ATTEMPT_STARTED: _attempt_started,
    EventType.FIRST_TOKEN: _first_token,
    EventType.ATTEMPT_FAILED: _attempt_failed,
    EventType.ATTEMPT_WITHDRAWN: _withdrawn,
    EventType.SLOT_ANSWERED: _answered,
    EventType.SLOT_FAILED: _failed,
}
