"""One lock file, held by one process (or thread) at a time; the system frees it if we die."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock; `waiting` is called once if somebody else has it. The file stays behind."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(descriptor, blocking=False):
            if waiting is not None:
                waiting()
            while not _take(descriptor, blocking=True):
                pass
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int, *, blocking: bool) -> bool:
        # LK_LOCK itself gives up after ten tries, a second apart: then the caller asks again.
        mode = msvcrt.LK_LOCK if blocking else msvcrt.LK_NBLCK
        try:
            msvcrt.locking(descriptor, mode, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int, *, blocking: bool) -> bool:
        mode = fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.flock(descriptor, mode)
        except BlockingIOError:
            return False
        return True
