"""Claims in the cache's file: which process is making which request.

A claim holds for `LEASE_S` and is renewed while its process lives, three times in that time. So a
process that dies blocks nobody for longer.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial

from ultrai.store.answer_file import AnswerFile

LEASE_S = 15.0


class Claims:
    """This process's claims.

    `begin`, `end` and `close` are for the event loop, the rest for the thread that works on the
    file, to which `later` hands work.
    """

    def __init__(
        self,
        file: AnswerFile,
        *,
        now_s: Callable[[], float],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._file = file
        self._now_s = now_s
        self._later = later
        self._owner = ""
        self._open: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, key: str) -> None:
        """A claim is about to be made; it is renewed from now on."""
        self._open.add(key)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LEASE_S / 3, self._renew_all)

    def end(self, key: str) -> None:
        """It is about to be given back, or was not granted."""
        self._open.discard(key)
        if not self._open:
            self.close()

    def close(self) -> None:
        """Renew nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take(self, key: str) -> bool:
        """Claim it, if nobody has, or has for too long. In doubt nobody has."""
        return self._file.work(partial(self._take, key), otherwise=True)

    def give_back(self, key: str) -> None:
        """Others may claim it."""
        self._file.work(partial(self._delete, key), otherwise=None)

    def forget(self, connection: sqlite3.Connection, key: str) -> None:
        """The same within a transaction under way."""
        connection.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def _take(self, key: str, connection: sqlite3.Connection) -> bool:
        connection.execute("BEGIN IMMEDIATE")
        if not self._owner:
            self._owner = str(connection.execute("SELECT hex(randomblob(8))").fetchone()[0])
        now_s = self._now_s()
        # One that ends later than any lease can was made by a clock that went wrong.
        claim = (key, self._owner, now_s + LEASE_S, now_s, now_s + 2 * LEASE_S)
        cursor = connection.execute(
            "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET owner = excluded.owner, until_s = excluded.until_s"
            " WHERE until_s <= ? OR until_s > ? OR owner = excluded.owner",
            claim,
        )
        return cursor.rowcount == 1

    def _delete(self, key: str, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        self.forget(connection, key)

    def _renew_all(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LEASE_S / 3, self._renew_all)
        self._later(partial(self._renew, self._now_s()))

    def _renew(self, now_s: float) -> None:
        self._file.work(partial(self._prolong, now_s), otherwise=None)

    def _prolong(self, now_s: float, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "UPDATE claims SET until_s = ? WHERE owner = ?", (now_s + LEASE_S, self._owner)
        )
        connection.execute("DELETE FROM claims WHERE until_s < ?", (now_s - LEASE_S,))
