"""A KeptAnswer: an Answer that was given before, as a cache keeps it."""

from __future__ import annotations

from datetime import UTC, datetime

from ultrai.domain.money import format_usd
from ultrai.domain.outcome import Answer, Cost, Usage
from ultrai.domain.stamp import stamp
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


@value
class KeptRow:
    """One kept Answer in a list. Times are Unix seconds; `model` is as the upstream says it."""

    key: str
    model: str
    kept_s: float
    used_s: float
    size: int
    cost_nanos: int | None

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD, null where it is not known."""
        return {
            "key": self.key,
            "model": self.model,
            "kept_at": _stamped(self.kept_s),
            "used_at": _stamped(self.used_s),
            "bytes": self.size,
            "cost_usd": None if self.cost_nanos is None else format_usd(self.cost_nanos),
        }


@value
class CacheStats:
    """How full a cache is. Times are Unix seconds; None: it is empty."""

    count: int
    size: int
    oldest_s: float | None
    newest_s: float | None

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "answers": self.count,
            "bytes": self.size,
            "oldest_at": None if self.oldest_s is None else _stamped(self.oldest_s),
            "newest_at": None if self.newest_s is None else _stamped(self.newest_s),
        }


def _stamped(moment_s: float) -> str:
    return stamp(datetime.fromtimestamp(moment_s, UTC))
