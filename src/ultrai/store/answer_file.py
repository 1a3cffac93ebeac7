"""The database file of the answer cache: made when it is missing, made anew when it is damaged.

It is a file of its own, beside the history, because it may be deleted at will. Nothing in it is
worth waiting for: it is written without syncing, and whoever finds it locked goes without. A file
of a newer UltrAI is left as it is and not used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ultrai.store.failures import explain

FORMAT = 1
BUSY_TIMEOUT_S = 0.25
_PARTS = ("", "-wal", "-shm", "-journal")

# SQLite's primary result codes that say nothing against the file: https://sqlite.org/rescode.html
_NO_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
    }
)

# `totals` are kept by triggers, so that the bound needs no walk over all answers.
_TABLES = """
CREATE TABLE answers (
    key TEXT PRIMARY KEY, kept_s REAL NOT NULL, used_s REAL NOT NULL,
    size INTEGER NOT NULL, model TEXT NOT NULL, saved_nanos INTEGER, payload BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX answers_by_use ON answers (used_s, size);
CREATE TABLE claims (
    key TEXT PRIMARY KEY, owner TEXT NOT NULL, until_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE totals (bytes INTEGER NOT NULL, count INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER answers_in AFTER INSERT ON answers BEGIN
    UPDATE totals SET bytes = bytes + new.size, count = count + 1;
END;
CREATE TRIGGER answers_out AFTER DELETE ON answers BEGIN
    UPDATE totals SET bytes = bytes - old.size, count = count - 1;
END;
"""

_Result = TypeVar("_Result")


class NewerFile(Exception):
    """A later version of the program has made the file."""


class AnswerFile:
    """One connection to the file; used by one thread at a time. `tell` hears each problem once."""

    def __init__(self, path: Path, *, tell: Callable[[str], None]) -> None:
        self.path = path
        self._tell = tell
        self._told: set[str] = set()
        self._connection: sqlite3.Connection | None = None
        self._is_newer = False

    def work(self, job: Callable[[sqlite3.Connection], _Result], *, otherwise: _Result) -> _Result:
        """What `job` returns in a transaction of its own, or `otherwise` where it cannot be had."""
        for _ in range(2):  # the second time on a file made anew
            if self._is_newer:
                return otherwise
            try:
                return self._within(job)
            except NewerFile:
                self._is_newer = True
                self._say(f"the answer cache {self.path} was made by a newer UltrAI")
            except (sqlite3.Error, OSError) as error:
                if not _is_damage(error):
                    self._go_without(error)
                    return otherwise
                self._make_anew()
        return otherwise

    def close(self) -> None:
        """Let the file go; idempotent."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _within(self, job: Callable[[sqlite3.Connection], _Result]) -> _Result:
        connection = self._connection or self._connect()
        try:
            result = job(connection)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _go_without(self, error: Exception) -> None:
        if not _is_busy(error):  # what is locked now is free in a moment
            self.close()
            self._say(str(explain(error, self.path)).replace("database", "answer cache", 1))

    def _make_anew(self) -> None:
        self.close()
        try:
            for suffix in _PARTS:
                self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            self._go_without(error)
        else:
            self._tell(f"the answer cache {self.path} was damaged; it begins anew")

    def _say(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._tell(f"{why}; answers are not cached")


def _set_up(connection: sqlite3.Connection) -> None:
    # https://www.sqlite.org/pragma.html: after a power cut the file may be damaged, and is then
    # made anew; a crash of the process alone cannot damage it.
    connection.execute("PRAGMA synchronous=OFF")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version == FORMAT:
        return
    if version > FORMAT:
        raise NewerFile
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    if int(connection.execute("PRAGMA user_version").fetchone()[0]) != FORMAT:
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={FORMAT}")
    connection.execute("COMMIT")


def _statements() -> Sequence[str]:
    whole: list[str] = []
    rest = ""
    for line in _TABLES.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            whole.append(rest)
            rest = ""
    return whole


def _is_busy(error: Exception) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_damage(error: Exception) -> bool:
    """Whether the file itself is wrong: broken, no database, or without our tables."""
    return isinstance(error, sqlite3.Error) and _code(error) not in _NO_DAMAGE


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
