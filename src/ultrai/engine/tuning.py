"""Tuning: what the engine takes from settings, as one frozen value. Durations are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from ultrai.domain.attempt import Timers
from ultrai.domain.fitting import FitWish
from ultrai.policy.backoff import Backoff

_ANY_TIME_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the rooms behave. `paces` maps a model id (or `*`) to starts per minute.

    `first_text_s` None: 60 s, or 300 s where the model reasons. `free_upstreams` bill nothing.
    """

    max_attempts: int = 3
    backoff: Backoff = field(default_factory=Backoff)
    max_wait_s: float = 20.0
    timers: Timers = field(default_factory=Timers)
    first_text_s: float | None = None
    first_text_reasoning_s: float = 300.0
    concurrency: int = 50
    queue_limit: int = 10_000
    paces: Mapping[str, int] = field(default_factory=dict)
    price_headroom: Decimal = Decimal("1.25")
    max_usd_per_million: Decimal | None = None
    reasoning_headroom_tokens: int = 4000
    max_tokens_floor: int = 64
    shrink_floor_tokens: int | None = None
    free_may_become_paid: bool = False
    streaming: bool = True
    free_upstreams: frozenset[str] = frozenset()
    fit: FitWish = FitWish.AUTO
    fit_retrieve_tokens: int = 20_000
    fit_summariser: str | None = None

    def timers_for(self, *, reasons: bool, is_local: bool, whole_s: float = inf) -> Timers:
        """The timers of one Attempt; `whole_s`: what the run can spare for an answer in one piece.

        A local model works on one request at a time and says nothing to those that wait: there the
        run's deadline is the only bound before its first text.
        """
        first_text_s = self.first_text_s
        if first_text_s is None:
            first_text_s = self.first_text_reasoning_s if reasons else self.timers.first_text_s
        if is_local:
            first_text_s = _ANY_TIME_S
        base = self.timers
        return Timers(
            connect_s=base.connect_s,
            headers_s=_ANY_TIME_S if is_local else base.headers_s,
            first_text_s=first_text_s,
            text_stall_s=base.text_stall_s,
            liveness_s=_ANY_TIME_S if is_local else base.liveness_s,
            whole_s=inf if is_local else whole_s,
        )
