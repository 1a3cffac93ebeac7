"""What Attempts share, one Attempt to be made, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ultrai.domain.attempt import PriceCap
from ultrai.domain.catalog import Model
from ultrai.domain.kept import Recalled
from ultrai.domain.outcome import Answer, Cost, Failure, Usage
from ultrai.domain.plan import PlannedCandidate
from ultrai.domain.query import Query
from ultrai.domain.value import value
from ultrai.engine.commitment import Commitment
from ultrai.engine.context import Contexts
from ultrai.engine.feed import Feed
from ultrai.engine.gate import Gate
from ultrai.engine.ports import Clock, Ledger, Upstream
from ultrai.engine.quota import FreeQuota
from ultrai.engine.recall import Memory, Recall
from ultrai.engine.treasury import Envelope
from ultrai.engine.tuning import Tuning
from ultrai.engine.wellbeing import HealthBook, RetryBudget


@dataclass(frozen=True, slots=True)
class Rooms:
    """What all Runs of a process share. `inline`: nothing leaves the thread (a virtual clock)."""

    gate: Gate
    health: HealthBook
    retries: RetryBudget
    upstreams: Callable[[str], Upstream]
    tuning: Tuning
    clock: Clock
    chance: Callable[[], float]
    quota: FreeQuota
    ledger: Ledger
    inline: bool = False
    recall: Recall | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What all Attempts of one Run share."""

    rooms: Rooms
    feed: Feed
    query: Query
    envelope: Envelope
    contexts: Contexts
    find_model: Callable[[str], Model | None]
    is_stopped: Callable[[str], Failure | None]
    deadline_s: float
    streaming: bool
    commitment: Commitment
    memory: Memory | None = None


@value
class Try:
    """One Attempt to be made. `price_cap` None: as the Catalog's prices give it."""

    slot: int
    number: int
    candidate: PlannedCandidate
    max_tokens: int
    fallback: bool
    is_retry: bool = False
    patience_s: float = 0.0
    whole_s: float = inf
    price_cap: PriceCap | None = None
    bound_nanos: int | None = None


@value
class Made:
    """What came of it. `answer` xor `failure`; `text_begun`: readers have seen some of it.

    `refused`: our own limits let nothing be sent. `recalled`: nothing had to be sent.
    """

    answer: Answer | None
    failure: Failure | None
    usage: Usage
    cost: Cost
    elapsed_ms: int
    generation_id: str | None = None
    text_begun: bool = False
    refused: bool = False
    recalled: Recalled | None = None
