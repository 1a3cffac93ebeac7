"""The account's daily quota of requests to `:free` models, as far as the upstream tells it.

Theory of operation. The upstream counts account-wide, until midnight UTC and with some lag; we
count our own starts on top. A reading therefore never lowers our count within a day, with one
exception: the upstream's own count only grows within a day, so when it falls, what it said before
was still yesterday's. Nobody asks unless a Plan has a `:free` Candidate.

It does not know what other processes with the same key have started since the last reading: the
upstream's 429 tells.
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta

from ultrai.domain.attempt import Account
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.ports import Clock, Upstream

READING_LASTS_S = 60.0
READING_PATIENCE_S = 5.0


class FreeQuota:
    """Reads the quota when it is asked for, at most once a minute, and counts our starts."""

    def __init__(self, upstream: Upstream | None, clock: Clock) -> None:
        self._upstream = upstream
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at: datetime | None = None
        self._limit: int | None = None
        self._said: int | None = None
        self._day: date | None = None
        self._used = 0
        self._started = 0

    async def left(self) -> int | None:
        """Requests left today; None: nobody knows. Waits at most `READING_PATIENCE_S`."""
        if self._upstream is not None and not self._is_fresh():
            async with self._reading:
                if not self._is_fresh():  # nobody has read it while we waited
                    await self._read(self._upstream)
        self._turn_day()
        return None if self._limit is None else max(0, self._limit - self._used)

    def take(self) -> bool:
        """Count one start; False, and nothing counted, when none is known to be left today."""
        self._turn_day()
        if self._limit is not None and self._used >= self._limit:
            return False
        self._used += 1
        self._started += 1
        return True

    def resets_s(self) -> float:
        """The next midnight UTC, in Unix seconds."""
        tomorrow = self._clock.now() + timedelta(days=1)
        return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    def _is_fresh(self) -> bool:
        now, read_at = self._clock.now(), self._read_at
        if read_at is None or read_at.date() != now.date():
            return False
        return (now - read_at).total_seconds() <= READING_LASTS_S

    async def _read(self, upstream: Upstream) -> None:
        try:
            async with asyncio.timeout(READING_PATIENCE_S):
                account = await upstream.read_account()
        except (UpstreamUnavailable, TimeoutError):
            pass  # what was known stands; not knowing is no reason to refuse: a 429 will tell
        else:
            self._turn_day()
            self._note(account)
        self._read_at = self._clock.now()

    def _note(self, account: Account | None) -> None:
        if account is None or account.free_limit is None or account.free_used is None:
            self._limit = self._said = None
            return
        fell = self._said is not None and account.free_used < self._said
        ours = self._started if fell else self._used
        self._limit = account.free_limit
        self._said = account.free_used
        self._used = max(account.free_used, ours)

    def _turn_day(self) -> None:
        today = self._clock.now().date()
        if today != self._day:
            self._day = today
            self._used = self._started = 0
