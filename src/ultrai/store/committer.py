"""Writes Batches, each in one transaction, on the one connection that writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrai.domain.errors import StoreError
from ultrai.store.failures import explain, is_collision, is_hopeless
from ultrai.store.owners import Owner
from ultrai.store.statements import compile_statements

if TYPE_CHECKING:
    from sqlalchemy import Engine, PoolProxiedConnection

    from ultrai.store.backlog import Batch
    from ultrai.store.postgres import SessionOwner
    from ultrai.store.teller import Teller


HASTE_MS = 250  # how long a hasty commit waits for other writers


class HopelessError(StoreError):
    """Writing the same again cannot help: the file is gone, or cannot hold what is new."""


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
        self._driver = engine.dialect.loaded_dbapi
        self._connection: PoolProxiedConnection | None = None
        self._identity: os.stat_result | None = None
        self._patience_ms = 0
        self._lost: HopelessError | None = None

    def commit(self, batch: Batch, *, hasty: bool = False) -> None:
        """All of the Batch is in the database, or nothing of it and an exception says why.

        A hasty one waits for other writers for a moment only. What can never be written does not
        hold up the rest: an order of that kind gets its `error`, and rows of that kind raise
        HopelessError, after which every order knows what came of it and the Batch is done with.
        """
        try:
            try:
                self._transact(batch, self._write, hasty=hasty)
            except Exception as error:
                if not is_collision(error):
                    raise
                self._transact(batch, self._write, hasty=hasty)
        except Exception as error:
            if not is_hopeless(error, self._driver):
                raise
            self._transact(batch, self._write_apart, hasty=hasty)
        if not self._is_in_place():
            gone = HopelessError(
                f"the database {self._path} was removed while it was in use",
                hint="Start again; a new database is made.",
            )
            for order in batch.orders:
                order.error = gone
            raise gone
        if self._lost is not None:
            lost, self._lost = self._lost, None
            raise lost

    def _transact(self, batch: Batch, write: Callable[[Any, Batch], None], *, hasty: bool) -> None:
        connection = self._connection or self._connect()
        self._lost = None
        try:
            self._wait_for_others(connection, hasty=hasty)
            cursor = connection.cursor()
            cursor.execute(self._statements.begin)
            if batch.orders:
                self._teller.lock(cursor)
            write(cursor, batch)
            cursor.close()
            # Whoever hears nothing from here on cannot know whether it took place.
            batch.in_doubt = True
            connection.commit()
        except Exception:
            self._teller.forget()
            if isinstance(self._path, str):
                self._connection = None
                let_go(connection)  # the server may be gone: the next commit tries anew
            else:
                with suppress(Exception):
                    connection.rollback()
            raise

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

    def _write(self, cursor: Any, batch: Batch) -> None:
        self._write_rows(cursor, batch)
        if batch.orders:
            self._teller.carry_out(cursor, batch.orders)
        for order in batch.orders:
            order.error = None

    def _write_apart(self, cursor: Any, batch: Batch) -> None:
        """The same, the rows and every order by themselves: what cannot be written is left out."""
        error = self._apart(cursor, partial(self._write_rows, cursor, batch))
        if error is not None:
            self._lost = self._explained(error)
        for order in batch.orders:
            error = self._apart(cursor, partial(self._teller.carry_out, cursor, [order]))
            order.error = None if error is None else self._explained(error)

    def _apart(self, cursor: Any, work: Callable[[], None]) -> Exception | None:
        """Why the work could not be done and left nothing behind; None: it is done."""
        cursor.execute("SAVEPOINT apart")
        hopeless: Exception | None = None
        try:
            work()
        except Exception as error:
            if not is_hopeless(error, self._driver):
                raise
            self._teller.forget()
            cursor.execute("ROLLBACK TO SAVEPOINT apart")
            hopeless = error
        cursor.execute("RELEASE SAVEPOINT apart")
        return hopeless

    def _explained(self, error: Exception) -> HopelessError:
        if isinstance(error, self._driver.IntegrityError):
            return HopelessError(
                f"the database {self._path} already holds something else there: {error}",
                hint="This is a bug; please report it.",
            )
        explained = explain(error, self._path)
        return HopelessError(str(explained), hint=explained.hint)

    def _write_rows(self, cursor: Any, batch: Batch) -> None:
        statements = self._statements
        owner = self._owner.name() if batch.runs else ""
        if batch.runs:
            rows = [{**row, "owner": owner} for row in batch.runs.values()]
            insert = statements.repeat_run if batch.in_doubt else statements.insert_run
            cursor.executemany(insert, rows)
        if batch.events:
            insert = statements.repeat_events if batch.in_doubt else statements.insert_events
            cursor.executemany(insert, batch.events)
        if batch.endings:
            cursor.executemany(statements.finish_run, batch.endings)
        if batch.health:
            # By name, so that two processes never wait for each other's rows.
            rows = [batch.health[name] for name in sorted(batch.health)]
            cursor.executemany(statements.remember_health, rows)

    def _is_in_place(self) -> bool:
        if self._identity is None or isinstance(self._path, str):
            return True
        try:
            return os.path.samestat(self._identity, self._path.stat())
        except FileNotFoundError:
            return False


def let_go(connection: PoolProxiedConnection) -> None:
    """Undo what it has begun and give it back, or throw it away if it broke. Raises nothing."""
    try:
        connection.rollback()
    except Exception:  # noqa: BLE001 - whatever it is, nobody shall have this connection again
        connection.invalidate()
    with suppress(Exception):
        connection.close()
