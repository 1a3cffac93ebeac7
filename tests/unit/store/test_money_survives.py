"""What becomes of steps of the ledger where something beside them, or one of them, is refused."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.store.stories import Teller, whole_run
from tests.unit.store.test_ledger import ALL, AT, do, payer, reserve, settle, start, state

from ultrai.domain.errors import StoreError
from ultrai.domain.event import EventType
from ultrai.domain.ledger import Close, Correct, Defer, Grant, Identify, Place
from ultrai.domain.outcome import Cost, CostState
from ultrai.store.audit import verify
from ultrai.store.backlog import Backlog
from ultrai.store.budget_book import BudgetBook
from ultrai.store.database import Database, open_database
from ultrai.store.open_work import read_open_attempts
from ultrai.store.orders import Order, Outcome
from ultrai.store.writer import _Overflow

BAD = "caf\udce9"  # what Python makes of a byte that is no UTF-8


def test_giving_up_events_gives_up_no_money() -> None:
    backlog = Backlog()
    for event in whole_run("run_1"):
        backlog.take_event(event)
    order = Order([Close("run_1", AT)])
    backlog.take_order(order)
    backlog.collect(everything=True)
    backlog.abandon()
    assert backlog.batch.orders == [order]
    assert not backlog.batch.runs
    assert not backlog.batch.events


def test_what_ends_while_the_disk_does_not_follow_is_not_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ultrai.store.writer.QUEUE_CAP", 100)
    other = sqlite3.connect(path, isolation_level=None)

    async def work(database: Database) -> None:
        BudgetBook(database).set(ALL)
        await database.writer.carry_out([reserve(payer(), 900)])
        other.execute("BEGIN IMMEDIATE")
        database.writer.post([Close("run_1", AT)])
        with pytest.raises(StoreError, match="locked"):
            await database.writer.flush()
        teller = Teller()
        teller.begin()
        database.writer.append(teller.events * 200)
        with pytest.raises(StoreError):
            await database.writer.flush()
        other.execute("ROLLBACK")
        await database.writer.flush()

    with open_database(path, busy_timeout_s=0.01) as database:
        asyncio.run(work(database))
        assert state(database) == (0, 0, 0)
    other.close()


def test_an_order_drained_before_the_overflow_is_answered(database: Database) -> None:
    async def work() -> Sequence[Outcome]:
        writer = database.writer
        # As the thread finds them where `append` has put the mark behind what it is taking.
        order = Order([reserve(payer(), 900)], asyncio.get_running_loop())
        assert order.future is not None
        writer._queue.extend([order, _Overflow()])
        writer._rouse()
        writer._orders_wait = True
        async with asyncio.timeout(60):
            return await order.future

    (granted,) = asyncio.run(work())
    assert isinstance(granted, Grant)


@pytest.mark.parametrize("inline", [False, True])
def test_events_that_contradict_or_cannot_be_encoded_take_no_money_with_them(
    path: Path, inline: bool
) -> None:
    async def work(database: Database) -> None:
        writer = database.writer
        BudgetBook(database).set(ALL)
        await writer.carry_out([reserve(payer(), 100), start()])
        writer.append(whole_run("run_8"))
        await writer.flush()
        writer._queue.extend(whole_run("run_8"))  # a bug: the same run again
        writer._queue.append(Order([settle(30)]))
        granted = asyncio.ensure_future(writer.carry_out([reserve(payer("run_2"), 7)]))
        with pytest.raises(StoreError, match="already holds"):
            await writer.flush()
        assert isinstance((await granted)[0], Grant)
        assert state(database) == (30, 7, 0)

        endless: list[object] = []
        endless.append(endless)
        teller = Teller("run_9")
        teller.begin()
        teller.tell(EventType.NOTICE, facts={"endless": endless})
        writer._queue.extend(teller.events)
        writer._queue.append(Order([Close("run_2", AT)]))
        with pytest.raises(StoreError):
            await writer.flush()
        assert state(database) == (30, 0, 0)

    with open_database(path, inline=inline) as database:
        asyncio.run(work(database))


def test_one_payer_whose_name_cannot_be_stored_holds_up_nobody_else(database: Database) -> None:
    async def work() -> list[Any]:
        ask = database.writer.carry_out
        await ask([reserve(payer("run_0"), 1)])
        names = {"run_1": "ann", "run_2": BAD, "run_3": "bob"}
        return await asyncio.gather(
            *(ask([reserve(payer(run, user=user), 10)]) for run, user in names.items()),
            return_exceptions=True,
        )

    BudgetBook(database).set(ALL)
    good, bad, also_good = asyncio.run(work())
    assert isinstance(good[0], Grant)
    assert isinstance(also_good[0], Grant)
    assert isinstance(bad, StoreError)
    assert "cannot hold this" in str(bad)
    assert "user" in bad.hint
    assert "permissions" not in bad.hint
    assert state(database) == (0, 21, 0)
    assert verify(database).problems == ()


def test_a_posted_step_that_cannot_be_stored_is_dropped_and_logged_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="ultrai.ledger")
    BudgetBook(database).set(ALL)
    do(database, reserve(payer(), 100), start())
    database.writer.post([Identify(Place("run_1", 0, 1), "gen-1")])
    database.writer.post([Defer(Place("run_1", 0, 1), AT, BAD)])
    database.writer.post([settle(30), Close("run_1", AT)])
    for number in range(3):
        assert isinstance(do(database, reserve(payer(f"run_a{number}"), 1))[0], Grant)
    assert state(database) == (30, 3, 0)
    (record,) = caplog.records
    assert "Defer" in record.getMessage()
    assert verify(database).problems == ()


def test_what_the_upstream_says_is_kept_as_well_as_text_can_be(database: Database) -> None:
    BudgetBook(database).set(ALL)
    place = Place("run_1", 0, 1)
    do(database, reserve(payer(), 100), start(), Identify(place, BAD + "\0"))
    unsure = {"cost": Cost(None, CostState.ESTIMATED, BAD), "outcome": "failure"}
    do(database, settle(100, provider=BAD, **unsure))
    assert read_open_attempts(database)[0].generation_id == "caf" + "\N{REPLACEMENT CHARACTER}" * 2
    do(database, Correct(place, AT, Cost(7, CostState.RECONCILED, "\0"), provider=BAD))
    assert state(database) == (7, 0, 0)


def test_a_step_that_contradicts_what_is_there_is_refused_alone(database: Database) -> None:
    async def work() -> list[Any]:
        ask = database.writer.carry_out
        runs = ("run_1", "run_2")
        return await asyncio.gather(
            *(ask([reserve(payer(run), 10)]) for run in runs), return_exceptions=True
        )

    BudgetBook(database).set(ALL)
    do(database, reserve(payer("run_1"), 5))
    twice, good = asyncio.run(work())
    assert isinstance(twice, StoreError)
    assert isinstance(good[0], Grant)
    assert state(database) == (0, 15, 0)
