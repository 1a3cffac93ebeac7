"""What the ledger says after a world: read from the database as a stranger would."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ultrai.domain.budget import Budget, Period, Scope
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import open_database

NAME = "of-the-world"


@dataclass
class Books:
    """`posted`: nanodollars by generation id, with what was corrected, and whether they are known.

    `corrections`: by the state that came of them. `unasked`: Attempts still to be asked about.
    `unpriced`: Attempts on models whose price nobody knew, so that nothing is posted for them.
    """

    problems: list[str] = field(default_factory=list)
    held_nanos: int = 0
    posted_nanos: int = 0
    open_runs: int = 0
    posted: dict[str, tuple[int, bool]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    corrections: Counter[str] = field(default_factory=Counter)
    unasked: int = 0
    unpriced: int = 0
    unbalanced: list[str] = field(default_factory=list)


def set_budget(home: Path, limit_nanos: int | None) -> None:
    """One hard ceiling over everything; None takes it away."""
    with open_database(home / "ultrai.db", inline=True) as database:
        book = BudgetBook(database)
        if limit_nanos is None:
            book.remove(NAME)
        else:
            book.set(Budget(NAME, Scope.GLOBAL, "", Period.TOTAL, limit_nanos))


def read_books(home: Path, *, at: str, audit: bool) -> Books:
    """Wind up what dead processes left, and add everything up; `audit`: check every hash too."""
    path = home / "ultrai.db"
    books = Books()
    before = _look(path, books)
    if books.open_runs:
        with open_database(path, inline=True) as database:
            database.wind_up(at)
            if audit:
                books.problems += verify(database).problems
        books = Books(problems=books.problems)
        after = _look(path, books)
        books.unbalanced = before + after
    else:
        books.unbalanced = before
    return books


def _look(path: Path, books: Books) -> list[str]:
    """Fill in the books; what is unbalanced. In plain SQL: compiling queries takes longer."""
    connection = sqlite3.connect(path)
    try:
        sums = connection.execute(
            "SELECT coalesce(sum(posted_delta), 0), coalesce(sum(held_delta), 0),"
            " coalesce(sum(unknown_delta), 0) FROM ledger_entries"
        ).fetchone()
        books.posted_nanos, books.held_nanos = sums[:2]
        (books.open_runs,) = connection.execute("SELECT count(*) FROM open_runs").fetchone()
        for model, generation_id, posted, unknown, nanos in connection.execute(
            "SELECT model, generation_id, posted_delta, unknown_delta, cost_nanos"
            " FROM ledger_entries WHERE kind = 'settlement'"
        ):
            books.attempts[model] += 1
            books.unpriced += nanos is None
            if generation_id is not None and nanos is not None:  # its price was known
                books.posted[generation_id] = posted, not unknown
        for generation_id, posted, unknown, state in connection.execute(
            "SELECT generation_id, posted_delta, unknown_delta, cost_state"
            " FROM ledger_entries WHERE kind = 'correction'"
        ):
            books.corrections[state] += 1
            if generation_id in books.posted:
                before, known = books.posted[generation_id]
                books.posted[generation_id] = before + posted, known or unknown < 0
        (books.unasked,) = connection.execute(
            "SELECT count(*) FROM open_attempts WHERE settled"
        ).fetchone()
        balances = connection.execute(
            "SELECT budget, posted_nanos, held_nanos, unknown FROM balances WHERE counted"
        ).fetchall()
    finally:
        connection.close()
    return [
        f"budget {name} has {tuple(found)}, not {sums}"
        for name, *found in balances
        if tuple(found) != sums
    ]
