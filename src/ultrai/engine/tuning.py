"""Tuning: what the engine takes from settings, as one frozen value. Durations are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ultrai.domain.attempt import Timers
from ultrai.policy.backoff import Backoff


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
    free_may_become_paid: bool = False
    streaming: bool = True
    free_upstreams: frozenset[str] = frozenset()

    def timers_for(self, *, reasons: bool, is_local: bool) -> Timers:
        """The timers of one Attempt; a local model may take minutes over a long prompt."""
        first_text_s = self.first_text_s
        if first_text_s is None:
            patient = reasons or is_local
            first_text_s = self.first_text_reasoning_s if patient else self.timers.first_text_s
        base = self.timers
        return Timers(
            connect_s=base.connect_s,
            headers_s=max(base.headers_s, first_text_s) if is_local else base.headers_s,
            first_text_s=first_text_s,
            text_stall_s=base.text_stall_s,
            liveness_s=max(base.liveness_s, first_text_s) if is_local else base.liveness_s,
        )
