"""Locks on files, which the operating system drops when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ultrai.domain.errors import StoreError

BUSY_TIMEOUT_S = 5.0
_POLL_S = 0.02


@contextmanager
def exclusively(database: Path, *, patience_s: float = BUSY_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock file beside the database, which stays behind.

    Waits at most `patience_s` for whoever has it. Raises OSError, StoreError when that is over.
    """
    lock = database.with_name(f"{database.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        until = time.monotonic() + patience_s
        while not take(descriptor, wait=False):
            if time.monotonic() >= until:
                message = f"another UltrAI is setting up the database {database}"
                raise StoreError(message, hint="Try again in a moment, or end the other UltrAI.")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def take(descriptor: int, *, wait: bool) -> bool:
        """Lock the open file until it is closed; False if somebody else has it."""
        # LK_LOCK gives up by itself after ten seconds; the caller asks again.
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def is_taken(descriptor: int) -> bool:
        """Whether somebody else holds the open file's lock."""
        return not take(descriptor, wait=False)

else:
    import fcntl

    def take(descriptor: int, *, wait: bool) -> bool:
        """Lock the open file until it is closed; False if somebody else has it."""
        return _flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_taken(descriptor: int) -> bool:
        """Whether somebody else holds the open file's lock."""
        # Shared, so that two who look at the same moment do not see each other.
        return not _flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _flock(descriptor: int, mode: int) -> bool:
        try:
            fcntl.flock(descriptor, mode)
        except BlockingIOError:
            return False
        return True
