"""Foresees what a cost cap and the Budgets would make of a Run, by the rules that `ask` follows.

It takes the steps of `Desk` in the same order: the cap first, then every Budget that holds, each
shortage answered with less text or fewer Slots where the user allows that. It holds nothing, so
that others may spend meanwhile, and it does not look at keys.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ultrai.domain.budget import BudgetState
from ultrai.domain.errors import BudgetRefusal
from ultrai.domain.ledger import Shortage
from ultrai.domain.notice import NoticeCode
from ultrai.domain.prospect import Prospect, Verdict
from ultrai.engine.affording import (
    MOST_FITTINGS,
    fit,
    holds_of,
    is_fitting,
    refusal,
    within_cap,
)
from ultrai.engine.run import RunOrder
from ultrai.policy.budgeting import shortage_of


def foresee(
    order: RunOrder,
    states: Sequence[BudgetState],
    *,
    floor: int | None,
    declared: Collection[str],
) -> Prospect:
    """The Prospect of a Run for which these Budgets hold. `declared` are those of the settings."""
    strict = order.limits.strict
    try:
        fitted, held = _fitted(
            within_cap(order, floor=None if strict else floor),
            states,
            floor=floor,
            declared=declared,
        )
    except BudgetRefusal as error:
        return Prospect(Verdict.REFUSED, None, tuple(states), str(error), error.hint)
    notices = [each for each in fitted.plan.notices if is_fitting(each)]
    codes = {each.code for each in notices}
    verdict = Verdict.FITS
    if NoticeCode.SLOTS_DROPPED in codes:
        verdict = Verdict.FEWER_SLOTS
    elif codes:
        verdict = Verdict.SHRUNK
    message = "; ".join(each.message for each in notices)
    return Prospect(verdict, held, tuple(states), message)


def _fitted(
    order: RunOrder,
    states: Sequence[BudgetState],
    *,
    floor: int | None,
    declared: Collection[str],
) -> tuple[RunOrder, int | None]:
    """The order as it would be asked, and what it would hold. Raises BudgetRefusal."""
    fittings = 0
    while True:
        holds = holds_of(order.plan)
        wanted = _sum([hold.wanted_nanos for hold in holds])
        if _shortage(states, wanted) is None:
            return order, wanted
        least = _sum([hold.least_nanos for hold in holds])
        shortage = _shortage(states, least)
        if shortage is None:
            return order, least
        fittings, fitted = fittings + 1, None
        if shortage.needed_nanos and fittings <= MOST_FITTINGS and not order.limits.strict:
            fitted = fit(order, shortage.left_nanos, floor=floor)
        if fitted is None:
            raise refusal(order, shortage, declared=declared)
        order = fitted


def _shortage(states: Sequence[BudgetState], nanos: int | None) -> Shortage | None:
    return shortage_of(
        ((state.budget, state.posted_nanos + state.held_nanos) for state in states), nanos
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
