from __future__ import annotations

import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from ultrai.domain.errors import StoreError
from ultrai.store import schema
from ultrai.store.access_tables import ACCESS_KEYS
from ultrai.store.alert_tables import MARKS
from ultrai.store.database import open_database
from ultrai.store.locks import exclusively
from ultrai.store.statements import compile_statements
from ultrai.store.tables import METADATA


def test_the_home_and_the_file_are_made_for_their_owner_only(tmp_path):
    path = tmp_path / "a" / "ultrai.db"
    open_database(path).close()

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_commits_go_to_a_write_ahead_log_and_outlive_a_power_cut(database):
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    asyncio.run(database.writer.flush())
    cursor = database.writer._committer._connect().cursor()
    assert cursor.execute("PRAGMA synchronous").fetchone() == (2,)


def test_the_migrations_build_exactly_the_tables_of_the_code(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_the_code_knows_every_revision_in_order():
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    revisions = [r.revision for r in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(revisions)) == schema.REVISIONS


def test_the_tables_and_statements_can_be_said_in_postgresql():
    dialect = postgresql.dialect()
    assert {MARKS, ACCESS_KEYS} <= set(METADATA.sorted_tables)
    for table in METADATA.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    assert "%(run_id)s" in compile_statements(dialect).insert_events


def test_opening_a_current_database_imports_no_alembic(path):
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]; from pathlib import Path;"
        "from ultrai.store.database import open_database;"
        "open_database(Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, path, *sys.path]
    assert subprocess.run(command, check=False).returncode == 0


def test_a_newer_database_is_refused_in_one_line_and_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="newer UltrAI") as caught:
        open_database(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (x)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="another program"):
        open_database(path)

    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path):
    path = tmp_path / "ultrai.db"
    path.write_text("my shopping list\n" * 100)

    with pytest.raises(StoreError, match="not a database") as caught:
        open_database(path)

    assert str(path) in str(caught.value)
    assert path.read_text() == "my shopping list\n" * 100


def test_a_damaged_database_is_named_and_left_alone(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    before = path.read_bytes()

    with pytest.raises(StoreError, match=r"ultrai\.db cannot be used"):
        open_database(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["file/ultrai.db", "directory"])
def test_a_path_that_cannot_be_a_file_is_an_error_with_a_hint(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()

    with pytest.raises(StoreError, match=place) as caught:
        open_database(tmp_path / place)

    assert "ULTRAI_HOME" in caught.value.hint


def test_of_two_who_open_a_new_database_at_once_one_makes_the_tables(tmp_path, monkeypatch):
    path = tmp_path / "ultrai.db"
    upgrade, exclusively = schema._upgrade, schema.exclusively
    upgrading, second_waits = threading.Event(), threading.Event()
    upgrades = []

    def upgrade_when_both_are_here(connection):
        upgrades.append(connection)
        upgrading.set()
        assert second_waits.wait(60)
        upgrade(connection)

    def noting_the_second(database, *, patience_s):
        if upgrading.is_set():
            second_waits.set()
        return exclusively(database, patience_s=60)

    monkeypatch.setattr(schema, "_upgrade", upgrade_when_both_are_here)
    monkeypatch.setattr(schema, "exclusively", noting_the_second)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(open_database, path)
        assert upgrading.wait(60)
        second = pool.submit(open_database, path)
        first.result().close()
        second.result().close()

    assert len(upgrades) == 1


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "ultrai.db"
    upgrade = schema._upgrade

    def upgrade_and_die(connection):
        upgrade(connection)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(schema, "_upgrade", upgrade_and_die)
    with pytest.raises(StoreError, match="the disk is full"):
        open_database(path)
    monkeypatch.undo()

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name FROM sqlite_master").all() == []
    engine.dispose()
    open_database(path).close()


def test_a_database_that_another_process_sets_up_is_not_waited_for_for_ever(tmp_path):
    path = tmp_path / "ultrai.db"

    with (
        exclusively(path),
        pytest.raises(StoreError, match="another UltrAI is setting up the database") as caught,
    ):
        open_database(path, busy_timeout_s=0)

    assert str(path) in str(caught.value)
    assert caught.value.hint
    open_database(path).close()


def test_several_new_databases_at_once_are_each_made_whole(tmp_path):
    paths = [tmp_path / f"{number}.db" for number in range(6)]
    with ThreadPoolExecutor(len(paths)) as pool:
        opened = list(pool.map(open_database, paths))
    for database in opened:
        assert schema.is_current(database.engine, "here")
        database.close()
