"""The free tier: how many requests for `:free` models an account may start, over all its keys."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field

from ultrai_sim import refusals
from ultrai_sim.windows import DAY_S, day_of

MINUTE_S = 60.0
HIGH_QUOTA_CREDITS = 10
LOW_QUOTA = 50
HIGH_QUOTA = 1000


@dataclass(slots=True)
class FreeTier:
    """A sliding minute and a UTC day. A start is counted whether or not it succeeds.

    ``lag_s`` is how much later `/key` learns of a start.
    """

    per_minute: int
    daily_limit: int
    lag_s: float = 0.0
    minute: deque[float] = field(default_factory=deque)
    day: int = -1
    starts: list[float] = field(default_factory=list)

    def admit(self, now: float) -> None:
        """Count one start, or raise the 429 of the window that is full."""
        self._turn(now)
        if len(self.starts) >= self.daily_limit:
            reset_ms = int((self.day + 1) * DAY_S * 1000)
            raise refusals.free_limit("per-day", self.daily_limit, reset_ms=reset_ms)
        while self.minute and self.minute[0] <= now - MINUTE_S:
            self.minute.popleft()
        if len(self.minute) >= self.per_minute:
            reset_ms = int((self.minute[0] + MINUTE_S) * 1000)
            raise refusals.free_limit("per-min", self.per_minute, reset_ms=reset_ms)
        self.minute.append(now)
        self.starts.append(now)

    def daily_requests(self, now: float) -> dict[str, int]:
        """The ``free_model_daily_requests`` of `/key`."""
        self._turn(now)
        used = bisect_right(self.starts, now - self.lag_s)
        left = max(self.daily_limit - used, 0)
        return {"used": used, "limit": self.daily_limit, "remaining": left}

    def _turn(self, now: float) -> None:
        """Begin a new day with nothing counted."""
        today = day_of(now)
        if today != self.day:
            self.day = today
            self.starts.clear()
