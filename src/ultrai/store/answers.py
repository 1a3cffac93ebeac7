"""AnswerCache in a file: what was answered, by the key of its request, for as long as it is fresh.

Theory of operation. One thread does everything that touches the file, in the order in which it was
asked for; so what was handed over to be kept is found by whoever looks for it later. When the file
is full, Answers that are too old go first, then those that were not used for the longest time.
A payload carries a digest over its key and itself: what the disk has changed is not there.

Nothing here raises: a cache that fails is an empty one, and `take_problem` says so once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from ultrai.domain.kept import Claim, KeptAnswer
from ultrai.store.answer_file import AnswerFile
from ultrai.store.answer_payload import packed, unpacked
from ultrai.store.claims import Claims

QUEUE_CAP = 1000  # Answers that wait for the disk; more are not kept
_USE_STEP_S = 60.0  # a use is written down when the last one is so old
_ROW_BYTES = 200  # about what a row takes beside its payload
_ROOM_AFTER = 0.9  # of the bound is left in use when room is made, so that it is seldom made


_Result = TypeVar("_Result")
_Found = tuple[str, bytes, float]


class FileAnswers:
    """Fits `engine.ports.AnswerCache`. `now_s` is Unix time.

    `inline` stays in the calling thread, as a virtual clock needs it.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        ttl_s: float,
        now_s: Callable[[], float],
        inline: bool = False,
    ) -> None:
        self._file = AnswerFile(path, tell=self._note)
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._now_s = now_s
        self._problems: deque[str] = deque()
        self._handed = 0  # counted by the event loop
        self._done = 0  # counted by the thread
        self._claims = Claims(self._file, now_s=now_s, later=self._later)
        self._thread = None if inline else ThreadPoolExecutor(1, "ultrai-answers")

    async def find(self, keys: Sequence[str]) -> Mapping[str, KeptAnswer]:
        """Those that are kept and whole."""
        return await self._soon(partial(self._find, tuple(keys), self._now_s()))

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Take one in, in place of an older one; returns at once."""
        if self._handed - self._done < QUEUE_CAP:
            self._handed += 1
            self._later(partial(self._keep, key, kept))

    async def claim(self, key: str) -> Claim:
        """What is kept, and whether the request is ours to make."""
        self._claims.begin(key)
        claim = await self._soon(partial(self._claim, key))
        if not claim.is_ours:
            self._claims.end(key)
        return claim

    def release(self, key: str, kept: KeptAnswer | None) -> None:
        """Give our claim back and keep what came of it; returns at once."""
        self._claims.end(key)
        if kept is not None and self._handed - self._done < QUEUE_CAP:
            self._handed += 1
            self._later(partial(self._keep, key, kept))
        else:
            self._later(partial(self._claims.give_back, key))

    def take_problem(self) -> str | None:
        """One line on what went wrong; None: nothing, or it was told."""
        return self._problems.popleft() if self._problems else None

    async def aclose(self) -> None:
        """Write what waits, and let the file go."""
        self._claims.close()
        await self._soon(self._file.close)
        if self._thread is not None:
            self._thread.shutdown()

    def _note(self, problem: str) -> None:
        self._problems.append(problem)

    async def _soon(self, work: Callable[[], _Result]) -> _Result:
        if self._thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _later(self, work: Callable[[], None]) -> None:
        if self._thread is None:
            work()
        else:
            self._thread.submit(work)

    def _find(self, keys: Sequence[str], now_s: float) -> Mapping[str, KeptAnswer]:
        rows: Sequence[_Found] = self._file.work(partial(_read, keys), otherwise=[])
        stale = [(now_s, key) for key, _, used_s in rows if abs(now_s - used_s) >= _USE_STEP_S]
        if stale:
            self._later(partial(self._touch, stale))
        found = ((key, unpacked(key, payload)) for key, payload, _ in rows)
        return {key: kept for key, kept in found if kept is not None}

    def _claim(self, key: str) -> Claim:
        is_ours = self._claims.take(key)
        return Claim(is_ours, self._find((key,), self._now_s()).get(key))

    def _touch(self, used: Sequence[tuple[float, str]]) -> None:
        self._file.work(partial(_write_use, used), otherwise=None)

    def _keep(self, key: str, kept: KeptAnswer) -> None:
        self._done += 1
        payload = packed(key, kept)
        if 0 < len(payload) <= self._max_bytes:
            row = _row(key, kept, payload=payload, now_s=self._now_s())
            self._file.work(partial(self._insert, row), otherwise=None)
        else:
            self._claims.give_back(key)

    def _insert(self, row: Mapping[str, object], connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM answers WHERE key = :key", row)
        self._claims.forget(connection, str(row["key"]))
        connection.execute(
            "INSERT INTO answers VALUES"
            " (:key, :kept_s, :used_s, :size, :model, :saved_nanos, :payload)",
            row,
        )
        used = int(connection.execute("SELECT bytes FROM totals").fetchone()[0])
        if used > self._max_bytes:
            oldest_s = self._now_s() - self._ttl_s
            _make_room(connection, int(self._max_bytes * _ROOM_AFTER), oldest_s=oldest_s)


def _read(keys: Sequence[str], connection: sqlite3.Connection) -> list[_Found]:
    marks = ", ".join("?" * len(keys))
    query = f"SELECT key, payload, used_s FROM answers WHERE key IN ({marks})"  # noqa: S608 - marks
    return connection.execute(query, keys).fetchall()


def _write_use(used: Sequence[tuple[float, str]], connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("UPDATE answers SET used_s = ? WHERE key = ?", used)


def _make_room(connection: sqlite3.Connection, most_bytes: int, *, oldest_s: float) -> None:
    connection.execute("DELETE FROM answers WHERE kept_s < ?", (oldest_s,))
    used = int(connection.execute("SELECT bytes FROM totals").fetchone()[0])
    gone: list[tuple[str]] = []
    for key, size in connection.execute("SELECT key, size FROM answers ORDER BY used_s"):
        if used <= most_bytes:
            break
        used -= size
        gone.append((key,))
    connection.executemany("DELETE FROM answers WHERE key = ?", gone)


def _row(key: str, kept: KeptAnswer, *, payload: bytes, now_s: float) -> Mapping[str, object]:
    return {
        "key": key,
        "kept_s": kept.kept_at.timestamp(),
        "used_s": now_s,
        "size": len(payload) + _ROW_BYTES,
        "model": kept.answer.model or "",
        "saved_nanos": kept.cost.nanos,
        "payload": payload,
    }
