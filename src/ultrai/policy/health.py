"""Health: what recent Attempts say of a model, as an immutable value.

The circuit: `FAILURES_TO_OPEN` blameworthy Failures in a row, each the last word of some Slot on
the model, open it for `COOL_DOWN_S`, doubled with each opening up to `COOL_DOWN_CAP_S`. When that
time is over it is half-open: the next Attempt is a probe, and its outcome closes or re-opens the
circuit. A failure that says nothing about the model changes nothing: a bad request, our own budget,
a network that did not even reach the upstream.

Latencies are the last `SAMPLES` measurements, so that percentiles follow the present. All stamps
are Unix seconds, passed in: this module has no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ultrai.domain.outcome import FailureKind
from ultrai.domain.value import value
from ultrai.policy.tokens import TokenCounts

FAILURES_TO_OPEN = 5
COOL_DOWN_S = 30.0
COOL_DOWN_CAP_S = 600.0
SAMPLES = 64
_DOUBLINGS_AT_MOST = 16  # far beyond the cap: a circuit may open thousands of times in a row

BLAMEWORTHY = frozenset(
    {
        FailureKind.UPSTREAM_ERROR,
        FailureKind.OVERLOADED,
        FailureKind.TIMEOUT,
        FailureKind.CUT_STREAM,
        FailureKind.BAD_RESPONSE,
        FailureKind.NO_PROVIDER,
    }
)


@value
class ModelHealth:
    """Memory of one model. `open_until_s` and `rests_until_s` are Unix seconds."""

    failures_in_row: int = 0
    openings_in_row: int = 0
    open_until_s: float | None = None
    rests_until_s: float | None = None
    unavailable_since_s: float | None = None
    first_token_ms: tuple[int, ...] = ()
    total_ms: tuple[int, ...] = ()
    tokens: TokenCounts = TokenCounts()

    def is_open(self, now_s: float) -> bool:
        """Whether the circuit is open, so that others are tried before this model."""
        return self.open_until_s is not None and now_s < self.open_until_s

    def is_half_open(self, now_s: float) -> bool:
        """Whether the next Attempt is a probe."""
        return self.open_until_s is not None and now_s >= self.open_until_s

    def is_resting(self, now_s: float) -> bool:
        """Whether a daily quota of this model is used up until a known moment."""
        return self.rests_until_s is not None and now_s < self.rests_until_s


def after_answer(health: ModelHealth, *, first_token_ms: int | None, total_ms: int) -> ModelHealth:
    """Health after an Answer: the circuit closes, latencies and token counts are kept."""
    first = health.first_token_ms
    if first_token_ms is not None:
        first = (*first, first_token_ms)[-SAMPLES:]
    total = (*health.total_ms, total_ms)[-SAMPLES:]
    return ModelHealth(first_token_ms=first, total_ms=total, tokens=health.tokens)


def after_count(health: ModelHealth, native: int, *, estimate: int) -> ModelHealth:
    """Health after the model has told how many tokens a prompt made that was estimated."""
    return replace(health, tokens=health.tokens.add(native, estimate))


def after_failure(health: ModelHealth, kind: FailureKind, *, now_s: float) -> ModelHealth:
    """Health after a Failure of this kind."""
    if kind is FailureKind.MODEL_UNAVAILABLE:
        return replace(health, unavailable_since_s=now_s)
    if kind not in BLAMEWORTHY:
        return health
    failures = health.failures_in_row + 1
    probe_failed = health.is_half_open(now_s)
    if not probe_failed and (failures < FAILURES_TO_OPEN or health.is_open(now_s)):
        return replace(health, failures_in_row=failures)
    doublings = min(health.openings_in_row, _DOUBLINGS_AT_MOST)
    cool_down_s = min(COOL_DOWN_S * 2**doublings, COOL_DOWN_CAP_S)
    return replace(
        health,
        failures_in_row=failures,
        openings_in_row=health.openings_in_row + 1,
        open_until_s=now_s + cool_down_s,
    )


def resting_until(health: ModelHealth, until_s: float) -> ModelHealth:
    """Health of a model whose daily quota returns at `until_s`."""
    return replace(health, rests_until_s=until_s)


def percentile(samples: Sequence[int], share: float) -> int | None:
    """The nearest-rank percentile (`share` in 0..1); None without samples."""
    if not samples:
        return None
    ordered = sorted(samples)
    rank = max(1, math.ceil(share * len(ordered)))
    return ordered[rank - 1]
