"""What an Attempt cost, and how well that is known.

The upstream's own figure wins and is never recomputed. Without one: nothing where the upstream
provably did no work, a reckoning where it reported tokens, else the most it may have cost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from ultrai.domain.catalog import Model
from ultrai.domain.money import reported_nanos
from ultrai.domain.outcome import (
    NO_USAGE,
    NOT_BILLED,
    Cost,
    CostState,
    FailureKind,
    Phase,
    Received,
)
from ultrai.policy.pricing import reckoned_nanos

# Failures before any text in which nobody said that nothing was done: the model may have worked.
_SILENT = frozenset({FailureKind.NETWORK, FailureKind.TIMEOUT, FailureKind.EMPTY_ANSWER})
_GENERATED = frozenset({FailureKind.MODERATED, FailureKind.BAD_RESPONSE})


def cost_of(
    received: Received,
    model: Model | None,
    *,
    moment: datetime,
    is_free: bool,
    bound_nanos: Callable[[], int | None],
) -> Cost:
    """The cost of a finished Attempt. `is_free`: the upstream bills nobody."""
    if received.cost_raw is not None:
        nanos = reported_nanos(received.cost_raw)
        if nanos is not None:
            return Cost(nanos, CostState.REPORTED, received.cost_raw)
    if is_free or was_refused(received):
        return NOT_BILLED
    if model is not None and model.prices is not None:
        reckoned = reckoned_nanos(model.prices, received.usage, moment=moment)
        if reckoned is not None:
            return Cost(reckoned, CostState.ESTIMATED)
    return Cost(bound_nanos(), CostState.ESTIMATED)


def was_refused(received: Received) -> bool:
    """Whether the upstream provably did no work: nothing left us, or it said no before any text."""
    failure = received.failure
    if not received.sent:
        return True
    if failure is None or failure.phase is Phase.MID_STREAM or received.usage != NO_USAGE:
        return False
    if failure.status is not None and failure.status >= HTTPStatus.MULTIPLE_CHOICES:
        return True
    if failure.status is not None and failure.kind in _GENERATED:
        return False  # a 200: a filter stopped an answer, or one came that nobody can read
    # An error in place of an answer: OpenRouter does not charge for zero tokens that end in one.
    return failure.kind not in _SILENT
