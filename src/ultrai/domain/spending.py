"""What was spent, by whatever the ledger tells entries apart by; and whether they hold."""

from __future__ import annotations

from dataclasses import dataclass

from ultrai.domain.money import format_usd
from ultrai.domain.value import value

DIMENSIONS = (
    "day",
    "model",
    "provider",
    "upstream",
    "run",
    "slot",
    "key",
    "environment",
    "user",
    "feature",
    "tag",
)


@value
class Spending:
    """One group. `cost_nanos` is known; `unsure_nanos` bounds what `unknown` Attempts cost.

    Of these the upstream will never tell about `unknown_for_good`. Tokens are the native ones,
    which are billed.
    """

    group: str | None
    cost_nanos: int
    unsure_nanos: int
    unknown: int
    attempts: int
    answers: int
    prompt_tokens: int
    completion_tokens: int
    unknown_for_good: int = 0

    @property
    def is_partly_known(self) -> bool:
        """Whether `cost_nanos` says anything: unknown is never 0."""
        return bool(self.cost_nanos) or not self.unknown

    def to_dict(self) -> dict[str, object]:
        """JSON types; money is a decimal string in USD, null where none of it is known."""
        return {
            "group": self.group,
            "cost_usd": format_usd(self.cost_nanos) if self.is_partly_known else None,
            "unknown_usd_at_most": format_usd(self.unsure_nanos),
            "unknown": self.unknown,
            "attempts": self.attempts,
            "answers": self.answers,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "unknown_for_good": self.unknown_for_good,
        }


def total(rows: list[Spending]) -> Spending:
    """All of them together."""
    return Spending(
        group=None,
        cost_nanos=sum(row.cost_nanos for row in rows),
        unsure_nanos=sum(row.unsure_nanos for row in rows),
        unknown=sum(row.unknown for row in rows),
        attempts=sum(row.attempts for row in rows),
        answers=sum(row.answers for row in rows),
        prompt_tokens=sum(row.prompt_tokens for row in rows),
        completion_tokens=sum(row.completion_tokens for row in rows),
        unknown_for_good=sum(row.unknown_for_good for row in rows),
    )


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How far a writer's chain goes, and the hash that stands for all of it."""

    writer: str
    seq: int
    head: str

    def __str__(self) -> str:
        """`WRITER:SEQ:HASH`, the form to keep elsewhere."""
        return f"{self.writer}:{self.seq}:{self.head}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What `cost verify` found: `problems` is empty where everything holds."""

    entries: int
    seals: int
    heads: tuple[ChainHead, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """JSON types."""
        return {
            "valid": not self.problems,
            "entries": self.entries,
            "seals": self.seals,
            "heads": [str(head) for head in self.heads],
            "problems": list(self.problems),
        }
