"""Budgets for people: a table with gauges, and one in full."""

from __future__ import annotations

from collections.abc import Sequence

from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out, paragraph
from ultrai.domain.budget import BudgetState, Period, Scope

_GAUGE = 10
_NEARLY = 80
_ALL = 100


def budgets_table(states: Sequence[BudgetState], *, width: int | None) -> list[Line]:
    """One line for each Budget."""
    columns = (
        Column("budget", flexible=True, least=UNCUT),
        Column("scope", rank=3, flexible=True, least=16),
        Column("limit", "right", rank=1),
        Column("spent", "right", rank=2),
        Column("held", "right", rank=5),
        Column("left", "right"),
        Column("", rank=4),
    )
    rows = [
        [
            Cell(one_line(state.budget.name)),
            Cell(_scope(state)),
            Cell(_limit(state)),
            Cell(money(state.posted_nanos)),
            Cell(money(state.held_nanos)),
            Cell(money(state.left_nanos), _style(state)),
            Cell(_gauge(state), _style(state)),
        ]
        for state in states
    ]
    return lay_out(columns, rows, width=width, header=True)


def budget_lines(state: BudgetState, *, width: int | None) -> list[Line]:
    """One Budget in full."""
    budget = state.budget
    kind = "hard" if budget.hard else "soft: only warns"
    lines: list[Line] = [
        (Cell(one_line(budget.name), Style.BOLD), Cell(f"  {_limit(state)}, {kind}")),
        (Cell(f"{_gauge(state)} {money(state.left_nanos)} left", _style(state)),),
        (Cell(f"scope  {_scope(state)}"),),
        (Cell(f"spent  {money(state.posted_nanos)}"),),
        (Cell(f"held   {money(state.held_nanos)}"),),
    ]
    if budget.period is Period.RUN:
        lines[1:5] = [(Cell(f"scope  {_scope(state)}"),)]
    elif state.since:
        lines.append((Cell(f"since  {state.since}", Style.DIM),))
    if state.unknown:
        are = "attempt is" if state.unknown == 1 else "attempts are"
        note = f"{state.unknown} {are} counted at the most that may have been spent"
        lines += paragraph(note, Style.ODD, width=width)
    if budget.closed:
        note = "closed: the upstream charged more than it was allowed to; set it again to open it"
        lines += paragraph(note, Style.BAD, width=width)
    return lines


def _limit(state: BudgetState) -> str:
    period = state.budget.period
    per = "in all" if period is Period.TOTAL else f"per {period.value}"
    return f"{money(state.budget.limit_nanos)} {per}"


def _scope(state: BudgetState) -> str:
    budget = state.budget
    if budget.scope is Scope.GLOBAL:
        return "everything"
    return one_line(f"{budget.scope.value} {budget.subject}")


def _used_percent(state: BudgetState) -> int:
    limit = state.budget.limit_nanos
    used = state.posted_nanos + state.held_nanos
    if limit <= 0:
        return _ALL
    return min(_ALL, used * _ALL // limit)


def _style(state: BudgetState) -> Style:
    percent = _used_percent(state)
    if state.budget.closed or percent >= _ALL:
        return Style.BAD
    return Style.ODD if percent >= _NEARLY else Style.GOOD


def _gauge(state: BudgetState) -> str:
    if state.budget.closed:
        return "closed"
    if state.budget.period is Period.RUN:
        return ""
    percent = _used_percent(state)
    full = percent * _GAUGE // _ALL
    return f"{'█' * full}{'░' * (_GAUGE - full)} {percent:3d} %"
