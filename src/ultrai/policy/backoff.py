"""How long to wait before the next Attempt on the same model, in seconds.

Full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): the wait is
uniform between nothing and the exponential bound, so that clients that failed together do not come
back together. A Retry-After of the upstream wins and is never undercut.
"""

from __future__ import annotations

from dataclasses import dataclass

_SPREAD_SHARE = 0.05
_SPREAD_CAP_S = 0.25


@dataclass(frozen=True, slots=True)
class Backoff:
    """`base_s` bounds the first wait, doubled with each further one, up to `cap_s`."""

    base_s: float = 0.5
    cap_s: float = 8.0

    def bound_s(self, failures: int) -> float:
        """The longest wait after this many failures (1 or more) in a row."""
        return float(min(self.cap_s, self.base_s * 2.0 ** (max(failures, 1) - 1)))

    def wait_s(self, failures: int, *, chance: float, retry_after_s: float | None = None) -> float:
        """The wait; `chance` is a draw from [0, 1). With Retry-After: that, and a little more."""
        if retry_after_s is not None:
            spread_s = min(retry_after_s * _SPREAD_SHARE, _SPREAD_CAP_S)
            return retry_after_s + chance * spread_s
        return chance * self.bound_s(failures)
