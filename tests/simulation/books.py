"""What the ledger says after a world: read from the database as a stranger would."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from ultrai.domain.budget import Budget, Period, Scope
from ultrai.domain.ledger import EntryKind
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_database
from ultrai.store.ledger_tables import BALANCES, ENTRIES, OPEN_ATTEMPTS, OPEN_RUNS

NAME = "of-the-world"


@dataclass
class Books:
    """`posted`: nanodollars by generation id, and whether they are known."""

    problems: list[str] = field(default_factory=list)
    held_nanos: int = 0
    posted_nanos: int = 0
    open_runs: int = 0
    posted: dict[str, tuple[int, bool]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    unbalanced: list[str] = field(default_factory=list)


def set_budget(home: Path, limit_nanos: int | None) -> None:
    """One hard ceiling over everything; None takes it away."""
    with open_database(home / "ultrai.db", inline=True) as database:
        book = BudgetBook(database)
        if limit_nanos is None:
            book.remove(NAME)
        else:
            book.set(Budget(NAME, Scope.GLOBAL, "", Period.TOTAL, limit_nanos))


def read_books(home: Path, *, at: str) -> Books:
    """Wind up what dead processes left, and add everything up."""
    with open_database(home / "ultrai.db", inline=True) as database:
        before = _unbalanced(database)
        database.wind_up(at)
        books = _read(database)
        books.unbalanced = before + _unbalanced(database)
        return books


def _read(database: Database) -> Books:
    books = Books(problems=list(verify(database).problems))
    with database.engine.connect() as connection:
        totals = connection.execute(
            select(func.sum(ENTRIES.c.held_delta), func.sum(ENTRIES.c.posted_delta))
        ).one()
        books.held_nanos, books.posted_nanos = (int(total or 0) for total in totals)
        books.open_runs = len(connection.execute(select(OPEN_RUNS.c.run_id)).all())
        for row in connection.execute(
            select(ENTRIES).where(ENTRIES.c.kind == EntryKind.SETTLEMENT.value)
        ):
            books.attempts[row.model] += 1
            if row.generation_id is not None:
                books.posted[row.generation_id] = row.posted_delta, not row.unknown_delta
        for row in connection.execute(
            select(OPEN_ATTEMPTS).where(OPEN_ATTEMPTS.c.settled.is_(False))
        ):
            books.problems.append(f"attempt {row.slot}.{row.attempt} of {row.run_id} is unsettled")
    return books


def _unbalanced(database: Database) -> list[str]:
    """Balances that are not what the entries add up to."""
    with database.engine.connect() as connection:
        found = connection.execute(select(BALANCES)).all()
        sums = connection.execute(
            select(
                func.sum(ENTRIES.c.posted_delta),
                func.sum(ENTRIES.c.held_delta),
                func.sum(ENTRIES.c.unknown_delta),
            )
        ).one()
    wanted = tuple(int(each or 0) for each in sums)
    return [
        f"budget {row.budget} has {(row.posted_nanos, row.held_nanos, row.unknown)}, not {wanted}"
        for row in found
        if row.counted and (row.posted_nanos, row.held_nanos, row.unknown) != wanted
    ]
