"""The account's daily quota of requests to `:free` models, as far as the upstream tells it.

The upstream counts with some lag, account-wide and until midnight UTC; our own starts since the
last reading are counted on top. Nobody asks unless a Plan has a `:free` Candidate.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ultrai.domain.attempt import Account
from ultrai.domain.errors import UpstreamUnavailable
from ultrai.engine.ports import Clock, Upstream

_READING_LASTS_S = 60.0


class FreeQuota:
    """Reads the quota when it is asked for, at most once a minute."""

    def __init__(self, upstream: Upstream | None, clock: Clock) -> None:
        self._upstream = upstream
        self._clock = clock
        self._read_at: datetime | None = None
        self._account: Account | None = None

    async def left(self) -> int | None:
        """Requests left today; None: nobody knows."""
        if self._upstream is None:
            return None
        now = self._clock.now()
        read_at = self._read_at
        if read_at is None or (now - read_at).total_seconds() > _READING_LASTS_S:
            self._read_at = now
            try:
                self._account = await self._upstream.read_account()
            except UpstreamUnavailable:
                self._account = None  # not knowing is no reason to refuse; a 429 will tell
        account = self._account
        if account is None or account.free_limit is None or account.free_used is None:
            return None
        return max(0, account.free_limit - account.free_used)

    def resets_s(self) -> float:
        """The next midnight UTC, in Unix seconds."""
        tomorrow = self._clock.now() + timedelta(days=1)
        return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
