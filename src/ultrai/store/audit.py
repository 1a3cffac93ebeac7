"""Checks the ledger: every hash, every number, every balance.

All of it is read as it stood at one moment, so that what is written meanwhile is no finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ultrai.domain.spending import Audit, ChainHead
from ultrai.store.balances import Balances
from ultrai.store.chain import COLUMNS, genesis, next_head
from ultrai.store.ledger_statements import compile_ledger
from ultrai.store.ledger_tables import BALANCES, CHAINS, ENTRIES, OPEN_RUNS, SEALS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ultrai.store.database import Database

_MOST_PROBLEMS = 20
_AT_ONCE = 2000
# https://www.sqlite.org/isolation.html, https://www.postgresql.org/docs/current/transaction-iso.html
_ONE_MOMENT = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
}


def verify(database: Database, kept: Iterable[ChainHead] = ()) -> Audit:
    """Recompute every chain from its entries; `kept` are heads from an earlier time."""
    problems: list[str] = []
    heads: list[ChainHead] = []
    entries = seals = 0
    with database.engine.connect() as connection:
        connection.exec_driver_sql(_ONE_MOMENT[database.engine.name])
        ends = {row.writer: row for row in connection.execute(select(CHAINS))}
        writers = set(ends) | {
            row[0] for row in connection.execute(select(ENTRIES.c.writer).distinct())
        }
        wanted = {(head.writer, head.seq): head.head for head in kept}
        for writer in sorted(writers):
            chain = _Walk(connection, writer, wanted=wanted)
            chain.walk()
            problems += chain.problems
            entries += chain.entries
            seals += chain.seals
            heads.append(ChainHead(writer, chain.seq, chain.head))
            end = ends.get(writer)
            if end is None or (end.next_seq - 1, end.head) != (chain.seq, chain.head):
                problems.append(
                    f"chain {writer} ends at entry {chain.seq}, and not where it says it ends"
                )
        problems += [f"chain {writer}: nothing is left of entry {seq}" for writer, seq in wanted]
        problems += _unbalanced(connection)
        problems += _miscounted(connection)
        connection.rollback()
    return Audit(entries, seals, tuple(heads), tuple(problems[:_MOST_PROBLEMS]))


class _Walk:
    """One writer's chain from its first entry to its last."""

    def __init__(
        self, connection: Connection, writer: str, *, wanted: dict[tuple[str, int], str]
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._wanted = wanted
        self.problems: list[str] = []
        self.entries = self.seals = self.seq = 0
        self.head = genesis(writer)

    def walk(self) -> None:
        """Go through the entries, seal by seal."""
        rows = self._rows()
        row = next(rows, None)
        for seal in self._connection.execute(
            select(SEALS).where(SEALS.c.writer == self._writer).order_by(SEALS.c.last_seq)
        ).all():
            self.seals += 1
            if seal.first_seq != self.seq + 1:
                self._complain(f"seals are missing between entries {self.seq} and {seal.first_seq}")
            while row is not None and row.seq <= seal.last_seq:
                self._take(row)
                row = next(rows, None)
            if seal.head != self.head:
                self._complain(
                    f"entries {seal.first_seq} to {seal.last_seq} are not what was sealed"
                )
                self.head = seal.head  # so that one change is told once
            self.seq = seal.last_seq
        while row is not None:
            self._complain(f"entry {row.seq} is not sealed")
            self._take(row)
            row = next(rows, None)

    def _take(self, row: Any) -> None:
        if row.seq != self.seq + 1:
            self._complain(f"entries are missing between {self.seq} and {row.seq}")
        self.entries += 1
        self.seq = row.seq
        self.head = next_head(self.head, [tuple(row)])
        kept = self._wanted.pop((self._writer, row.seq), None)
        if kept is not None and kept != self.head:
            self._complain(f"entry {row.seq} and those before it are not what they once were")

    def _complain(self, what: str) -> None:
        self.problems.append(f"chain {self._writer}: {what}")

    def _rows(self) -> Iterator[Any]:
        seq = 0
        while True:
            query = (
                select(*(ENTRIES.c[name] for name in COLUMNS))
                .where(ENTRIES.c.writer == self._writer, ENTRIES.c.seq > seq)
                .order_by(ENTRIES.c.seq)
                .limit(_AT_ONCE)
            )
            rows = self._connection.execute(query).all()
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            seq = rows[-1].seq


def _unbalanced(connection: Connection) -> list[str]:
    """Runs that are over and still hold something, or hold less than nothing."""
    held = func.sum(ENTRIES.c.held_delta)
    query = (
        select(ENTRIES.c.run_id, held)
        .where(ENTRIES.c.run_id.not_in(select(OPEN_RUNS.c.run_id)))
        .group_by(ENTRIES.c.run_id)
        .having(held != 0)
    )
    return [
        f"{run_id} is over and still holds {nanos} nanodollars"
        for run_id, nanos in connection.execute(query)
    ]


def _miscounted(connection: Connection) -> list[str]:
    """Balances, which Budgets are held by, that are not what the entries add up to."""
    cursor = connection.connection.cursor()
    counting = Balances(cursor, compile_ledger(connection.dialect))
    problems = []
    for row in connection.execute(select(BALANCES).where(BALANCES.c.counted)).all():
        budget = counting.budgets.get(row.budget)
        if budget is None:
            continue
        counted = counting.count(budget, row.period_start)
        told = (row.posted_nanos, row.held_nanos, row.unknown)
        if told != (counted.posted, counted.held, counted.unknown):
            since = f" since {row.period_start}" if row.period_start else ""
            problems.append(
                f"budget {row.budget}{since} says {row.posted_nanos} posted and {row.held_nanos} "
                f"held, the entries say {counted.posted} and {counted.held}"
            )
    cursor.close()
    return problems
