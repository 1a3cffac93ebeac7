"""The database of one home directory: opened once per process, closed by whoever opened it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Engine, create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, Pool, QueuePool

from ultrai.domain.errors import StoreError, UltraiError
from ultrai.store.committer import Committer, let_go
from ultrai.store.failures import explain, is_collision, is_unwritable
from ultrai.store.ledger_tables import OPEN_RUNS
from ultrai.store.locks import BUSY_TIMEOUT_S
from ultrai.store.open_work import Staff
from ultrai.store.owners import Owner, is_alive
from ultrai.store.postgres import SessionOwner, is_session_alive, label_of, postgres_engine
from ultrai.store.refusal import RefusingWriter
from ultrai.store.schema import ensure_schema, ensure_server_schema, is_current
from ultrai.store.statements import compile_statements
from ultrai.store.teller import Teller
from ultrai.store.writer import Writer

# https://www.sqlite.org/uri.html: `immutable` needs no files beside the database, and reads none;
# what a crash left in its write-ahead log stays unseen until the directory can be written.
_READ_ONLY: tuple[Mapping[str, str], ...] = ({"mode": "ro"}, {"mode": "ro", "immutable": "1"})

_KEPT_CONNECTIONS = 2

_Result = TypeVar("_Result")


class Database:
    """An open database: one writer, and a connection that no other has for every read.

    `path` is the file, or how a server's database is called. With `inline` nothing leaves the
    calling thread, as a virtual clock needs it. With `unwritable`, which says why, it can only be
    read: every flush raises StoreError.
    """

    def __init__(
        self,
        engine: Engine,
        path: Path | str,
        *,
        inline: bool = False,
        unwritable: StoreError | None = None,
    ) -> None:
        self.engine = engine
        self.path = path
        self._inline = inline
        self._owners = None if isinstance(path, str) else path.with_name(f"{path.name}-owners")
        self.writer: Writer | RefusingWriter
        if unwritable is not None:
            self.writer = RefusingWriter(unwritable)
        else:
            owner = SessionOwner(engine) if self._owners is None else Owner(self._owners)
            teller = Teller(engine.dialect, Staff(owner.name, self.is_alive))
            committer = Committer(engine, path, owner=owner, teller=teller)
            self.writer = Writer(committer, path, inline=inline)

    @property
    def is_writable(self) -> bool:
        """Whether it was opened for writing."""
        return isinstance(self.writer, Writer)

    def transact(self, work: Callable[[Any], _Result]) -> _Result:
        """What `work` returns, given a cursor within a transaction of its own, committed here.

        For commands; a Run's steps go through the writer. `work` is called again where the server
        ended the transaction for another's sake. Raises StoreError.
        """
        try:
            try:
                return self._transact(work)
            except Exception as error:
                if not is_collision(error):
                    raise
                return self._transact(work)
        except UltraiError:
            raise
        except Exception as error:
            raise explain(error, self.path) from error

    def _transact(self, work: Callable[[Any], _Result]) -> _Result:
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(compile_statements(self.engine.dialect).begin)
            result = work(cursor)
            cursor.close()
            connection.commit()
        except Exception:
            let_go(connection)
            raise
        connection.close()
        return result

    def wind_up(self, at: str) -> int:
        """Settle and close the Runs of dead processes; how many there were. Raises StoreError."""
        with self.engine.connect() as connection:
            owners = connection.execute(select(OPEN_RUNS.c.owner).distinct()).scalars().all()
        if all(self.is_alive(owner) for owner in owners):
            return 0
        teller = Teller(self.engine.dialect, Staff(lambda: "winding-up", self.is_alive))
        return self.transact(lambda cursor: teller.wind_up(cursor, at))

    async def read(self, query: Callable[[], _Result]) -> _Result:
        """What `query` returns, run off the event loop. Raises StoreError for database errors."""
        if self._inline:
            return self._guarded(query)
        return await asyncio.to_thread(self._guarded, query)

    def is_alive(self, owner: str) -> bool:
        """Whether the process that wrote a Run is still there."""
        if self._owners is None:
            return is_session_alive(self.engine, owner)
        return is_alive(self._owners, owner)

    def close(self) -> None:
        """Write what is pending; idempotent. Raises StoreError if it fails and nobody was told."""
        try:
            self.writer.close()
        finally:
            self.engine.dispose()

    async def aclose(self) -> None:
        """The same without blocking the event loop."""
        await self.read(self.close)

    def __enter__(self) -> Self:
        """The database is open already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    async def __aenter__(self) -> Self:
        """The database is open already."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close without blocking the event loop."""
        await self.aclose()

    def _guarded(self, query: Callable[[], _Result]) -> _Result:
        try:
            return query()
        except SQLAlchemyError as error:
            raise explain(error, self.path) from error


def open_database(
    path: Path, *, inline: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Database:
    """Open the SQLite file, making it and its directory (for its owner only) where absent.

    Its tables are brought up to date. Waits at most `busy_timeout_s` for other writers. A database
    that is up to date and cannot be written is opened for reading. Raises StoreError with one clear
    line if the file cannot be used; such a file is left as it is.
    """
    path = path.absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        url = URL.create("sqlite", database=str(path))
        engine = _sqlite_engine(url, busy_timeout_s, pool=QueuePool)
        ensure_schema(engine, path, patience_s=busy_timeout_s)
    except (OSError, SQLAlchemyError) as error:
        why = explain(error, path)
        readable = _read_only_engine(path, busy_timeout_s) if is_unwritable(error) else None
        if readable is None:
            raise why from error
        return Database(readable, path, inline=inline, unwritable=why)
    return Database(engine, path, inline=inline)


def open_server(url: str, *, inline: bool = False) -> Database:
    """Open a PostgreSQL database by its address; its tables are brought up to date.

    Raises StoreError with one clear line, without the password, if it cannot be used.
    """
    engine = postgres_engine(url)
    label = label_of(engine)
    try:
        ensure_server_schema(engine, label)
    except (OSError, SQLAlchemyError) as error:
        raise explain(error, label) from error
    return Database(engine, label, inline=inline)


def _read_only_engine(path: Path, busy_timeout_s: float) -> Engine | None:
    """An engine that reads the existing, current database; None if there is no such."""
    for options in _READ_ONLY:
        url = URL.create("sqlite", database=path.as_uri(), query={**options, "uri": "true"})
        # A connection that is kept would never see what others write after it was made.
        engine = _sqlite_engine(url, busy_timeout_s, pool=NullPool)
        try:
            return engine if is_current(engine, path) else None
        except SQLAlchemyError as error:
            if not is_unwritable(error):
                return None
    return None


def _sqlite_engine(url: URL, busy_timeout_s: float, *, pool: type[Pool]) -> Engine:
    # Making a connection costs more than most reads. None ever waits for one: a read that finds
    # the kept ones taken makes its own.
    kept = {"pool_size": _KEPT_CONNECTIONS, "max_overflow": -1} if pool is QueuePool else {}
    engine = create_engine(
        url,
        paramstyle="named",
        poolclass=pool,
        **kept,
        connect_args={
            "timeout": busy_timeout_s,
            "check_same_thread": False,  # the exit handler may finish what the thread began
            "isolation_level": None,  # transactions begin where the code says so
        },
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # A request leaves as soon as its reservation is committed: with WAL and NORMAL a power cut
        # could take that commit, and the budget be spent twice. https://www.sqlite.org/pragma.html
        connection.execute("PRAGMA synchronous=FULL")

    return engine
