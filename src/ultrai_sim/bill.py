"""The bill: one line for each generation, billed or not, in exact figures.

It is kept apart from anything that a client computes, so that a client's own books can be checked
against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from ultrai_sim.clock import iso
from ultrai_sim.keys import Key
from ultrai_sim.windows import day_of, iso_day


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


def bill_body(lines: Iterable[BillLine]) -> dict[str, Any]:
    """The answer of `/sim/bill`: lines, and exact totals."""
    listed = list(lines)
    return {
        "data": [line.to_dict() for line in listed],
        "total_usd": format(sum((line.cost for line in listed), Decimal(0)), "f"),
        "by_model": _totals(listed, lambda line: line.model),
        "by_key": _totals(listed, lambda line: line.key.hash),
        "by_day": _totals(listed, lambda line: iso_day(line.day)),
    }


def _totals(lines: Iterable[BillLine], group: Callable[[BillLine], str]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        name = group(line)
        sums[name] = sums.get(name, Decimal(0)) + line.cost
    return {name: format(total, "f") for name, total in sums.items()}
