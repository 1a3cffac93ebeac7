"""Reads from the ledger what monitors count. It walks over all entries: for now and then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from ultrai.domain.ledger import EntryKind
from ultrai.domain.metering import Meter, Meters
from ultrai.store.budget_book import BudgetBook
from ultrai.store.ledger_tables import ENTRIES, OPEN_ATTEMPTS

if TYPE_CHECKING:
    from ultrai.store.database import Database

_TOKENS = {
    "input": ENTRIES.c.prompt_tokens,
    "output": ENTRIES.c.completion_tokens,
    "reasoning": ENTRIES.c.reasoning_tokens,
    "cached": ENTRIES.c.cached_tokens,
}
_KINDS = (EntryKind.SETTLEMENT.value, EntryKind.CORRECTION.value)


def read_meters(database: Database, now: datetime) -> Meters:
    """The sums. Raises StoreError or SQLAlchemyError."""
    settled = ENTRIES.c.kind == EntryKind.SETTLEMENT.value
    query = (
        select(
            ENTRIES.c.model,
            ENTRIES.c.upstream,
            case((settled, ENTRIES.c.outcome), else_=None).label("ended"),
            func.sum(case((settled, 1), else_=0)),
            func.sum(ENTRIES.c.posted_delta - ENTRIES.c.unsure_delta),
            func.sum(ENTRIES.c.unsure_delta),
            func.sum(ENTRIES.c.unknown_delta),
            *(func.sum(func.coalesce(column, 0)) for column in _TOKENS.values()),
        )
        .where(ENTRIES.c.kind.in_(_KINDS))
        .group_by(ENTRIES.c.model, ENTRIES.c.upstream, "ended")
    )
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
        count = select(OPEN_ATTEMPTS.c.settled, func.count()).group_by(OPEN_ATTEMPTS.c.settled)
        still = {bool(over): int(number) for over, number in connection.execute(count)}
    budgets = BudgetBook(database).states(now) if database.is_writable else ()
    return Meters(_meters(rows), budgets, still.get(False, 0), still.get(True, 0))


def _meters(rows: Any) -> list[Meter]:
    sums: dict[tuple[str, str], list[int]] = {}
    ends: dict[tuple[str, str], dict[str, int]] = {}
    for model, upstream, ended, attempts, *figures in rows:
        who = (model or "", upstream or "")
        known = sums.setdefault(who, [0] * len(figures))
        sums[who] = [a + int(b or 0) for a, b in zip(known, figures, strict=True)]
        outcomes = ends.setdefault(who, {})
        if ended is not None:
            outcomes[ended] = outcomes.get(ended, 0) + int(attempts)
    return [
        Meter(
            model=who[0],
            upstream=who[1],
            attempts=ends[who],
            tokens=dict(zip(_TOKENS, figures[3:], strict=True)),
            cost_nanos=figures[0],
            unsure_nanos=figures[1],
            unknown=figures[2],
        )
        for who, figures in sorted(sums.items())
    ]
