"""What a person asks of the answer cache: what is in it, how full it is, and to empty it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ultrai.domain.errors import StoreError
from ultrai.domain.kept import CacheStats, KeptRow
from ultrai.store.answer_file import AnswerFile

_Result = TypeVar("_Result")

_NO_STATS: tuple[int, int, float | None, float | None] = (0, 0, None, None)


class AnswerShelf:
    """The cache's file, looked at from outside a Run. Every method raises StoreError.

    A file that is not there yet is an empty one, and stays absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._problems: list[str] = []
        self._file = AnswerFile(path, tell=self._problems.append)

    def list_answers(self, *, limit: int, model: str | None = None) -> Sequence[KeptRow]:
        """What is kept, the newest first; `model` as the upstream named it, or a part of that."""
        nothing: Sequence[KeptRow] = ()
        return self._work(partial(_list, {"limit": limit, "model": model}), otherwise=nothing)

    def stats(self) -> CacheStats:
        """How many, how large, from when to when."""
        return CacheStats(*self._work(_stats, otherwise=_NO_STATS))

    def clear(self, *, model: str | None = None, before_s: float | None = None) -> int:
        """Delete what fits all conditions, kept before then (Unix time); how many that were."""
        return self._work(partial(_clear, {"model": model, "before": before_s}), otherwise=0)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _work(self, job: Callable[[sqlite3.Connection], _Result], *, otherwise: _Result) -> _Result:
        if not self.path.exists():
            return otherwise
        result = self._file.work(job, otherwise=otherwise)
        if self._problems:
            problem = self._problems.pop()
            raise StoreError(problem, hint="The file can be deleted without loss.")
        return result


def _list(wanted: Mapping[str, object], connection: sqlite3.Connection) -> Sequence[KeptRow]:
    rows = connection.execute(
        "SELECT key, model, kept_s, used_s, size, saved_nanos FROM answers"
        " WHERE :model IS NULL OR instr(model, :model) ORDER BY kept_s DESC, key LIMIT :limit",
        wanted,
    )
    return [KeptRow(*row) for row in rows]


def _stats(connection: sqlite3.Connection) -> tuple[int, int, float | None, float | None]:
    query = "SELECT count, bytes, min(kept_s), max(kept_s) FROM totals LEFT JOIN answers"
    count, size, oldest_s, newest_s = connection.execute(query).fetchone()
    return int(count), int(size), oldest_s, newest_s


def _clear(wanted: Mapping[str, object], connection: sqlite3.Connection) -> int:
    connection.execute("BEGIN IMMEDIATE")
    return connection.execute(
        "DELETE FROM answers WHERE (:model IS NULL OR instr(model, :model))"
        " AND (:before IS NULL OR kept_s < :before)",
        wanted,
    ).rowcount
