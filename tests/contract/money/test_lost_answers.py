"""T17: a COMMIT or the answer to it was lost. Nothing counts twice, nothing stays held."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.contract.money.proxy import CuttingProxy
from tests.contract.money.servers import empty
from tests.unit.store.stories import whole_run
from tests.unit.store.test_ledger import ALL, AT, payer, state

from ultrai.domain.errors import StoreError
from ultrai.domain.ledger import SlotHold
from ultrai.domain.outcome import Cost, CostState, Usage
from ultrai.engine.treasury import Bill, Claim, Envelope
from ultrai.store.audit import verify
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_database, open_server
from ultrai.store.history import SqlHistory
from ultrai.store.ledger import SqlLedger
from ultrai.store.ledger_tables import OPEN_ATTEMPTS, OPEN_RUNS

COSTS = {1: 100, 2: 50}  # of the first slot's attempts
BOUND = 300
MOST_COMMITS = 30  # of one story


class LosingConnection:
    """A connection to SQLite whose COMMIT raises, before or after it, if it is the chosen one."""

    def __init__(self, connection: Any, counter: LosingFile) -> None:
        self._connection = connection
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        self._counter.commits += 1
        is_lost = self._counter.commits == self._counter.lose
        if self._counter.arrives or not is_lost:
            self._connection.commit()
        if is_lost:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)


class LosingFile:
    """Does to the writer of a file what `CuttingProxy` does to a server's client."""

    def __init__(self, lose: int | None, *, arrives: bool) -> None:
        self.lose = lose
        self.arrives = arrives
        self.commits = 0

    def open(self, path: Path) -> Database:
        database = open_database(path)
        committer = database.writer._committer
        connect = committer._connect

        def connected() -> Any:
            committer._connection = LosingConnection(connect(), self)
            return committer._connection

        committer._connect = connected
        return database


async def settled(database: Database) -> None:
    """All that was posted is in the database."""
    for _ in range(3):
        try:
            await database.writer.flush()
        except StoreError:
            continue
        return
    pytest.fail("the database was there again, and nothing was written")


@dataclass
class Told:
    """What a Run was allowed to send, what that cost, and whether the ledger was told of it."""

    spent: int = 0
    was_recorded: bool = False


async def tell(database: Database, check: Database) -> Told:
    """One run with two slots, three attempts at most; its Events are another run's."""
    envelope = Envelope(None, SqlLedger(database), payer=payer(), now=lambda: AT)
    SqlHistory(database).append(whole_run("run_0"))
    told = Told()
    try:
        opened = await envelope.open([SlotHold(0, BOUND, BOUND), SlotHold(1, BOUND, BOUND)])
    except StoreError:
        return told
    told.was_recorded = not isinstance(opened, StoreError)
    await settled(database)
    for number, nanos in COSTS.items():
        if await envelope.reserve(Claim(0, number, "a/b", "openrouter", BOUND)) is not None:
            continue
        envelope.identify(f"gen-{number}", slot=0, number=number)
        await settled(database)
        outcome = "answer" if number == len(COSTS) else "failure"
        cost = Cost(nanos, CostState.REPORTED, str(nanos))
        envelope.settle(0, number, bill=Bill(outcome, cost, nanos, Usage(10, 5, 0, 0)))
        told.spent += nanos
        await settled(database)
    for slot in (0, 1):
        envelope.close_slot(slot)
        await settled(database)
    if told.was_recorded:
        assert state(check) == (told.spent, 0, 0)
    envelope.close()
    return told


def run_story(open_losing: Callable[[], Database], check: Database) -> None:
    """Tell it, and look at what it left behind."""

    async def whole() -> Told:
        database = open_losing()
        try:
            told = await tell(database, check)
            await settled(database)
        finally:
            database.close()
        return told

    told = asyncio.run(whole())
    assert state(check) == (told.spent if told.was_recorded else 0, 0, 0)
    with check.engine.connect() as connection:
        for table in (OPEN_RUNS, OPEN_ATTEMPTS):
            left = connection.execute(select(func.count()).select_from(table)).scalar_one()
            assert left == 0, table.name
    assert verify(check).problems == ()
    assert asyncio.run(SqlHistory(check).load_report("run_0")).status == "complete"


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("arrives", [True, False])
def test_on_sqlite_every_commit_may_be_lost_once(tmp_path: Path, hard: bool, arrives: bool) -> None:
    lose = 0
    while lose < MOST_COMMITS:
        path = tmp_path / f"{lose}.db"
        counter = LosingFile(lose or None, arrives=arrives)
        with open_database(path) as check:
            BudgetBook(check).set(replace(ALL, hard=hard))
            run_story(lambda counter=counter, path=path: counter.open(path), check)
        if lose and counter.commits < lose:
            break
        lose += 1
    assert 8 < lose < MOST_COMMITS


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("arrives", [True, False])
def test_on_postgresql_the_line_may_be_cut_at_every_commit(
    address: str, hard: bool, arrives: bool
) -> None:
    lose = 0
    while lose < MOST_COMMITS:
        empty(address)
        with open_server(address) as check, CuttingProxy(address, arrives=arrives) as proxy:
            BudgetBook(check).set(replace(ALL, hard=hard))

            def opened(proxy: CuttingProxy = proxy, lose: int = lose) -> Database:
                database = open_server(proxy.address)
                proxy.commits, proxy.lose = 0, lose or None
                return database

            run_story(opened, check)
        if lose and proxy.commits < lose:
            break
        lose += 1
    assert 8 < lose < MOST_COMMITS
