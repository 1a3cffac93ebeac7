"""The one home of the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock; fits `engine.ports.Clock`."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)
