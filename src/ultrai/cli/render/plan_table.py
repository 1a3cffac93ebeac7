"""A Plan for people: who would be asked, what fits, what it may cost and how long it may take."""

from __future__ import annotations

from ultrai.cli.render.allotment import allotment
from ultrai.cli.render.palette import Style
from ultrai.cli.render.phrases import bracket, count, duration, money
from ultrai.cli.render.safety import one_line
from ultrai.cli.render.table import UNCUT, Cell, Column, Line, lay_out, paragraph
from ultrai.domain.plan import Plan, PlannedCandidate, PlannedSlot

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
    if cap_nanos is not None:
        lines.extend(paragraph(*_cap_words(plan, cap_nanos), width=width))
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


def _is_ready(candidate: PlannedCandidate) -> bool:
    return candidate.is_ready


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
        Cell(f"~{candidate.prompt_tokens:,} tok"),
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


def _cap_words(plan: Plan, cap_nanos: int) -> tuple[str, Style]:
    cap = f"cap    {money(cap_nanos)}"
    empty = [str(slot.index + 1) for slot in plan.slots if not any(map(_is_ready, slot.candidates))]
    high = plan.cost_nanos.high
    if empty:
        text = f"{cap} leaves slot {', '.join(empty)} without a usable model: 'ask' would refuse it"
    elif high is None:
        text = f"{cap}: a price is unknown, so 'ask' would refuse (exit 5)"
    elif high > cap_nanos:
        text = f"{cap} cannot hold the highest price: 'ask' would refuse (exit 5)"
    else:
        return f"{cap} holds the highest price", Style.GOOD
    return text, Style.BAD
