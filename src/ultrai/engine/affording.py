"""Whether a Plan can be paid, and what is made of one that cannot: less text, fewer Slots.

Theory of operation. What a Run must hold at the least is the sum of its Slots' first bounds. Where
that passes the cost cap or what a Budget leaves, `max_tokens` is lowered, as far down as the user
allows with `shrink_floor_tokens`; then the last Slots are left out, as far as the user's quorum
allows; each with a Notice. Without such a permission nothing is changed and the Run is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from ultrai.domain.budget import Period
from ultrai.domain.catalog import Catalog
from ultrai.domain.errors import BudgetRefusal
from ultrai.domain.ledger import RefusalReason, Shortage, SlotHold
from ultrai.domain.money import format_usd
from ultrai.domain.notice import Notice, NoticeCode
from ultrai.domain.plan import NotReadyReason, Plan, PlannedCandidate, PlannedSlot
from ultrai.engine.run import RunOrder
from ultrai.engine.treasury import shortage_message
from ultrai.policy.budgeting import sufficient_limit_nanos

MOST_FITTINGS = 4  # others may spend what is left while a Plan is made to fit it
_FITTINGS = (NoticeCode.MAX_TOKENS_REDUCED, NoticeCode.SLOTS_DROPPED)


def check_prices(order: RunOrder) -> None:
    """Raise BudgetRefusal where a cost cap is set and a Slot rests on an unknown price."""
    if order.limits.max_cost_nanos is None:
        return
    for slot in order.plan.slots:
        for candidate in slot.candidates:
            if _lacks_price(candidate, slot, catalog=order.catalog):
                raise BudgetRefusal(
                    f"no price of {candidate.model} is known, so a cost cap cannot be kept; "
                    "nothing was sent",
                    hint="leave --max-cost out, or ask a model with a listed price",
                )


def within_cap(order: RunOrder, *, floor: int | None) -> RunOrder:
    """The order, made to fit its cost cap where the user allows that; else BudgetRefusal."""
    check_prices(order)
    cap = order.limits.max_cost_nanos
    needed = needed_nanos(order.plan)
    if cap is None or needed <= cap:
        return order
    fitted = fit(order, cap, floor=floor)
    if fitted is None:
        raise BudgetRefusal(
            f"the worst case of this run is ${format_usd(needed)}, over the cap of "
            f"${format_usd(cap)}; nothing was sent",
            hint=f"allow --max-cost {format_usd(needed)}, or lower --max-tokens",
        )
    return fitted


def refusal(
    order: RunOrder, shortage: Shortage, *, declared: Collection[str] = ()
) -> BudgetRefusal:
    """What to raise when a Budget leaves too little for a Run. `declared`: those of the settings.

    The hint is one thing to do that is enough, to be copied as it stands.
    """
    message = shortage_message(shortage, _who_lacks_price(order) or "this run")
    budget = shortage.budget
    if shortage.reason is RefusalReason.CLOSED:
        limit = format_usd(budget.limit_nanos)
        hint = f"look into it, then open it again: `ultrai budget set {budget.name} {limit}`"
    elif shortage.reason is RefusalReason.PRICE_UNKNOWN:
        hint = "ask a model whose price is listed: `ultrai models`"
    else:
        limit = format_usd(sufficient_limit_nanos(shortage))
        hint = f"`ultrai budget set {budget.name} {limit}` is enough"
        if budget.name in declared:
            hint = f"limit_usd = {limit} under [budgets.{budget.name}] in the settings is enough"
        if budget.period not in (Period.RUN, Period.TOTAL):
            hint += f"; or wait for the next {budget.period.value}"
    return BudgetRefusal(f"{message}; nothing was sent", hint=hint, budget=budget.name)


def fit(order: RunOrder, left_nanos: int, *, floor: int | None) -> RunOrder | None:
    """The order with less text, then with fewer Slots, so that it costs no more; None: no way."""
    wanted = order.query.sampling.max_tokens
    least = wanted if floor is None else min(floor, wanted)
    smallest = _with_tokens(order, least)
    if needed_nanos(smallest.plan) <= left_nanos:
        return _with_most_tokens(order, left_nanos, least=least)
    quorum = order.limits.quorum or len(order.plan.slots)
    for count in range(len(order.plan.slots) - 1, quorum - 1, -1):
        fewer = _with_slots(smallest, count)
        if needed_nanos(fewer.plan) <= left_nanos:
            return fewer
    return None


def is_fitting(notice: Notice) -> bool:
    """Whether it tells how an order was made to fit."""
    return notice.code in _FITTINGS


def needed_nanos(plan: Plan) -> int:
    """What a Run must hold at the least before anything is sent."""
    summary = 0 if plan.summary is None else plan.summary.cost_nanos.high or 0
    return summary + sum(s.first.bound_nanos or 0 for s in plan.slots if s.first is not None)


def holds_of(plan: Plan) -> tuple[SlotHold, ...]:
    """What each Slot wants to hold and what it must; a summary holds each of its requests."""
    parts = () if plan.summary is None else plan.summary.parts
    firsts = [(part.slot.index, part.slot.candidates[0].bound_nanos) for part in parts]
    return tuple(
        SlotHold(
            slot=slot.index,
            wanted_nanos=slot.dearest_nanos,
            least_nanos=0 if slot.first is None else slot.first.bound_nanos,
        )
        for slot in plan.slots
    ) + tuple(SlotHold(slot=seat, wanted_nanos=most, least_nanos=most) for seat, most in firsts)


def _with_most_tokens(order: RunOrder, left_nanos: int, *, least: int) -> RunOrder:
    low, high = least, order.query.sampling.max_tokens
    while low < high:
        middle = (low + high + 1) // 2
        if needed_nanos(order.replan(middle)) <= left_nanos:
            low = middle
        else:
            high = middle - 1
    return _with_tokens(order, low)


def _with_tokens(order: RunOrder, max_tokens: int) -> RunOrder:
    wanted = order.query.sampling.max_tokens
    if max_tokens == wanted:
        return order
    notice = Notice(
        NoticeCode.MAX_TOKENS_REDUCED,
        f"max_tokens is {max_tokens} instead of {wanted}, to stay within the budget",
    )
    return replace(
        order,
        plan=_noted(order, order.replan(max_tokens), notice=notice),
        query=order.query.with_tokens(max_tokens),
    )


def _with_slots(order: RunOrder, count: int) -> RunOrder:
    """Planned anew: which Backups the cap has room for depends on the Slots that are left."""
    names = ", ".join(slot.primary for slot in order.plan.slots[count:])
    notice = Notice(NoticeCode.SLOTS_DROPPED, f"not asked, to stay within the budget: {names}")
    replan = partial(order.replan, slots=count)
    plan = _noted(order, replan(order.query.sampling.max_tokens), notice=notice)
    return replace(order, plan=plan, replan=replan)


def _noted(order: RunOrder, plan: Plan, *, notice: Notice) -> Plan:
    """The new Plan with a Notice, and with those that tell how the order was fitted before."""
    earlier = [each for each in order.plan.notices if each.code in _FITTINGS]
    return replace(plan, notices=(*plan.notices, *earlier, notice))


def _who_lacks_price(order: RunOrder) -> str | None:
    for slot in order.plan.slots:
        if slot.first is not None and slot.first.bound_nanos is None:
            return slot.first.model
    return None


def _lacks_price(candidate: PlannedCandidate, slot: PlannedSlot, *, catalog: Catalog) -> bool:
    """Whether the Slot rests on a Candidate whose price nobody knows."""
    verdict = candidate.not_ready
    if verdict is None:
        return not catalog.knows(candidate.upstream)
    alone = not any(each.is_usable for each in slot.candidates)
    return alone and verdict.reason is NotReadyReason.PRICE_UNKNOWN
