"""The bill: one line for each generation, billed or not, in exact figures.

It is kept apart from anything that a client computes, so that a client's own books can be checked
against it. Line by line it has the latest generations; older ones are left in its sums, exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple, overload

import msgspec

from ultrai_sim.clock import iso
from ultrai_sim.keys import Key
from ultrai_sim.windows import day_of, iso_day

MOST_LINES = 10_000
NOTHING = Decimal(0)


class BillLine(msgspec.Struct, frozen=True):
    """One generation. ``cost`` is in USD, ``cost_wire`` the literal that `usage.cost` carried.

    It belongs to the UTC day on which it was created. ``upstream`` is what the provider was paid
    with the account's own key, None where OpenRouter paid.
    """

    generation_id: str
    model: str
    permaslug: str
    provider: str
    key: Key
    created_at: float
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal
    cost_wire: str
    billed: bool
    cancelled: bool
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    upstream: Decimal | None = None

    @property
    def day(self) -> int:
        """The UTC day that it counts for."""
        return day_of(self.created_at)

    @property
    def cost_usd(self) -> str:
        """The exact cost as a decimal text, without an exponent."""
        return format(self.cost, "f")

    def to_dict(self) -> dict[str, Any]:
        """As `/sim/bill` shows it."""
        return {
            "generation_id": self.generation_id,
            "created_at": iso(self.created_at),
            "day": iso_day(self.day),
            "model": self.model,
            "model_permaslug": self.permaslug,
            "provider_name": self.provider,
            "key": self.key.label,
            "key_hash": self.key.hash,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "cached_tokens": self.cached_tokens,
            "cost_usd": self.cost_usd,
            "cost_wire": self.cost_wire,
            "billed": self.billed,
            "cancelled": self.cancelled,
            "is_byok": self.upstream is not None,
            "upstream_usd": None if self.upstream is None else format(self.upstream, "f"),
        }


class Place(NamedTuple):
    """Where a line counts: the day, what was asked and answered, who served and who asked."""

    day: int
    model: str
    permaslug: str
    provider: str
    key_hash: str


@dataclass(slots=True)
class Sum:
    """What all lines of one place come to."""

    cost: Decimal = NOTHING
    upstream: Decimal = NOTHING
    lines: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    def add(self, line: BillLine | Sum) -> None:
        """Count a line, or all that another sum has counted."""
        self.cost += line.cost
        if line.upstream:
            self.upstream += line.upstream
        self.lines += line.lines if isinstance(line, Sum) else 1
        self.prompt_tokens += line.prompt_tokens
        self.completion_tokens += line.completion_tokens
        self.reasoning_tokens += line.reasoning_tokens
        self.cached_tokens += line.cached_tokens


class Bill(Sequence[BillLine]):
    """The latest lines, oldest first, and the exact sums of all lines that ever were."""

    def __init__(self) -> None:
        self._lines: deque[BillLine] = deque()
        self._older: dict[Place, Sum] = {}

    def __len__(self) -> int:
        """How many lines are kept."""
        return len(self._lines)

    def __iter__(self) -> Iterator[BillLine]:
        """From the oldest that is kept to the newest."""
        return iter(self._lines)

    @overload
    def __getitem__(self, place: int) -> BillLine: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[BillLine]: ...

    def __getitem__(self, place: int | slice) -> BillLine | Sequence[BillLine]:
        """The oldest that is kept is at 0, the newest at -1."""
        return list(self._lines)[place] if isinstance(place, slice) else self._lines[place]

    def add(self, line: BillLine) -> None:
        """Put a line on it; beyond `MOST_LINES` the oldest is only left in the sums."""
        self._lines.append(line)
        if len(self._lines) > MOST_LINES:
            _add(self._older, self._lines.popleft())

    def sums(self) -> dict[Place, Sum]:
        """What all lines come to, place by place, those too that are not kept."""
        sums = {place: replace(older) for place, older in self._older.items()}
        for line in self._lines:
            _add(sums, line)
        return sums

    def to_dict(self) -> dict[str, Any]:
        """The answer of `/sim/bill`: the lines that are kept, and exact totals of all."""
        sums = self.sums()
        count = sum(each.lines for each in sums.values())
        return {
            "data": [line.to_dict() for line in self._lines],
            "lines": count,
            "lines_left_out": count - len(self._lines),
            "total_usd": format(sum((each.cost for each in sums.values()), NOTHING), "f"),
            "by_model": _totals(sums, lambda place: place.model),
            "by_key": _totals(sums, lambda place: place.key_hash),
            "by_day": _totals(sums, lambda place: iso_day(place.day)),
        }


def _add(sums: dict[Place, Sum], line: BillLine) -> None:
    place = Place(line.day, line.model, line.permaslug, line.provider, line.key.hash)
    sums.setdefault(place, Sum()).add(line)


def _totals(sums: Mapping[Place, Sum], group: Callable[[Place], str]) -> dict[str, str]:
    totals: dict[str, Decimal] = {}
    for place, each in sums.items():
        name = group(place)
        totals[name] = totals.get(name, NOTHING) + each.cost
    return {name: format(total, "f") for name, total in totals.items()}
