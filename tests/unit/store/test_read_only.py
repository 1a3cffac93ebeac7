"""A home that cannot be written is still read, and a Run in it is told that it is not stored."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError
from tests.unit.store.stories import whole_run

from ultrai.domain.errors import StoreError
from ultrai.policy.health import ModelHealth
from ultrai.store import database as database_module
from ultrai.store.database import open_database
from ultrai.store.failures import explain
from ultrai.store.history import SqlHistory


@pytest.fixture
def stored(path):
    """A database with one Run."""
    with open_database(path) as database:
        SqlHistory(database).append(whole_run("run_1"))
    return path


@pytest.fixture(params=[errno.EROFS, errno.EACCES, errno.ENOSPC])
def refusing(request, monkeypatch, stored):  # after `stored`, which must be written
    """A disk that lets no file be opened for writing; whoever runs the tests may be root."""
    really_open = os.open

    def refuse(path, flags, *rest, **options):
        if flags & os.O_RDWR:
            raise OSError(request.param, os.strerror(request.param), str(path))
        return really_open(path, flags, *rest, **options)

    monkeypatch.setattr(database_module.os, "open", refuse)


@pytest.fixture
def no_files_beside(monkeypatch):
    """A directory where SQLite can make no shared memory, unless it is told it needs none."""
    really_current = database_module.is_current

    def current(engine, path):
        if "immutable" not in engine.url.query:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise OperationalError("SELECT", {}, error)
        return really_current(engine, path)

    monkeypatch.setattr(database_module, "is_current", current)


async def list_and_show(path):
    async with open_database(path) as database:
        history = SqlHistory(database)
        runs = await history.list_runs(limit=9)
        return [run.id for run in runs], (await history.load_report("run_1")).id


@pytest.mark.usefixtures("refusing")
def test_what_is_stored_can_be_read_where_nothing_can_be_written(stored):
    before = stored.read_bytes()

    assert asyncio.run(list_and_show(stored)) == (["run_1"], "run_1")
    assert stored.read_bytes() == before


@pytest.mark.usefixtures("refusing", "no_files_beside")
def test_what_is_stored_can_be_read_where_no_file_can_be_made_beside_it(stored):
    assert asyncio.run(list_and_show(stored)) == (["run_1"], "run_1")


@pytest.mark.usefixtures("refusing")
def test_a_run_in_a_home_that_cannot_be_written_is_told_once_and_health_is_forgotten(stored):
    async def work():
        database = open_database(stored)
        history = SqlHistory(database)
        history.append(whole_run("run_2"))
        with pytest.raises(StoreError, match="the history cannot be written: the database"):
            await history.flush()
        database.writer.remember({"maker/m0": ModelHealth()})
        database.close()

    asyncio.run(work())


@pytest.mark.usefixtures("refusing")
def test_events_that_no_flush_spoke_of_are_told_when_it_is_closed(stored):
    database = open_database(stored)
    SqlHistory(database).append(whole_run("run_2"))

    with pytest.raises(StoreError, match="the history cannot be written"):
        database.close()
    database.close()


@pytest.mark.usefixtures("refusing")
def test_a_missing_database_where_nothing_can_be_written_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        open_database(tmp_path / "ultrai.db")
    assert not (tmp_path / "ultrai.db").exists()


@pytest.mark.usefixtures("refusing")
def test_a_database_that_needs_new_tables_and_cannot_be_written_is_an_error(tmp_path):
    path = tmp_path / "ultrai.db"
    path.touch()

    with pytest.raises(StoreError, match="cannot be used"):
        open_database(path)


def sqlite_error(code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return OperationalError("SELECT", {}, error)


@pytest.mark.parametrize(
    ("code", "free", "reason"),
    [
        (sqlite3.SQLITE_IOERR_SHMSIZE, 10**9, "the disk is full"),
        (sqlite3.SQLITE_IOERR_WRITE, 0, "the disk is full"),
        (sqlite3.SQLITE_IOERR_WRITE, 10**9, "the disk reports an error"),
        (sqlite3.SQLITE_IOERR_READ, 10**9, "the disk reports an error"),
    ],
)
def test_an_error_of_a_full_disk_is_called_so(tmp_path, monkeypatch, code, free, reason):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    assert reason in str(explain(sqlite_error(code), tmp_path / "ultrai.db"))


def test_a_file_that_finds_no_space_is_called_a_full_disk(tmp_path):
    error = OSError(errno.ENOSPC, "No space left on device")

    assert "the disk is full" in str(explain(error, tmp_path / "ultrai.db"))
