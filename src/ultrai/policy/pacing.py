"""When the next request may start: exact sliding windows and token buckets, as immutable values.

An upstream's quota of N in any 60 s needs the exact window: a token bucket whose burst equals the
limit lets through almost twice the limit in one window. The bucket serves for a pace of one's own.
Times are seconds on any one steady clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FREE_MODELS_PER_MINUTE = 20  # OpenRouter, "Limits": requests to `:free` models, account-wide
_BURST_SHARE = 10
_EPSILON_S = 1e-9


@dataclass(frozen=True, slots=True)
class ExactWindow:
    """At most `limit` starts in any `span_s`; remembers the last `limit` starts."""

    limit: int
    span_s: float = 60.0
    starts: tuple[float, ...] = ()

    def earliest_s(self, now_s: float) -> float:
        """The first moment, not before `now_s`, at which one more may start."""
        if len(self.starts) < self.limit:
            return now_s
        return max(now_s, self.starts[-self.limit] + self.span_s)

    def started(self, now_s: float) -> ExactWindow:
        """The window after a start at `now_s`."""
        return replace(self, starts=(*self.starts, now_s)[-self.limit :])


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """A pace of `per_minute` with a small burst: a tenth of the minute's number, at least one."""

    per_minute: int
    level: float | None = None
    filled_at_s: float = 0.0

    @property
    def burst(self) -> float:
        """The most that may start at once."""
        return max(1.0, self.per_minute / _BURST_SHARE)

    def earliest_s(self, now_s: float) -> float:
        """The first moment, not before `now_s`, at which one more may start."""
        missing = 1.0 - self._level_at(now_s)
        return now_s if missing <= _EPSILON_S else now_s + missing * 60.0 / self.per_minute

    def started(self, now_s: float) -> TokenBucket:
        """The bucket after a start at `now_s`."""
        return replace(self, level=self._level_at(now_s) - 1.0, filled_at_s=now_s)

    def _level_at(self, now_s: float) -> float:
        if self.level is None:
            return self.burst
        gained = (now_s - self.filled_at_s) * self.per_minute / 60.0
        return min(self.burst, self.level + gained)


Pace = ExactWindow | TokenBucket
