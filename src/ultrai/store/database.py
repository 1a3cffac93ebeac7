"""The database of one home directory: opened once per process, closed by whoever opened it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ultrai.store.committer import Committer
from ultrai.store.failures import explain
from ultrai.store.owners import Owner, is_alive
from ultrai.store.schema import ensure_schema
from ultrai.store.writer import Writer

BUSY_TIMEOUT_S = 5.0

_Result = TypeVar("_Result")


class Database:
    """An open database: one writer, and a connection of its own for every read.

    With `inline` nothing leaves the calling thread, as a virtual clock needs it.
    """

    def __init__(self, engine: Engine, path: Path, *, inline: bool = False) -> None:
        self.engine = engine
        self.path = path
        self._inline = inline
        self._owners = path.with_name(f"{path.name}-owners")
        committer = Committer(engine, path, owner=Owner(self._owners))
        self.writer = Writer(committer, path, inline=inline)

    async def read(self, query: Callable[[], _Result]) -> _Result:
        """What `query` returns, run off the event loop. Raises StoreError for database errors."""
        if self._inline:
            return self._guarded(query)
        return await asyncio.to_thread(self._guarded, query)

    def is_alive(self, owner: str) -> bool:
        """Whether the process that wrote a Run is still there."""
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

    Its tables are brought up to date. Waits at most `busy_timeout_s` for other writers. Raises
    StoreError with one clear line if the file cannot be used; such a file is left as it is.
    """
    path = path.absolute()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        engine = _sqlite_engine(path, busy_timeout_s)
        ensure_schema(engine, path)
    except (OSError, SQLAlchemyError) as error:
        raise explain(error, path) from error
    return Database(engine, path, inline=inline)


def _sqlite_engine(path: Path, busy_timeout_s: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        paramstyle="named",
        poolclass=NullPool,
        connect_args={
            "timeout": busy_timeout_s,
            "check_same_thread": False,  # the exit handler may finish what the thread began
            "isolation_level": None,  # transactions begin where the code says so
        },
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # With WAL this keeps every commit through a crash of the process; a power cut may take
        # the last ones, and cannot damage the file. https://www.sqlite.org/pragma.html
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
