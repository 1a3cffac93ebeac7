"""Tells a Run whose process lives from one whose process died.

Theory of operation. A process that writes Runs holds the lock of a file of its own in a folder
beside the database, and puts the file's name into each Run's row. The system drops the lock when
the process ends in any way, `kill -9` and power loss included. So a Run that is `running`, and
whose owner's file is absent or unlocked, was interrupted.

Why not the process id: ids are used again, and two containers that share a home directory do not
see each other's processes, but see each other's locks. What this does not know: other machines; a
child forked without exec keeps its parent's lock.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ultrai.store.locks import is_taken, take


class Owner:
    """This process's proof of life, made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path: Path | None = None
        self._descriptor = -1

    def name(self) -> str:
        """What goes into a Run's row. Raises OSError if the folder cannot be written."""
        if self._path is None:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            _sweep(self._directory)
            self._path = self._acquire()
        return self._path.name

    def release(self) -> None:
        """Whatever of ours is still `running` counts as interrupted from now on."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._path = None

    def _acquire(self) -> Path:
        while True:
            descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self._directory)
            path = Path(name)
            # Another process may have swept the file away before it was locked.
            if take(descriptor, wait=True) and _is_same_file(descriptor, path):
                self._descriptor = descriptor
                return path
            os.close(descriptor)


def is_alive(directory: Path, name: str) -> bool:
    """Whether the process of that owner's name still holds its lock. In doubt, it does."""
    path = directory / name
    if path.parent != directory:
        return False
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return is_taken(descriptor)
    finally:
        os.close(descriptor)


def _sweep(directory: Path) -> None:
    for path in directory.iterdir():
        if not is_alive(directory, path.name):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
