"""A Plan for people: who would be asked, what fits, what it may cost and how long it may take."""

from __future__ import annotations

from ultrai.cli.render.allotment import allotment
from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import bracket, count, duration, money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out, paragraph
from ultrai.domain.budget import BudgetState, Period
from ultrai.domain.plan import Plan, PlannedCandidate, PlannedSlot
from ultrai.domain.prospect import Verdict

_COLUMNS = (
    Column("slot", "right"),
    Column("role", rank=4),
    Column("model", flexible=True, least=UNCUT),
    Column("ready", flexible=True, wraps=True),
    Column("prompt", "right", rank=5),
    Column("answer", "right", rank=3),
    Column("price", "right", rank=1),
    Column("expected", "right", rank=2),
)


def plan_lines(plan: Plan, *, cap_nanos: int | None, width: int | None) -> list[Line]:
    """The table, the totals, and every Notice."""
    title = one_line(plan.cocktail or "models named one by one")
    lines: list[Line] = [(Cell(f"{title} · {count(len(plan.slots), 'slot')}", Style.BOLD),), ()]
    rows = [_row(slot, candidate) for slot in plan.slots for candidate in slot.candidates]
    lines.extend(lay_out(_COLUMNS, rows, width=width, header=True))
    lines.append(())
    for text in _sent(plan):
        lines.extend(paragraph(text, width=width))
    for text in _totals(plan):
        lines.extend(paragraph(text, width=width))
    for text, style in _prospects(plan, cap_nanos):
        lines.extend(paragraph(text, style, width=width))
    for notice in plan.notices:
        where = "" if notice.slot is None else f"slot {notice.slot + 1}: "
        text = f"note: {where}{one_line(notice.message)}"
        lines.extend(paragraph(text, Style.ODD, width=width))
    lines.append((Cell("nothing was asked and nothing was spent", Style.DIM),))
    return lines


def _sent(plan: Plan) -> list[str]:
    """What each Slot's first model gets of the documents; Slots that get the same together."""
    slots: dict[str, list[str]] = {}
    for slot in plan.slots:
        if slot.first is not None and slot.first.fit is not None:
            words = allotment(slot.first.fit.to_dict())
            slots.setdefault(words, []).append(str(slot.index + 1))
    return [f"sent   to slot {', '.join(numbers)}: {words}" for words, numbers in slots.items()]


def _row(slot: PlannedSlot, candidate: PlannedCandidate) -> list[Cell]:
    first = bool(slot.candidates) and candidate is slot.candidates[0]
    verdict = candidate.not_ready
    ready = Cell("ready", Style.GOOD)
    if verdict is not None:
        ready = Cell(f"no: {one_line(verdict.message)}", Style.BAD)
    elif candidate.dropped:
        ready = Cell(f"ready, without {', '.join(candidate.dropped)}", Style.ODD)
    return [
        Cell(str(slot.index + 1) if first else "", Style.DIM),
        Cell(candidate.role),
        Cell(one_line(candidate.model), Style.BOLD if first else Style.PLAIN),
        ready,
        Cell(f"~{candidate.prompt_tokens:,} tok" if candidate.prompt_tokens else "–"),
        Cell(f"≤ {candidate.max_tokens:,} tok"),
        Cell(bracket(candidate.low_nanos, candidate.bound_nanos)),
        Cell("" if candidate.expected_ms is None else f"~{duration(candidate.expected_ms)}"),
    ]


def _totals(plan: Plan) -> list[str]:
    cost = plan.cost_nanos
    parts = (("lowest", cost.low), ("expected", cost.expected), ("highest", cost.high))
    price = ", ".join(f"{word} {money(nanos)}" for word, nanos in parts)
    time = "not measured yet" if plan.expected_ms is None else f"~{duration(plan.expected_ms)}"
    return [f"price  {price} (one attempt for each slot)", f"time   expected {time}"]


def _prospects(plan: Plan, cap_nanos: int | None) -> list[tuple[str, Style]]:
    """What is held, what bounds it, and what comes of that."""
    prospect = plan.prospect
    if prospect is None:
        return []
    lines = []
    if prospect.held_nanos:
        held = f"held   {money(prospect.held_nanos)} from the start, the worst case; what is not"
        lines.append((f"{held} needed is given back", Style.PLAIN))
    if cap_nanos is not None:
        lines.append((f"cap    {money(cap_nanos)}", Style.PLAIN))
    lines += [(f"budget {_budget_words(state)}", Style.PLAIN) for state in prospect.budgets]
    message = one_line(prospect.message)
    if prospect.verdict is Verdict.REFUSED:
        hint = f" — {one_line(prospect.hint)}" if prospect.hint else ""
        lines.append((f"'ask' would refuse this run (exit 5): {message}{hint}", Style.BAD))
    elif prospect.verdict is not Verdict.FITS:
        lines.append((f"'ask' would ask for less: {message}", Style.ODD))
    elif cap_nanos is not None or any(state.budget.hard for state in prospect.budgets):
        lines.append(("'ask' would hold that and run", Style.GOOD))
    return lines


def _budget_words(state: BudgetState) -> str:
    budget = state.budget
    per = "in all" if budget.period is Period.TOTAL else f"per {budget.period.value}"
    words = f"{one_line(budget.name)}: {money(state.left_nanos)} left of "
    words += f"{money(budget.limit_nanos)} {per}"
    return words if budget.hard else f"{words} (soft: only warns)"
