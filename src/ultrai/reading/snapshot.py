"""The bytes of a file as they were at one moment, or why there are none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ultrai.reading.reading import Limits, Trouble, Unreadable, megabytes

_TRIES = 2
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_snapshot(path: Path, limits: Limits) -> bytes:
    """All bytes of a regular file that did not change meanwhile. Raises Unreadable."""
    for _ in range(_TRIES):
        try:
            data = _read_once(path, limits)
        except OSError as error:
            raise _refused(path, error) from error
        if data is not None:
            return data
    raise Unreadable(
        f"{path} changes while it is read",
        trouble=Trouble.CHANGING,
        hint="ask again when it is written, or give a copy",
    )


def _read_once(path: Path, limits: Limits) -> bytes | None:
    """The bytes; None where the file was changed while they were read."""
    _check(path, path.stat(), limits=limits)
    # Not to block, should a pipe have taken the file's place since.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(number, "rb") as file:
        before = os.fstat(number)
        _check(path, before, limits=limits)
        data = file.read(limits.file_bytes + 1)
        after = os.fstat(number)
    if len(data) > limits.file_bytes:
        raise _too_large(path, len(data), limits=limits)
    return data if _version(before) == _version(after) else None


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _check(path: Path, status: os.stat_result, *, limits: Limits) -> None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise Unreadable(
            f"{path} is a folder",
            trouble=Trouble.FOLDER,
            hint="give its files",
        )
    if not stat.S_ISREG(mode):
        kind = next((words for test, words in _KINDS if test(mode)), "something else")
        raise Unreadable(
            f"{path} is {kind}, not a file",
            trouble=Trouble.NOT_A_FILE,
            hint="write what comes out of it to a file, and give that",
        )
    if status.st_size > limits.file_bytes:
        raise _too_large(path, status.st_size, limits=limits)


def _too_large(path: Path, size: int, *, limits: Limits) -> Unreadable:
    return Unreadable(
        f"{path} is larger than {megabytes(limits.file_bytes)}: {megabytes(size)}",
        trouble=Trouble.TOO_LARGE,
        hint="give a smaller part of it, or raise the setting max_file_mb",
    )


def _refused(path: Path, error: OSError) -> Unreadable:
    is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return Unreadable(
        f"cannot read {path}: {error.strerror or type(error).__name__}",
        trouble=Trouble.MISSING if is_missing else Trouble.DENIED,
        hint="give a file that is there and can be read",
    )
