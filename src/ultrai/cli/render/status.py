"""The lines of the status strip: a header, then one line for each Slot."""

from __future__ import annotations

from collections.abc import Mapping

from ultrai.cli.render.board import Board, Seat, SeatState
from ultrai.cli.render.cells import cell_length
from ultrai.cli.render.palette import PLAIN, Style
from ultrai.cli.render.phrases import (
    FIRST_REFUSAL,
    bracket,
    clock,
    cost_words,
    money,
    short_names,
)
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import Cell, Column, Line, lay_out

_SECOND_MS = 1000
_COLUMNS = (
    Column("", "right"),
    Column(""),
    Column("model", flexible=True, least=24),
    Column("state"),
    Column("first token", "right", rank=3),
    Column("speed", "right", rank=4),
    Column("tokens", "right", rank=2),
    Column("cost", "right", rank=1),
)


def status_lines(board: Board, *, now_ms: int, width: int) -> list[Line]:
    """The strip as it should look now, no wider than `width` cells."""
    if not board.seats:
        return [(Cell("planning …", Style.DIM),)]
    names = short_names([model for seat in board.seats for model in _models(seat)])
    rows = [_row(seat, names, now_ms=now_ms) for seat in board.seats]
    return [
        _header(board, now_ms=now_ms, width=width),
        *lay_out(_COLUMNS, rows, width=width, header=False, fills=True),
    ]


def _models(seat: Seat) -> tuple[str, ...]:
    return (seat.primary, seat.first, seat.model or seat.first)


def _header(board: Board, *, now_ms: int, width: int) -> Line:
    parts = [one_line(board.title) or "models"]
    expected, held = board.expected_nanos, board.high_nanos
    if held is None or expected is None or expected == held:
        parts.append(f"est {bracket(board.low_nanos, held)}")
    else:
        parts += [f"expected ~{money(expected)}", f"held {money(held)}"]
    if board.cap_nanos is not None:
        parts.append(f"cap {money(board.cap_nanos)}")
    if board.parts_done < board.parts:
        parts.append(f"summary {board.parts_done} of {board.parts}")
    if board.spent_nanos:
        parts.append(f"spent {money(board.spent_nanos)}")
    time = clock(now_ms)
    while len(parts) > 1 and cell_length(" · ".join(parts)) + len(time) + 1 > width:
        parts.pop()
    text = " · ".join(parts)
    blank = " " * max(1, width - cell_length(text) - len(time))
    return (Cell(text, Style.BOLD), Cell(blank), Cell(time))


def _row(seat: Seat, names: Mapping[str, str], *, now_ms: int) -> list[Cell]:
    style = seat.state.style
    symbol = "↻" if seat.fallback and not seat.is_over else seat.state.symbol
    first = "" if seat.first_token_ms is None else f"first {seat.first_token_ms / _SECOND_MS:.1f}s"
    cost = "" if seat.cost is None else cost_words(seat.cost)
    return [
        Cell(str(seat.index + 1), Style.DIM),
        Cell(symbol, style),
        Cell(_who(seat, names)),
        Cell(_state_words(seat, now_ms), style),
        Cell(first),
        Cell(seat.tokens_per_second(now_ms)),
        Cell(seat.shown_tokens),
        Cell(cost, PLAIN),
    ]


def _state_words(seat: Seat, now_ms: int) -> str:
    if seat.state is SeatState.PAUSING and seat.retry_at_ms is not None:
        return f"again in {max(0, seat.retry_at_ms - now_ms) / _SECOND_MS:.0f} s"
    return seat.state.word


def _who(seat: Seat, names: Mapping[str, str]) -> str:
    asked = one_line(names[seat.model or seat.first])
    who = f"{one_line(names[seat.primary])} → {asked}" if seat.fallback else asked
    is_odd = seat.fallback or seat.state in (SeatState.PAUSING, SeatState.FAILED)
    if seat.failure is None or seat.state is SeatState.DONE or not is_odd:
        return who
    status = seat.failure.status
    is_refusal = status is not None and status >= FIRST_REFUSAL
    return f"{who} ({status if is_refusal else seat.failure.kind.value.replace('_', ' ')})"
