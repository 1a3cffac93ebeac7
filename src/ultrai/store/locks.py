"""Locks on files, which the operating system drops when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold the lock file, waiting for whoever has it. The file stays behind. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not take(descriptor, wait=True):
            pass
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
