"""The disk is full, the file is locked or gone: the Run goes on, and whoever waits is told."""

from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import event as sqlalchemy_event
from tests.unit.store.stories import Teller, whole_run

from ultrai.domain.errors import StoreError
from ultrai.domain.event import EventType
from ultrai.policy.health import ModelHealth
from ultrai.store import committer as committing
from ultrai.store.database import open_database
from ultrai.store.history import SqlHistory
from ultrai.store.writer import Writer


def long_run(run_id: str, size: int = 500_000):
    teller = Teller(run_id)
    teller.begin()
    teller.attempt()
    teller.answer("x" * size)
    teller.end()
    return teller.events


@pytest.mark.parametrize("inline", [False, True])
def test_a_full_disk_is_told_once_and_what_was_kept_is_written_when_there_is_room(path, inline):
    connections = []

    async def work():
        async with open_database(path, inline=inline) as database:

            @sqlalchemy_event.listens_for(database.engine, "checkout")
            def limit(connection, _record, _proxy):
                connection.execute("PRAGMA max_page_count=40")
                connections.append(connection)

            history = SqlHistory(database)
            history.append(whole_run("run_1"))
            await history.flush()
            history.append(long_run("run_2"))
            with pytest.raises(StoreError, match="the disk is full") as caught:
                await history.flush()
            assert "Free some space" in caught.value.hint
            history.append(whole_run("run_3"))  # does not raise

            connections[0].execute("PRAGMA max_page_count=100000")
            await history.flush()
            return [run.id for run in await history.list_runs(limit=9)]

    assert sorted(asyncio.run(work())) == ["run_1", "run_2", "run_3"]


def test_a_full_disk_nobody_was_told_of_is_told_when_the_database_is_closed(path):
    database = open_database(path)

    @sqlalchemy_event.listens_for(database.engine, "checkout")
    def limit(connection, _record, _proxy):
        connection.execute("PRAGMA max_page_count=20")

    SqlHistory(database).append(long_run("run_1"))

    with pytest.raises(StoreError, match="the disk is full"):
        database.close()
    database.close()  # once is enough


@pytest.mark.parametrize("inline", [False, True])
def test_what_a_flush_has_told_is_not_told_again_by_close_nor_is_lost_health(path, inline):
    other = sqlite3.connect(path, isolation_level=None)

    async def work():
        database = open_database(path, inline=inline, busy_timeout_s=0.01)
        history = SqlHistory(database)
        events = whole_run("run_1")
        other.execute("BEGIN IMMEDIATE")
        history.append(events[:-1])
        with pytest.raises(StoreError, match="locked"):
            await history.flush()
        history.append(events[-1:])  # was on its way when the Run was told
        database.writer.remember({"maker/m0": ModelHealth()})
        database.close()

    try:
        asyncio.run(work())
    finally:
        other.close()


def test_health_that_cannot_be_written_is_forgotten_quietly(path):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = open_database(path, busy_timeout_s=0.01)
    database.writer.remember({"maker/m0": ModelHealth()})
    database.close()
    other.close()


def test_another_run_that_nobody_was_told_of_is_told_by_close(path):
    other = sqlite3.connect(path, isolation_level=None)

    async def work():
        database = open_database(path, busy_timeout_s=0.01)
        history = SqlHistory(database)
        other.execute("BEGIN IMMEDIATE")
        history.append(whole_run("run_1"))
        with pytest.raises(StoreError, match="locked"):
            await history.flush()
        history.append(whole_run("run_2"))
        with pytest.raises(StoreError, match="locked"):
            database.close()

    try:
        asyncio.run(work())
    finally:
        other.close()


def test_after_a_failure_only_whoever_waits_makes_a_commit_patient(path, monkeypatch):
    monkeypatch.setattr(committing, "HASTE_MS", 3)
    waits = []
    wait = committing.Committer._wait_for_others

    def noting(self, connection, *, hasty):
        wait(self, connection, hasty=hasty)
        cursor = connection.cursor()
        waits.append(cursor.execute("PRAGMA busy_timeout").fetchone()[0])
        cursor.close()

    monkeypatch.setattr(committing.Committer, "_wait_for_others", noting)
    other = sqlite3.connect(path, isolation_level=None)

    async def work():
        database = open_database(path, inline=True, busy_timeout_s=0.01)
        history = SqlHistory(database)
        other.execute("BEGIN IMMEDIATE")
        history.append(whole_run("run_1"))
        for _ in range(2):
            with pytest.raises(StoreError, match="locked"):
                await history.flush()
        database.close()

    try:
        asyncio.run(work())
    finally:
        other.close()
    assert waits[0] == 10
    assert waits[-2:] == [10, 3]


def test_a_database_locked_for_too_long_is_told_and_used_again_when_it_is_free(path):
    other = sqlite3.connect(path, isolation_level=None)

    async def work():
        async with open_database(path, busy_timeout_s=0.01) as database:
            history = SqlHistory(database)
            other.execute("BEGIN IMMEDIATE")
            history.append(whole_run("run_1"))
            with pytest.raises(StoreError, match="locked"):
                await history.flush()
            other.execute("ROLLBACK")
            await history.flush()
            return await history.load_report("run_1")

    try:
        assert asyncio.run(work()).id == "run_1"
    finally:
        other.close()


def test_a_database_that_was_deleted_is_told_and_not_mistaken_for_a_success(path):
    async def work():
        async with open_database(path) as database:
            history = SqlHistory(database)
            events = long_run("run_1")
            history.append(events[:2])
            await history.flush()
            path.unlink()
            history.append(events[2:3])
            with pytest.raises(StoreError, match="was removed"):
                await history.flush()
            history.append(events[3:])
            with pytest.raises(StoreError):
                await history.flush()

    asyncio.run(work())


def test_a_second_run_of_the_same_id_is_an_error_and_does_not_stop_later_runs(history):
    async def work():
        history.append(whole_run("run_1"))
        await history.flush()
        history.append(whole_run("run_1"))
        with pytest.raises(StoreError, match="already holds"):
            await history.flush()
        history.append(whole_run("run_2"))
        await history.flush()

    asyncio.run(work())


def test_events_that_cannot_be_encoded_are_an_error_and_do_not_stop_later_runs(history):
    async def work():
        teller = Teller("run_1")
        teller.begin()
        endless: list[object] = []
        endless.append(endless)
        teller.tell(EventType.NOTICE, facts={"endless": endless})
        history.append(teller.events)
        with pytest.raises(StoreError):
            await history.flush()
        history.append(whole_run("run_2"))
        await history.flush()

    asyncio.run(work())


def test_events_of_a_run_that_was_never_begun_are_refused(history):
    async def work():
        history.append(whole_run("run_1")[2:])
        with pytest.raises(StoreError, match="could not follow"):
            await history.flush()
        await history.flush()  # nothing more was lost

    asyncio.run(work())


class StuckCommitter:
    """A disk that takes its time."""

    def __init__(self):
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.batches = []

    def commit(self, batch, *, hasty=False):
        self.began.set()
        assert self.may_end.wait(60)
        self.batches.append(batch)

    def close(self):
        self.may_end.set()


def test_when_the_disk_does_not_follow_memory_stays_bounded_and_runs_are_told(path, monkeypatch):
    monkeypatch.setattr("ultrai.store.writer.QUEUE_CAP", 100)
    committer = StuckCommitter()

    async def work():
        writer = Writer(committer, path)
        teller = Teller()
        teller.begin()
        teller.attempt()
        writer.append(teller.events)
        await asyncio.to_thread(committer.began.wait, 60)
        waiting = asyncio.ensure_future(writer.flush())
        await asyncio.sleep(0)
        for _ in range(1000):
            teller.text("word ")
            writer.append(teller.events[-1:])
            assert len(writer._queue) <= 102
        committer.may_end.set()
        with pytest.raises(StoreError, match="could not follow"):
            await waiting
        writer.append([teller.tell(EventType.FIRST_TOKEN, slot=0, attempt=1)])
        with pytest.raises(StoreError, match="could not follow"):
            await writer.flush()
        writer.close()

    asyncio.run(work())
    assert [len(batch.runs) for batch in committer.batches] == [1]


def test_many_runs_share_a_transaction(path):
    committer = StuckCommitter()

    async def work():
        writer = Writer(committer, path)
        writer.append(whole_run("run_0"))
        await asyncio.to_thread(committer.began.wait, 60)
        async with asyncio.TaskGroup() as tasks:
            for number in range(1, 51):
                writer.append(whole_run(f"run_{number}"))
                tasks.create_task(writer.flush())
            await asyncio.sleep(0)
            committer.may_end.set()
        writer.close()

    asyncio.run(work())
    assert [len(batch.runs) for batch in committer.batches] == [1, 50]


def test_a_cancelled_flush_leaves_the_writer_alone(path):
    committer = StuckCommitter()

    async def work():
        writer = Writer(committer, path)
        writer.append(whole_run("run_0"))
        flush = asyncio.ensure_future(writer.flush())
        await asyncio.to_thread(committer.began.wait, 60)
        flush.cancel()
        committer.may_end.set()
        await writer.flush()
        writer.close()

    asyncio.run(work())
    assert len(committer.batches) == 1
