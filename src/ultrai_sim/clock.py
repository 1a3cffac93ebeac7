"""Where the simulator's time comes from: the one place that reads the machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
"""No clock goes beyond: a later day would soon have no date that can be written."""

Clock = Callable[[], float]
"""Seconds since the epoch. A test passes its own to move a day on without waiting."""


def wall_clock() -> float:
    """The machine's time."""
    return time.time()


class WorldClock:
    """A source's time, put forward by so many seconds, as far as to `LATEST`."""

    def __init__(self, source: Clock) -> None:
        self.source = source
        self.ahead_s = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return min(self.source() + self.ahead_s, LATEST)

    def advance(self, seconds: float) -> None:
        """Put it forward; at its latest moment it stands still."""
        self.ahead_s = min(self.ahead_s + seconds, LATEST)


def iso(stamp: float) -> str:
    """A stamp as ISO-8601 in UTC, as OpenRouter writes ``created_at``."""
    return datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds")
