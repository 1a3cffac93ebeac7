"""PostgreSQL: the same tables and statements, for several machines that share one ledger.

What SQLite does with files is done here with advisory locks, which the server drops when their
session ends, however it ends: one is held by each process as its proof of life, one by whoever
changes the tables. `psycopg` comes with the extra `postgres`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ultrai.domain.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_SCHEMA_LOCK = 0x756C7473
_DRIVER = "postgresql+psycopg"
_HOW = "install it with: pip install 'ultrai[postgres]'"
# A random key below 2**61, and whether it could be locked.
_TAKE = text(
    "SELECT key, pg_try_advisory_lock(key)"
    " FROM (SELECT (random() * 2305843009213693951)::bigint AS key) AS drawn"
)
_IS_TAKEN = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32) + objid::bigint = :key"
)


def postgres_engine(url: str) -> Engine:
    """An engine for a `postgresql://…` address. Raises StoreError where it cannot be used."""
    try:
        address = make_url(url).set(drivername=_DRIVER)
    except (SQLAlchemyError, ValueError):
        message = "the address of the database cannot be read"
        raise StoreError(message, hint="write postgresql://USER:PASSWORD@HOST/NAME") from None
    if "@" in (address.host or ""):
        # The rest of a password would be taken for the host, and told.
        message = "the address of the database has a second @"
        raise StoreError(message, hint="write @ in a password as %40, and / as %2F") from None
    try:
        return create_engine(address, pool_size=5, pool_pre_ping=True)
    except ModuleNotFoundError:
        message = "PostgreSQL needs the extra `postgres`, which is not installed"
        raise StoreError(message, hint=_HOW) from None


def label_of(engine: Engine) -> str:
    """The database as it may be shown: host, port and name. A password has several places."""
    url: URL = engine.url
    host = url.host or url.query.get("host")
    shown = "postgresql://" + (host if isinstance(host, str) else "")
    return shown + (f":{url.port}" if url.port else "") + f"/{url.database or ''}"


@contextmanager
def schema_lock(connection: Connection) -> Iterator[None]:
    """Let nobody else change the tables meanwhile."""
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _SCHEMA_LOCK})
    try:
        yield
    finally:
        with suppress(SQLAlchemyError):
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _SCHEMA_LOCK})


class SessionOwner:
    """This process's proof of life: a lock that its session holds."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None
        self._name = ""

    def name(self) -> str:
        """What goes into a Run's row. A session that broke gives way to a new one."""
        if self._session is not None:
            try:
                self._session.execute(text("SELECT 1"))
                self._session.commit()
            except SQLAlchemyError:
                self.release()
        if self._session is None:
            self._acquire()
        return self._name

    def release(self) -> None:
        """Whatever of ours is still `running` counts as interrupted from now on."""
        if self._session is not None:
            with suppress(SQLAlchemyError):
                self._session.invalidate()
                self._session.close()
            self._session = None

    def _acquire(self) -> None:
        self._session = self._engine.connect()
        taken = False
        while not taken:
            key, taken = self._session.execute(_TAKE).one()
            self._name = f"session-{key}"
        self._session.commit()


def is_session_alive(engine: Engine, name: str) -> bool:
    """Whether the session of that owner's name still holds its lock. In doubt, it does."""
    kind, _, key = name.partition("-")
    if kind != "session" or not key.isdecimal():
        return False
    try:
        with engine.connect() as connection:
            return bool(connection.execute(_IS_TAKEN, {"key": int(key)}).scalar_one())
    except SQLAlchemyError:
        return True
