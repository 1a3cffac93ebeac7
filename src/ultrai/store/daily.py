"""What was spent by day and model, and what of a key is too new or not over."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from ultrai.domain.budget import Period
from ultrai.domain.drift import DailySpending
from ultrai.domain.ledger import EntryKind
from ultrai.domain.outcome import CostState
from ultrai.domain.stamp import stamp
from ultrai.policy.drifting import Kept
from ultrai.store.ledger_tables import ENTRIES, OPEN_ATTEMPTS
from ultrai.store.open_work import payer_from
from ultrai.store.spending import Wanted, conditions_of, has_tag, tags_from
from ultrai.store.spending_pace import LAG

if TYPE_CHECKING:
    from ultrai.domain.budget import BudgetState
    from ultrai.store.database import Database

# So much of a stamp tells what was spent when: minutes, hours or days.
_PARTS = {
    Period.HOUR: len("2026-11-26T10:30"),
    Period.DAY: len("2026-11-26T10:30"),
    Period.WEEK: len("2026-11-26T10"),
    Period.MONTH: len("2026-11-26T10"),
    Period.TOTAL: len("2026-11-26"),
}
_KNOWN = ENTRIES.c.posted_delta - ENTRIES.c.unsure_delta


def read_daily(database: Database, wanted: Wanted) -> list[DailySpending]:
    """By day (UTC) and model, the oldest first. Raises SQLAlchemyError."""
    settled = ENTRIES.c.kind == EntryKind.SETTLEMENT.value
    was_billed = settled & (ENTRIES.c.cost_state != CostState.NOT_BILLED.value)
    groups = [ENTRIES.c.day, ENTRIES.c.model]
    if wanted.tag is not None:
        groups.append(ENTRIES.c.tags)
    query = (
        select(
            func.sum(_KNOWN),
            func.sum(ENTRIES.c.unsure_delta),
            func.sum(ENTRIES.c.unknown_delta),
            func.sum(case((settled, 1), else_=0)),
            func.sum(case((was_billed, 1), else_=0)),
            func.sum(case((ENTRIES.c.outcome == "answer", 1), else_=0)),
            *groups,
        )
        .where(*conditions_of(wanted))
        .group_by(*groups)
    )
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
    sums: dict[tuple[str, str], list[int]] = {}
    for *figures, day, model in (row[:8] for row in rows if _is_meant(row, wanted)):
        known = sums.setdefault((day or "", model or ""), [0] * len(figures))
        sums[day or "", model or ""] = [
            a + int(b or 0) for a, b in zip(known, figures, strict=True)
        ]
    return [DailySpending(*place, *sums[place]) for place in sorted(sums)]


def read_kept(database: Database, now: datetime, *, key: str | None, upstream: str) -> Kept:
    """All that the ledger has of a key with an upstream. Raises SQLAlchemyError."""
    wanted = Wanted(key=key, upstream=upstream)
    recent = select(func.coalesce(func.sum(_KNOWN), 0)).where(
        *conditions_of(wanted), ENTRIES.c.at >= stamp(now - LAG)
    )
    still = select(OPEN_ATTEMPTS.c.payer, OPEN_ATTEMPTS.c.bound_nanos).where(
        ~OPEN_ATTEMPTS.c.settled, OPEN_ATTEMPTS.c.upstream == upstream
    )
    with database.engine.connect() as connection:
        recent_nanos = int(connection.execute(recent).scalar_one())
        under_way = connection.execute(still).all()
    in_flight = sum(
        bound or 0 for payer, bound in under_way if key is None or payer_from(payer).key == key
    )
    return Kept(read_daily(database, wanted), recent_nanos, in_flight)


def read_burn(database: Database, state: BudgetState) -> list[tuple[str, int]]:
    """What counts in a Budget's current period: beginnings of stamps, and nanodollars posted.

    The figures add up to what the Budget has posted. Raises SQLAlchemyError.
    """
    budget = state.budget
    part = func.substr(ENTRIES.c.began_at, 1, _PARTS[budget.period])
    wanted = Wanted(**{budget.scope.value: budget.subject}) if budget.subject else Wanted()
    groups = [part, *([] if wanted.tag is None else [ENTRIES.c.tags])]
    query = (
        select(func.sum(ENTRIES.c.posted_delta), *groups)
        .where(*conditions_of(wanted), ENTRIES.c.began_at >= state.since)
        .group_by(*groups)
    )
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
    sums: dict[str, int] = {}
    for nanos, text, *tags in rows:
        if wanted.tag is None or has_tag(tags_from(tags[0]), wanted.tag):
            sums[text] = sums.get(text, 0) + int(nanos or 0)
    return sorted(sums.items())


def _is_meant(row: tuple[object, ...], wanted: Wanted) -> bool:
    if wanted.tag is None:
        return True
    tags = row[8]
    return has_tag(tags_from(tags if isinstance(tags, str) else None), wanted.tag)
