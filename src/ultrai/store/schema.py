"""Brings a database's tables to the version of this code.

A cheap SELECT says whether they are; only if not is alembic imported (a fifth of a second). All
migrations run in one transaction under a file lock, so two processes that open a new database at
once both find it whole, and one killed in the middle leaves it as it was.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError, ProgrammingError

from ultrai.store.failures import foreign, newer
from ultrai.store.locks import BUSY_TIMEOUT_S, exclusively
from ultrai.store.postgres import schema_lock

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# Every revision in `migrations/versions`, oldest first; a test compares.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
_MIGRATIONS = Path(__file__).parent / "migrations"
# What alembic is at is a global of its module: two threads would work on one of their databases.
_ONE_AT_A_TIME = threading.Lock()


def ensure_server_schema(engine: Engine, label: str) -> None:
    """The same on PostgreSQL, under a lock of the server's."""
    if is_current(engine, label):
        return
    with engine.connect() as connection, schema_lock(connection):
        if is_current(engine, label):
            return
        _upgrade(connection)
        connection.commit()


def ensure_schema(engine: Engine, path: Path, *, patience_s: float = BUSY_TIMEOUT_S) -> None:
    """Create or upgrade the tables where needed.

    Raises StoreError for a newer or foreign file, and if another process is at it for longer than
    `patience_s`.
    """
    if is_current(engine, path):
        return
    with exclusively(path, patience_s=patience_s):
        if is_current(engine, path):  # somebody else did it meanwhile
            return
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # Kept in the file. Under the lock, because two at once may refuse each other.
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            connection.commit()


def is_current(engine: Engine, path: Path | str) -> bool:
    """Whether the tables are those of this code. Raises StoreError for a newer or foreign file."""
    with engine.connect() as connection:
        try:
            rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
        except (OperationalError, ProgrammingError):
            connection.rollback()
            if inspect(connection).get_table_names():
                raise foreign(path) from None
            return False
    revision = str(rows[0][0]) if rows else ""
    if revision and revision not in REVISIONS:
        raise newer(path, revision)
    return revision == REVISIONS[-1]


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to import and seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")
