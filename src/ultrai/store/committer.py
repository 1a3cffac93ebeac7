"""Writes Batches, each in one transaction, on the one connection that writes."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ultrai.domain.errors import StoreError
from ultrai.store.owners import Owner
from ultrai.store.statements import compile_statements

if TYPE_CHECKING:
    from sqlalchemy import Engine, PoolProxiedConnection

    from ultrai.store.backlog import Batch
    from ultrai.store.postgres import SessionOwner
    from ultrai.store.teller import Teller


HASTE_MS = 250  # how long a hasty commit waits for other writers


class HopelessError(StoreError):
    """Writing the same again cannot help: the file is gone, or contradicts what is new."""


class Committer:
    """Used by one thread. Connects with the first Batch."""

    def __init__(
        self, engine: Engine, path: Path | str, *, owner: Owner | SessionOwner, teller: Teller
    ) -> None:
        self._engine = engine
        self._path = path
        self._owner = owner
        self._teller = teller
        self._statements = compile_statements(engine.dialect)
        self._contradictions: type[Exception] = engine.dialect.loaded_dbapi.IntegrityError
        self._connection: PoolProxiedConnection | None = None
        self._identity: os.stat_result | None = None
        self._patience_ms = 0

    def commit(self, batch: Batch, *, hasty: bool = False) -> None:
        """All of the Batch is in the database, or nothing of it and an exception says why.

        A hasty one waits for other writers for a moment only.
        """
        connection = self._connection or self._connect()
        try:
            self._wait_for_others(connection, hasty=hasty)
            self._write(connection, batch)
            connection.commit()
        except Exception as error:
            self._teller.forget()
            with suppress(Exception):
                connection.rollback()
            if isinstance(self._path, str):
                self._disconnect()  # the server may be gone: the next commit tries anew
            if isinstance(error, self._contradictions):
                raise HopelessError(
                    f"the database {self._path} already holds something else there: {error}",
                    hint="This is a bug; please report it.",
                ) from error
            raise
        if not self._is_in_place():
            raise HopelessError(
                f"the database {self._path} was removed while it was in use",
                hint="Start again; a new database is made.",
            )

    def close(self) -> None:
        """Let the connection and the proof of life go."""
        self._disconnect()
        self._owner.release()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connect(self) -> PoolProxiedConnection:
        self._connection = self._engine.raw_connection()
        if isinstance(self._path, Path):
            self._identity = self._path.stat()
        if self._engine.dialect.name == "sqlite":
            cursor = self._connection.cursor()
            cursor.execute("PRAGMA busy_timeout")
            row = cursor.fetchone()
            self._patience_ms = int(row[0]) if row else 0
            cursor.close()
        return self._connection

    def _wait_for_others(self, connection: PoolProxiedConnection, *, hasty: bool) -> None:
        if self._engine.dialect.name == "sqlite":
            wait_ms = min(self._patience_ms, HASTE_MS) if hasty else self._patience_ms
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={wait_ms}")
            cursor.close()

    def _write(self, connection: PoolProxiedConnection, batch: Batch) -> None:
        statements = self._statements
        owner = self._owner.name() if batch.runs else ""
        cursor = connection.cursor()
        cursor.execute(statements.begin)
        if batch.runs:
            rows = [{**row, "owner": owner} for row in batch.runs.values()]
            cursor.executemany(statements.insert_run, rows)
        if batch.events:
            cursor.executemany(statements.insert_events, batch.events)
        if batch.endings:
            cursor.executemany(statements.finish_run, batch.endings)
        if batch.health:
            cursor.executemany(statements.remember_health, list(batch.health.values()))
        if batch.orders:
            self._teller.carry_out(cursor, batch.orders)
        cursor.close()

    def _is_in_place(self) -> bool:
        if self._identity is None or isinstance(self._path, str):
            return True
        try:
            return os.path.samestat(self._identity, self._path.stat())
        except FileNotFoundError:
            return False
