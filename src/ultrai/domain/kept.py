"""A KeptAnswer: an Answer that was given before, as a cache keeps it."""

from __future__ import annotations

from datetime import datetime

from ultrai.domain.outcome import Answer, Cost, Usage
from ultrai.domain.value import value


@value
class KeptAnswer:
    """What was answered, what it took then, and when (aware, UTC)."""

    answer: Answer
    usage: Usage
    cost: Cost
    kept_at: datetime


@value
class Claim:
    """What a cache says of a request: what is kept, and whether we are now the one to make it."""

    is_ours: bool
    kept: KeptAnswer | None = None


@value
class Recalled:
    """How an Answer came without being asked for anew.

    `shared`: another Run was asking the same at this moment. `age_s`: how old the Answer is.
    `saved_nanos`: what asking had cost; None: nobody knows.
    """

    shared: bool
    age_s: float
    saved_nanos: int | None
