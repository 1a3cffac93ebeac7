"""The file of an Index: its tables, and what its errors mean.

Theory of operation. `chunks` holds each file's text in passages that join to it again. `words` is a
full-text index over them that keeps no text of its own (https://sqlite.org/fts5.html, "External
Content Tables"); triggers keep it in step. Its tokenizer folds case and accents as
`policy/relevance.py` does; scripts without blanks are found by pairs of characters, which stand in
a column of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ultrai.domain.errors import StoreError

FORMAT = 1
APPLICATION_ID = 0x756C7478  # "ultx"
BUSY_TIMEOUT_S = 10.0

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, excluded TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, root INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, characters INTEGER NOT NULL,
    remark TEXT NOT NULL, trouble TEXT NOT NULL, UNIQUE (root, path)
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, place INTEGER NOT NULL,
    first_line INTEGER NOT NULL, last_line INTEGER NOT NULL,
    text TEXT NOT NULL, pairs TEXT NOT NULL, UNIQUE (file, place)
);
CREATE VIRTUAL TABLE words USING fts5(
    text, pairs, content='chunks', content_rowid='id',
    tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
);
CREATE VIRTUAL TABLE terms USING fts5vocab(words, row);
CREATE TRIGGER chunks_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text, pairs) VALUES (new.id, new.text, new.pairs);
END;
CREATE TRIGGER chunks_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text, pairs) VALUES ('delete', old.id, old.text, old.pairs);
END;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the Index's file, which is made where it is missing. Raises StoreError."""
    with explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _set_up(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Errors of the database and of the disk as one StoreError that says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(
                f"the index {path.stem} is being written by another process",
                hint="Wait until it is done, then run the same command again.",
            ) from error
        raise StoreError(
            f"the index {path.stem} cannot be used: {error}",
            hint=f"Check the disk and the rights of {path}; what was committed is kept.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"the index {path.stem} is damaged: {error}",
            hint=f"Remove it with 'ultrai index rm {path.stem}' and add its folders again.",
        ) from error
    except OSError as error:
        raise StoreError(
            f"the index {path.stem} cannot be opened: {error.strerror or error}",
            hint=f"Check the rights of {path.parent}.",
        ) from error


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection, path)
    if version == FORMAT:
        return
    connection.execute("PRAGMA journal_mode=WAL")
    with writing(connection):
        if _version(connection, path) == FORMAT:  # somebody else made it meanwhile
            return
        for statement in _statements():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = version in (0, FORMAT)
    if version == 0:
        known = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not known:
        raise StoreError(
            f"the index {path.stem} was made by another version of UltrAI, or by another program",
            hint=f"Remove it with 'ultrai index rm {path.stem}' and add its folders again.",
        )
    return version


def _statements() -> Iterator[str]:
    """The tables' statements one by one: `executescript` would end the transaction."""
    statement = ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
