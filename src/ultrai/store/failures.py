"""What a database's error means to a person: one line of cause, one of what can be done."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ultrai.domain.errors import StoreError, UltraiError

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIModule

_FREE_SPACE = "Free some space; what is already stored is safe."
_CLOSE_OTHERS = "Close the other program that uses it, or set ULTRAI_HOME to another directory."
_CHECK_RIGHTS = "Check the owner and the permissions of the file and its directory."
_CHECK_SERVER = "Check that the server runs, and the address and password in its setting."
_MOVE_AWAY = "Move the file away or set ULTRAI_HOME to another directory; it was left as it is."
_CHECK_TEXT = "Check the text that was given, such as user, feature and tags; all else is stored."
_REPORT = "This is a bug; please report it."
_ELSEWHERE = "Set ULTRAI_HOME to a directory that can be written."

# SQLite's primary result codes: https://www.sqlite.org/rescode.html
_CAUSES = {
    sqlite3.SQLITE_FULL: ("the disk is full", _FREE_SPACE),
    sqlite3.SQLITE_BUSY: ("another program has locked it for too long", _CLOSE_OTHERS),
    sqlite3.SQLITE_LOCKED: ("another program has locked it for too long", _CLOSE_OTHERS),
    sqlite3.SQLITE_READONLY: ("it cannot be written", _CHECK_RIGHTS),
    sqlite3.SQLITE_PERM: ("it cannot be written", _CHECK_RIGHTS),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _CHECK_RIGHTS),
    sqlite3.SQLITE_NOTADB: ("it is not a database", _MOVE_AWAY),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _MOVE_AWAY),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "Check the disk it lies on."),
}
_FULL_ERRNOS = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_UNWRITABLE_ERRNOS = _FULL_ERRNOS | {errno.EROFS, errno.EACCES, errno.EPERM}
_UNWRITABLE_CODES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
}
# Serialisation failure and deadlock: https://www.postgresql.org/docs/current/errcodes-appendix.html
_COLLISIONS = {"40001", "40P01"}
_LITTLE_SPACE_BYTES = 64 * 1024  # the shared memory beside a database takes half of it


def explain(error: Exception, path: Path | str) -> StoreError:
    """The StoreError for whatever a database or its files raised."""
    if isinstance(error, StoreError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    if _is_full(cause, path):
        return StoreError(f"the database {path} cannot be used: the disk is full", hint=_FREE_SPACE)
    if isinstance(cause, OSError):
        reason = cause.strerror or type(cause).__name__
        where = cause.filename or path
        return StoreError(f"the database {path} cannot be used: {where}: {reason}", hint=_ELSEWHERE)
    told = str(cause).partition("\n")[0] or type(cause).__name__
    if isinstance(cause, UnicodeError) or type(cause).__name__ == "DataError":
        return StoreError(f"the database {path} cannot hold this: {told}", hint=_CHECK_TEXT)
    unknown = (told, _REPORT)
    if isinstance(path, str):
        unknown = (told, _CHECK_SERVER)
    elif isinstance(error, sqlite3.Error | SQLAlchemyError):
        unknown = (told, _CHECK_RIGHTS)
    reason, hint = _CAUSES.get(_code(cause) & 0xFF, unknown)
    return StoreError(f"the database {path} cannot be used: {reason}", hint=hint)


def is_hopeless(error: Exception, driver: DBAPIModule) -> bool:
    """Whether it is what was to be written that is wrong, and not the disk, the server or the line.

    Where in doubt it is not: what is kept can still be written, what is dropped cannot.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, (driver.IntegrityError, driver.DataError)):
        return True
    return not isinstance(cause, (driver.Error, SQLAlchemyError, UltraiError, OSError, MemoryError))


def is_collision(error: Exception) -> bool:
    """Whether the server ended a transaction for another's sake: the same may work at once."""
    return getattr(error, "sqlstate", None) in _COLLISIONS


def is_unwritable(error: Exception) -> bool:
    """Whether the file may still be read: the disk, or the rights to it, only forbid writing."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError):
        return cause.errno in _UNWRITABLE_ERRNOS
    return _code(cause) & 0xFF in _UNWRITABLE_CODES


def newer(path: Path | str, revision: str) -> StoreError:
    """A later version of the program has changed the tables."""
    return StoreError(
        f"the database {path} was made by a newer UltrAI (its version is {revision!r})",
        hint="Update UltrAI, or set ULTRAI_HOME to another directory; nothing was changed.",
    )


def foreign(path: Path | str) -> StoreError:
    """A database, but not ours."""
    return StoreError(f"the file {path} is a database of another program", hint=_MOVE_AWAY)


def damaged(path: Path | str, run_id: str) -> StoreError:
    """A Run whose stored Events cannot be read."""
    return StoreError(
        f"the stored events of {run_id} in {path} are damaged or come from a newer UltrAI",
        hint="Other runs are not affected; `ultrai history` lists them.",
    )


def _code(cause: BaseException | None) -> int:
    code = getattr(cause, "sqlite_errorcode", None)
    return code if isinstance(code, int) else 0


def _is_full(cause: BaseException | None, path: Path | str) -> bool:
    if isinstance(cause, OSError):
        return cause.errno in _FULL_ERRNOS
    code = _code(cause)
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # a file of a few pages could not be made larger
        return True
    if code & 0xFF != sqlite3.SQLITE_IOERR or isinstance(path, str):
        return False
    # SQLite does not say why the disk refused; the disk itself does.
    try:
        return shutil.disk_usage(path.parent).free < _LITTLE_SPACE_BYTES
    except OSError:
        return False
