"""The same ledger on a real PostgreSQL: every test that the embedded one passes, and storms."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.contract.money.storm import storm
from tests.unit.store import test_ledger
from tests.unit.store.test_ledger import ALL, do, payer, reserve, settle, start, state

from ultrai.domain.budget import Budget, Period, Scope
from ultrai.domain.errors import StoreError
from ultrai.domain.ledger import Close, Grant, Step
from ultrai.store.audit import verify
from ultrai.store.balances import Balances
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_server
from ultrai.store.history import SqlHistory
from ultrai.store.open_work import Staff
from ultrai.store.teller import Teller

# What needs a file of its own, or looks inside a file's lock, is done below in its own way.
_ELSEWHERE = {"path", "fresh_file", "tmp_path_factory"}
for _name, _test in inspect.getmembers(test_ledger, inspect.isfunction):
    if _name.startswith("test_") and not _ELSEWHERE & set(inspect.signature(_test).parameters):
        globals()[_name] = _test


def test_what_a_dead_session_left_is_wound_up(address: str, database: Database) -> None:
    BudgetBook(database).set(ALL)
    with open_server(address) as other:
        do(other, reserve(payer(), 100, 200), start(slot=0))
        assert database.wind_up(test_ledger.AT) == 0, "it lives"
        other.writer._committer._owner.release()
        assert database.wind_up(test_ledger.AT) == 1
        assert state(database) == (100, 0, 1)
        do(other, settle(30))
    assert state(database) == (30, 0, 0)
    assert verify(database).problems == ()


def test_two_processes_share_a_budget(address: str, database: Database) -> None:
    BudgetBook(database).set(ALL)
    with open_server(address) as other:
        do(other, reserve(payer("run_0"), 600))
        assert not isinstance(do(database, reserve(payer(), 500))[0], Grant)
        do(other, Close("run_0", test_ledger.AT))
        assert isinstance(do(database, reserve(payer(), 500))[0], Grant)


def test_a_connection_that_breaks_is_made_anew(database: Database) -> None:
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100))
    with database.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        connection.commit()
    with pytest.raises(StoreError):
        do(database, reserve(payer("run_2"), 100))
    assert isinstance(do(database, reserve(payer("run_3"), 100))[0], Grant)
    database.wind_up(test_ledger.AT)
    assert state(database) == (0, 100, 0), "the first one's session was gone: wound up"


def test_whoever_works_on_the_ledger_takes_turns(
    address: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One winds up a dead run of `late` and reserves under `early`, the other under both."""
    book = BudgetBook(database)
    for name in ("early", "late"):
        book.set(Budget(name, Scope.TAG, f"{name}=x", Period.TOTAL, 1000))
    both = {"early": "x", "late": "x"}
    meeting, together = threading.Barrier(2), []
    locked = Balances._locked

    def slowly(self: Balances, *arguments: Any) -> Any:
        balance = locked(self, *arguments)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)
            together.append(self)  # each has a row that the other will wait for
        return balance

    with (
        ThreadPoolExecutor(2) as pool,
        open_server(address) as first,
        open_server(address) as second,
    ):
        do(second, reserve(payer("run_9"), 10))  # it has looked for the dead before there were any
        with open_server(address) as dead:
            do(dead, reserve(payer("run_0", tags={"late": "x"}), 10))
        monkeypatch.setattr(Balances, "_locked", slowly)
        works = [
            pool.submit(do, first, reserve(payer("run_1", tags={"early": "x"}), 10)),
            pool.submit(do, second, reserve(payer("run_2", tags=both), 10)),
        ]
        assert all(isinstance(work.result()[0], Grant) for work in works)
    assert together == []
    for name, held in (("early", 20), ("late", 10)):
        assert state(database, name) == (0, held, 0)


def test_what_the_server_ends_for_anothers_sake_is_tried_once_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    BudgetBook(database).set(ALL)
    work, tried = Teller._work, []

    def colliding(self: Teller, cursor: Any, steps: Sequence[Step]) -> Any:
        tried.append(steps)
        if len(tried) in (1, 3):
            state = "40P01" if len(tried) == 1 else "40001"
            cursor.execute(f"DO $$ BEGIN RAISE 'for another' USING ERRCODE = '{state}'; END $$")
        return work(self, cursor, steps)

    monkeypatch.setattr(Teller, "_work", colliding)
    assert isinstance(do(database, reserve(payer(), 100))[0], Grant)
    teller = Teller(database.engine.dialect, Staff(lambda: "other", database.is_alive))
    database.transact(lambda cursor: teller.work(cursor, [Close("run_1", test_ledger.AT)]))
    assert len(tried) == 4
    assert state(database) == (0, 0, 0)


def test_whoever_is_frozen_with_the_ledger_in_hand_loses_it_before_others_lose_patience(
    database: Database,
) -> None:
    def limit(name: str) -> str:
        def show(cursor: Any) -> str:
            cursor.execute(f"SHOW {name}")
            return str(cursor.fetchone()[0])

        return database.transact(show)

    assert limit("idle_in_transaction_session_timeout") == "5s"
    assert limit("lock_timeout") == "10s"


def test_runs_are_stored_there_too(database: Database) -> None:
    from tests.unit.store.stories import whole_run

    history = SqlHistory(database)

    async def keep() -> None:
        history.append(whole_run("run_1"))
        await history.flush()

    asyncio.run(keep())
    (run,) = asyncio.run(history.list_runs(limit=5))
    report = asyncio.run(history.load_report(run.id))
    assert report.status is run.status
    assert asyncio.run(history.list_runs(limit=5, containing=run.prompt[:5].upper()))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:canary@127.0.0.1:1/none",
        "postgresql://127.0.0.1:1/none?user=me&password=canary",
        "postgresql://me:xx/xx@canary@127.0.0.1:1/none",
        "postgresql:///none?host=/nowhere&password=canary",
    ],
)
def test_an_address_that_leads_nowhere_is_one_line_without_its_password(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        open_server(address)
    told = f"{caught.value} {caught.value.hint}"
    assert "canary" not in told
    assert "\n" not in told
    assert "database" in told


@pytest.mark.parametrize(("seed", "kills"), [(0, 0), (1, 4)])
def test_a_budget_is_never_exceeded_there_either(
    tmp_path: Path, address: str, seed: int, kills: int
) -> None:
    outcome = storm(tmp_path, runs=800, kills=kills, seed=seed, server=address)
    assert outcome.problems == []
    assert outcome.looks > 10
    assert outcome.posted_units <= outcome.limit_units
    assert outcome.usable >= 0.99
